"""Memory that nothing of ours lies in any more, given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Has glibc return the pages that are free (man 3 malloc_trim); elsewhere nothing happens.

    What a broker keeps comes all at once, a hundred kilobytes of catalogue from each host, of which
    little is kept: the holes that the rest leaves would stay resident for ever.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, nor needs it
        if trim is not None:
            trim(0)
