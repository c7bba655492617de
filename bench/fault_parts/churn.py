"""Processes that come and go under ever new names, and some that make the machine busy."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_BUSY = "while :; do :; done"


@contextlib.contextmanager
def churning(a_second: float, seed: int) -> Iterator[None]:
    """Some new processes a second, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="fanwhy-churn-") as folder:
        child = subprocess.Popen(
            [sys.executable, __file__, str(a_second), str(seed), folder], start_new_session=True
        )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def churn(a_second: float, seed: int, folder: Path) -> None:
    """Starts them until it is killed."""
    chance = random.Random(seed)
    sleep, shell = (Path(str(shutil.which(name))).resolve() for name in ("sleep", "sh"))
    running: list[tuple[subprocess.Popen[bytes], float, Path]] = []
    busy_from = 0.0
    for number in range(1 << 40):
        now = time.monotonic()
        for one in [one for one in running if one[0].poll() is not None or one[1] < now]:
            one[0].kill()
            one[0].wait()
            one[2].unlink()
            running.remove(one)
        path = folder / f"{chance.choice(('job', 'worker', 'task'))}-{number:x}"
        if now > busy_from:
            busy_from = now + chance.uniform(4, 14)
            path.symlink_to(shell)
            command, lasts = [str(path), "-c", _BUSY], chance.uniform(3, 7)
        else:
            path.symlink_to(sleep)
            command, lasts = [str(path), f"{chance.uniform(0.1, 6):.1f}"], 10.0
        running.append((subprocess.Popen(command), now + lasts, path))
        time.sleep(chance.expovariate(a_second))


if __name__ == "__main__":
    churn(float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
