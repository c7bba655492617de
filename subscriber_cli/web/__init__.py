"""The page for browsers and the addresses for scripts.

``command`` is what the user calls, ``server`` runs, ``live`` keeps what hosts said last,
``documents`` makes JSON of it, ``past`` asks the archive, ``routes`` is the table of all addresses,
``guard`` decides who gets in.
"""
