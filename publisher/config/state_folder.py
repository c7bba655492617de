"""The state folder: where what outlives the daemon is kept, and how its small files are written."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600  # what runs here, when, and how warm it gets is our user's alone
_OURS = "fanwhy"
FILES = (
    "events", "day.json", "learned.json", "open.json", "energy.json", "totals.json", "fans.json",
    "services.json", "lock", "machine-id",
)  # fmt: skip
"""All that is kept in it."""


def keep_private(folder: str) -> None:
    """Makes the folder if it can, and has nobody else read what we keep there, now or before.

    A folder of another name may be somebody's home: of that only our own files are closed.
    """
    with contextlib.suppress(OSError):
        os.makedirs(folder, _FOLDER, exist_ok=True)  # noqa: PTH103  # a word, as state_dir gives it
    closed = [(f"{folder}/{name}", _FILE) for name in FILES]
    if os.path.basename(os.path.normpath(folder)) == _OURS:  # noqa: PTH119
        closed.append((folder, _FOLDER))
    for path, mode in closed:
        with contextlib.suppress(OSError):  # not there, another user's, or no modes
            if os.stat(path).st_mode & 0o077:  # noqa: PTH116
                os.chmod(path, mode)  # noqa: PTH101


def save(path: Path, content: str) -> None:
    """Replaces the file; a reader gets the old content or the new, nothing in between.

    It is not forced onto the disk: on a busy one that takes seconds, in which we ought to find
    out who keeps it busy. After a power failure the content of the last half minute may be
    missing, and readers have to bear with a file that is not as it should be.

    Raises:
        OSError: as the operating system says; the old file is still there.
    """
    os.makedirs(path.parent, _FOLDER, exist_ok=True)  # noqa: PTH103  # not with parents' mode
    draft = path.with_suffix(".new")
    try:
        with open(draft, "w", encoding="utf-8", opener=_for_us) as file:
            file.write(content)
        os.replace(draft, path)  # noqa: PTH105  # the same call, spelt for what it does
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def is_gone(descriptor: int, path: str | Path) -> bool:
    """Whether an open file is not the one of that path any more: it, or its folder, was removed."""
    try:
        return not os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116
    except OSError:
        return True


def _for_us(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, _FILE)
    if os.name == "posix" and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, _FILE)  # one that a crash has left may have another mode
    return descriptor


def nameless(name: str) -> int:
    """A descriptor of an empty file that no folder lists, in memory where the system can do that.

    Args:
        name: what debuggers call it.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    import tempfile  # noqa: PLC0415  # only where there is no memfd

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def state_dir() -> str | None:
    """Where what was learned is kept: systemd's, else the user's; ``None`` where neither is.

    Source: systemd.exec(5) STATE_DIRECTORY; XDG Base Directory Specification; on Windows
    LOCALAPPDATA.
    """
    if directory := os.environ.get("STATE_DIRECTORY"):
        return directory.split(os.pathsep)[0]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "/var/lib/fanwhy"
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")  # Windows
    if not base:
        home = os.path.expanduser("~")  # noqa: PTH111  # pathlib raises where there is no home
        if not os.path.isabs(home):  # noqa: PTH117  # as above
            return None
        base = f"{home}/.local/state"
    return f"{base}/fanwhy"


def memory_dir() -> str | None:
    """A folder of our own that is kept in memory until the machine restarts; ``None`` without one.

    Source: systemd.exec(5) RUNTIME_DIRECTORY; XDG Base Directory Specification; file-hierarchy(7)
    ``/run`` and ``/dev/shm``, where anybody may put a folder before we do.
    """
    if not hasattr(os, "geteuid"):
        return None
    user = os.geteuid()
    given = (os.environ.get("RUNTIME_DIRECTORY") or "").split(os.pathsep)[0]
    session = os.environ.get("XDG_RUNTIME_DIR")
    system = "/run/fanwhy" if user == 0 else ""
    for folder in (
        given,
        system,
        f"{session}/fanwhy" if session else "",
        f"/dev/shm/fanwhy-{user}",  # noqa: S108  # it is looked at who owns it
    ):
        if folder and _is_ours(folder, user):
            return folder
    return None


def _is_ours(folder: str, user: int) -> bool:
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)  # noqa: PTH102  # as below
        found = os.lstat(folder)
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == user
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
