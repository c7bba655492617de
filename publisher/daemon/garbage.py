"""Python's collector of garbage, told what stays.

A full collection comes only when a quarter as many objects have grown old as there were at the last
one. With all that was loaded and built counted among them, cycles of dead processes and ended
connections would lie about for hours, megabytes of them. So what stays is set aside: what is left is
little, and looked through often, at a millisecond or two.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Frees what an earlier configuration left, and sets aside all that there is now."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # of next to nothing: it is what the next one is measured by
