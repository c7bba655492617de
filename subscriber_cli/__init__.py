"""The terminal client, command ``fanwhy-sub``: shows what fanwhy publishes on the broker.

``client`` brings messages from the broker. ``model`` decides what they hold: ``decode`` takes them
from the wire, ``catalogue`` and ``row`` make typed values of them, ``fleet`` keeps the newest of
every host. ``render`` makes lines of those values and knows no payload. ``tui`` shows such lines on
the full screen. A command is a file: ``watch`` there, ``tail`` line by line, ``why`` once.

``archive`` keeps what passes by in a file; ``recorder`` fills it, and what tells of the past
reads it.

Of the publisher it uses the contract, the configuration and the connection.
"""
