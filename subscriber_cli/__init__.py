"""The terminal client, command ``fanwhy-sub``: shows what fanwhy publishes on the broker.

``stream`` brings messages from the broker, ``decode`` takes them apart, ``catalogue`` learns from
``host/catalogue`` what the fields are, ``fleet`` remembers the newest of every host; the rest
shows it: ``watch`` on a full screen, ``tail`` line by line, ``why`` once.

It knows of the publisher what the broker tells, and ``publisher.contract``.
"""
