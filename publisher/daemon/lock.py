"""One daemon at a time keeps its state in a folder, and so watches this machine."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path
from typing import Any

from publisher.errors import FanwhyError, SourceError
from publisher.sources.files import KernelFiles

log = logging.getLogger(__name__)

_LOCK = "lock"
_FAR = 1 << 30  # Windows lets no one read what is locked: a byte that is never written


def claim(folder: str) -> int:
    """Makes the folder ours alone for as long as the descriptor that comes back is open.

    Raises:
        OSError: it cannot be written.
        FanwhyError: another fanwhy keeps its state there, so it watches the same machine.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{folder}/{_LOCK}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
    except BlockingIOError:
        os.lseek(descriptor, 0, os.SEEK_SET)
        other = os.read(descriptor, 16).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise FanwhyError(
            f"fanwhy runs already (process {other}) and keeps its state in {folder}; "
            "stop that one, or give this one a STATE_DIRECTORY and a --prefix of its own"
        ) from None
    except OSError:
        pass  # a file system that knows no locks
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor


def holder(folder: str) -> int | None:
    """The process of the daemon that has claimed the folder; ``None`` if none, or who can tell."""
    fcntl = _module("fcntl")
    if fcntl is None:
        return None
    try:
        descriptor = os.open(f"{folder}/{_LOCK}", os.O_RDONLY)
    except OSError:
        return None
    try:
        pid = int(os.read(descriptor, 16))
        # The number may be another's by now, and a lock may be held in another container.
        return pid if _is_daemon(pid) and not _free(descriptor, fcntl) else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _free(descriptor: int, fcntl: Any) -> bool:
    """Whether nobody has locked the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_daemon(pid: int) -> bool:
    """Whether a process is a daemon of ours, as far as this system tells."""
    files = KernelFiles()
    if not files.exists("/proc/self/cmdline"):
        return True
    try:
        return b"publisher.daemon" in files.read(f"/proc/{pid}/cmdline", keep=False).split(b"\0")
    except SourceError:  # it is gone
        return False


def _lock(descriptor: int) -> None:
    """Locks the file by the means that this system has; without any, that is said.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: its file system knows no locks.
    """
    if fcntl := _module("fcntl"):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif msvcrt := _module("msvcrt"):  # Windows
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
    else:
        log.warning("no file locks on this system: take care that only one fanwhy-pub runs")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
