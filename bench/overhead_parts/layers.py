"""Which layer the daemon's CPU time goes to: a profile that samples by CPU time.

``sitecustomize`` in a folder of its own loads this into the daemon. Whenever the process has used
some more CPU time, it is looked up how much of it each thread has used, and what each is at.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

FILE = "BENCH_LAYERS"
_EVERY_SECONDS = 0.002
_MOST = 25
_PACKAGE = f"{os.sep}publisher{os.sep}"
# What serves all layers counts for the one that called it.
_SHARED = ("contract", "config", "errors")
LAYERS = (
    "sources", "subsystems", "ledger", "explain", "publishing", "homeassistant", "mqtt", "daemon",
)  # fmt: skip

SITECUSTOMIZE = """
import sys
if "publisher.daemon" in sys.orig_argv:
    sys.path.append({folder!r})
    from overhead_parts import layers
    layers.begin()
"""


def place_of(frame: FrameType | None) -> tuple[str, str]:
    """The innermost layer that a stack is in, and the function."""
    while frame is not None:
        code = frame.f_code
        _, found, rest = code.co_filename.rpartition(_PACKAGE)
        room = rest.partition(os.sep)[0].removesuffix(".py") if found else ""
        room = {"pipeline": "daemon"}.get(room, room)
        if room in LAYERS:
            return room, f"{rest}:{code.co_qualname}"
        if "paho" in code.co_filename:
            return "mqtt", "paho"
        frame = frame.f_back
    return "others", "others"


def begin() -> None:
    """Watches this process from now on; what was found is written at its end."""
    spent: dict[str, Counter[str]] = {"layers": Counter(), "functions": Counter()}
    known: dict[int, float] = {}

    def look(_: int, main: FrameType | None) -> None:
        frames = sys._current_frames()  # noqa: SLF001  # that of threads has no other door
        for thread in threading.enumerate():
            now = _clock(thread)
            used = now - known.get(thread.ident or 0, 0.0)
            known[thread.ident or 0] = now
            here = main if thread is threading.main_thread() else frames.get(thread.ident or 0)
            layer, function = place_of(here)
            if layer == "others" and thread.name.startswith("subsystem-"):
                layer = "subsystems"
            spent["layers"][layer] += round(used * 1e9)
            spent["functions"][function] += round(used * 1e9)

    def start() -> None:
        known.update({thread.ident or 0: _clock(thread) for thread in threading.enumerate()})
        for counted in spent.values():
            counted.clear()

    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR2, lambda *_: start())  # what came before was the start
    signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
    atexit.register(lambda: Path(os.environ[FILE]).write_text(json.dumps(spent)))


def _clock(thread: threading.Thread) -> float:
    """CPU seconds of a thread; 0 when it has just ended."""
    try:
        return time.clock_gettime((~(thread.native_id or 0) << 3) | 6)  # as the kernel numbers them
    except OSError:
        return 0.0


def read(path: Path) -> dict[str, dict[str, float]]:
    """The shares of ``layers``, and of the greatest ``functions``, 0 to 100, the greatest first."""
    spent: dict[str, dict[str, int]] = json.loads(path.read_text())
    every = sum(spent["layers"].values()) or 1
    return {
        kind: {name: 100 * part / every for name, part in Counter(parts).most_common(_MOST)}
        for kind, parts in spent.items()
    }
