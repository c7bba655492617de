"""The contract: everything that crosses the broker, declared once.

``metric`` declares fields, ``units`` their units and how people read them; ``readings`` holds the
topics of no subsystem and ``topics`` the names of all; ``payload`` encodes and compares,
``messages`` are what is sent and received, ``printable`` makes names harmless to show, and
``model`` derives pydantic models and JSON Schema. Nothing here imports the rest of fanwhy but its
errors.
"""
