"""The full screen of ``fanwhy-sub watch``, on Textual; imported only where it is shown.

``lines`` is the one widget: lines from ``render`` that somebody moves about in. A screen is a
file. ``app`` has what they share: the broker's messages, the clock, the keys that hold everywhere.
"""
