"""Whether what the kernel tells of its numbering of processes is true of those that we see.

``/proc/loadavg`` ends with the number given out last, and ``/proc/stat`` counts what was forked
(man 5 proc_loadavg, proc_stat). In a container the first may be another's file: lxcfs gives the
host's numbers, or its own of some seconds ago; a sandbox gives zeros for both; and the kernel
itself tells the numbers of whoever reads, also where the ``/proc`` of others is read. Two threads
of our own, which get the next numbers and count as forked, settle it: what stands still or counts
something else may be near the number of one of them by chance, and never goes along with both.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final, NamedTuple

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_TRIES: Final = 3


class Trust(NamedTuple):
    """What of the numbering can be gone by.

    Attributes:
        last: the number given out last is that of a process here, and up to date.
        forks: the count of forks moves.
    """

    last: bool
    forks: bool


def trust(files: KernelFiles) -> Trust:
    """Tries it out with two threads that end at once; again where the numbers began anew."""
    before = _forks(files)
    for _ in range(_TRIES):
        tried = (_thread(files), _thread(files))
        if not all(shown for _, shown, _ in tried):
            return Trust(last=False, forks=True)  # another machine's, or one made of files
        (first, _, then), (second, _, now) = tried
        if then is not None and now is not None and first <= then < second <= now:
            return Trust(last=True, forks=_forks(files) > before)
    return Trust(last=False, forks=_forks(files) > before)


def last_number(files: KernelFiles) -> tuple[int | None, int]:
    """The number given out last and how many threads there are, as told; ``None`` and 0: not."""
    try:
        words = files.read("/proc/loadavg").split()
        return int(words[-1]), int(words[3].partition(b"/")[2])
    except (SourceError, ValueError, IndexError):
        return None, 0


def _thread(files: KernelFiles) -> tuple[int, bool, int | None]:
    """A new thread's number, whether it is seen in ``/proc``, and the last number as told."""
    found: list[tuple[int, bool, int | None]] = []

    def look() -> None:
        number = threading.get_native_id()
        shown = files.exists(f"/proc/{os.getpid()}/task/{number}")
        found.append((number, shown, last_number(files)[0]))

    thread = threading.Thread(target=look, name="numbering", daemon=True)
    with suppress(RuntimeError):  # no more threads allowed
        thread.start()
        thread.join()
    return found[0] if found else (0, False, None)


def _forks(files: KernelFiles) -> int:
    try:
        _, _, rest = files.read("/proc/stat").partition(b"\nprocesses ")
        return int(rest.partition(b"\n")[0])
    except (SourceError, ValueError):
        return 0
