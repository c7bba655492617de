"""One daemon at a time keeps its state in a folder, and so watches this machine."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from publisher.config.state_folder import is_gone
from publisher.errors import FanwhyError, SourceError
from publisher.sources.files import KernelFiles

log = logging.getLogger(__name__)

_LOCK = "lock"
_CONNECTED, _APART = "connected", "apart"
_RETRY_SECONDS = 60.0
_LONGEST = 400  # bytes that are told of a daemon
_FAR = 1 << 30  # Windows lets no one read what is locked: a byte that is never written


class Claim:
    """The claim of this process on a folder, for as long as it runs.

    A folder that cannot be written now is tried again; meanwhile a name in the system's memory
    keeps a second daemon away, where there are such names (unix(7), abstract sockets).

    Args:
        folder: where the daemon keeps its state.

    Raises:
        FanwhyError: another fanwhy keeps its state there.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._name: socket.socket | None = None
        self._failed = False
        self._again_at = 0.0
        self._try()

    def filter(self, record: logging.LogRecord) -> bool:
        """For the log: of a folder of which it was said that it fails nothing more is said.

        Whatever keeps a file there would say it again, each in its own words.
        """
        return not (
            self._failed and record.levelno < logging.ERROR and self._folder in record.getMessage()
        )

    def note(self, *, connected: bool, words: str) -> None:
        """Leaves beside the claim how it goes, for ``health``.

        Args:
            connected: to the broker.
            words: a line for people.
        """
        if self._descriptor is not None:
            state = _CONNECTED if connected else _APART
            _write(self._descriptor, f"{os.getpid()}\n{state}\n{words}\n")

    def close(self) -> None:
        """Leaves the folder to others."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._name is not None:
            self._name.close()
            self._name = None

    def tick(self, now: float) -> None:
        """Tries again, now and then, what has failed; claims a folder anew that was taken away.

        Raises:
            FanwhyError: another fanwhy was faster.
        """
        if now < self._again_at:
            return
        self._again_at = now + _RETRY_SECONDS
        if self._descriptor is not None and is_gone(self._descriptor, f"{self._folder}/{_LOCK}"):
            log.warning("state folder %s was taken away: it is made anew", self._folder)
            os.close(self._descriptor)
            self._descriptor = None
        if self._descriptor is None:
            self._try()

    def _try(self) -> None:
        try:
            self._descriptor = claim(self._folder)
        except OSError as error:
            if not self._failed:
                self._failed, self._name = True, _named(self._folder)
                log.warning(
                    "state folder %s cannot be written: %s; until it can, what is learned is kept "
                    "in memory alone",
                    self._folder,
                    error.strerror,
                )
        else:
            if self._failed:
                self._failed = False
                log.info("state folder %s can be written again", self._folder)


def claim(folder: str) -> int:
    """Makes the folder ours alone for as long as the descriptor that comes back is open.

    Raises:
        OSError: there is no file to lock, and none can be made.
        FanwhyError: another fanwhy keeps its state there, so it watches the same machine.
    """
    path = f"{folder}/{_LOCK}"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        try:
            descriptor = os.open(path, os.O_RDONLY)  # what cannot be written can be locked
        except OSError:
            raise error from None
    try:
        _lock(descriptor)
    except BlockingIOError:
        os.lseek(descriptor, 0, os.SEEK_SET)
        other = _told(descriptor)[0]
        os.close(descriptor)
        raise _runs_already(folder, f"process {other}") from None
    except OSError:
        pass  # a file system that knows no locks
    _write(descriptor, f"{os.getpid()}\n")
    return descriptor


def _write(descriptor: int, content: str) -> None:
    with contextlib.suppress(OSError):  # a full disk, or one that cannot be written
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, content.encode("utf-8", "replace")[:_LONGEST])


def _told(descriptor: int) -> list[str]:
    """What a daemon has left beside its claim: its process, and then, how it goes."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, _LONGEST).decode("utf-8", "replace").split("\n")


def _named(folder: str) -> socket.socket | None:
    """A name that stands for the folder, which only one process can have at a time."""
    if not sys.platform.startswith("linux"):
        return None
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0fanwhy-{digest}")
    except OSError as error:
        name.close()
        if error.errno == errno.EADDRINUSE:
            raise _runs_already(folder, "another process") from None
        return None
    return name


def _runs_already(folder: str, who: str) -> FanwhyError:
    return FanwhyError(
        f"fanwhy runs already ({who}) and keeps its state in {folder}; "
        "stop that one, or give this one a STATE_DIRECTORY and a --prefix of its own"
    )


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
        pid = int(_told(descriptor)[0])
        # The number may be another's by now, and a lock may be held in another container.
        return pid if _is_daemon(pid) and not _free(descriptor, fcntl) else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def health(folder: str) -> tuple[bool, str]:
    """Whether a daemon lives that keeps its state in a folder and reaches its broker, and a line.

    It looks at a lock and reads a line: cheap enough to be asked every few minutes for years.
    """
    fcntl = _module("fcntl")
    if fcntl is None:
        return False, "this system has no locks by which a daemon could be found"
    try:
        descriptor = os.open(f"{folder}/{_LOCK}", os.O_RDONLY)
    except OSError as error:
        return False, f"no daemon keeps its state in {folder}: {error.strerror}"
    try:
        _, state, words, *_ = [*_told(descriptor), "", ""]
        if _free(descriptor, fcntl):
            return False, f"no daemon keeps its state in {folder} now"
    except OSError as error:
        return False, f"{folder}/{_LOCK}: {error.strerror}"
    finally:
        os.close(descriptor)
    return state == _CONNECTED, words or "starting"


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
