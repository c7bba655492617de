"""Files of the user's, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from publisher.errors import ConfigError


def write_whole(path: Path, content: str, *, mode: int) -> None:
    """All of it or nothing: a reader never sees half a file, nor one with wider rights.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps others who ask for the same away from a file until it is written.

    Where it cannot be locked (no such folder yet, a system without such locks), nothing is kept
    away: what is written is whole all the same.
    """
    try:
        import fcntl  # noqa: PLC0415  # not everywhere

        descriptor = os.open(path.resolve().parent, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def rewrite(path: Path, content: str) -> None:
    """Likewise, of a file that may be there, whose mode and owner it keeps, and links to it.

    Raises:
        ConfigError: it cannot be written, or this user may not write it.
    """
    path = path.resolve()
    try:
        before = path.stat()
    except FileNotFoundError:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{path.parent}: cannot be made: {error.strerror}") from None
        write_whole(path, content, mode=0o644)
        return
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    if not stat.S_ISREG(before.st_mode):  # a link may lead to a device
        raise ConfigError(f"{path}: cannot be written: it is no file")
    if not os.access(path, os.W_OK):
        raise ConfigError(f"{path}: cannot be written: this user may not")
    try:
        write_whole(path, content, mode=before.st_mode & 0o7777)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):  # only root may give files away
            os.chown(path, before.st_uid, before.st_gid)
