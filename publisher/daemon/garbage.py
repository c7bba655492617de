"""Python's collector of garbage, told what stays, and had come often to the little that is left.

A full collection comes only when a quarter as many objects have grown old as there were at the last
one: with all that was loaded and built counted among them, after hours. Cycles of ended connections
would lie about meanwhile; and so would what Python keeps for reuse, which only a full collection
gives back: of tuples alone up to 2000 of each length to 19, 5 MB, and every ``tuple(…)`` of a
generator adds one.
"""

from __future__ import annotations

import gc

_FULL_EVERY = 0  # as often as one of middle age; with so little left it takes a millisecond


def settle() -> None:
    """Frees what an earlier configuration left, and sets aside all that there is now."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # of next to nothing: it is what the next one is measured by
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _FULL_EVERY)
