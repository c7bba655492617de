"""One daemon at a time keeps its state in a folder, and so watches this machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from publisher.errors import FanwhyError

_LOCK = "lock"


def claim(folder: str) -> int:
    """Makes the folder ours alone for as long as the descriptor that comes back is open.

    Raises:
        OSError: it cannot be written.
        FanwhyError: another fanwhy keeps its state there, so it watches the same machine.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{folder}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.pread(descriptor, 16, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise FanwhyError(
            f"fanwhy runs already (process {other}) and keeps its state in {folder}; "
            "stop that one, or give this one a STATE_DIRECTORY and a --prefix of its own"
        ) from None
    except OSError:
        pass  # a file system that knows no locks
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor
