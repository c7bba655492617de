"""How much of what a broker sends is kept at once: 64 MiB in all, whoever sends what.

Every place that keeps something has its share, in bytes, and lets go of something, or makes the
network wait, before it exceeds that.
"""

from __future__ import annotations

MIB = 1 << 20

INBOX_BYTES = 16 * MIB
"""Messages that were not looked at yet; while they are more, the broker has to wait."""

KEPT_BYTES = 28 * MIB
"""The newest of each topic as text, the sparklines' points, and the catalogues."""

SHARE_BYTES = 6 * MIB
"""Of that, one host's, all of which is read again at a drawing where it is shown."""

READ_BYTES = 16 * MIB
"""The same as typed values, made from the text when they are shown."""

HELD_BYTES = 4 * MIB
"""Lines that wait for the catalogue that names their fields."""

ITEM_BYTES = 500
"""Of any one thing that is kept, besides its text."""

CELL_BYTES = 500
"""Of one typed value, or of the declaration of one."""

POINT_BYTES = 120
"""Of one value of a sparkline."""

JOURNAL_ENTRIES = 500
"""Events that are remembered, of all hosts."""

JOURNAL_CHARACTERS = 400
"""Characters of one of them, of four bytes at most: less than 1 MiB together."""
