"""One writer at a time: a lock that ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from subscriber_cli.archive.schema import ArchiveError, failure


@contextlib.contextmanager
def only_writer(path: Path, doing: str = "records into it") -> Iterator[None]:
    """Holds the right to write to a file for as long as the ``with`` block lasts.

    Where the system has no such locks (Windows) nothing is held: SQLite keeps the file sound, but
    two recorders would take the broker's session from each other.

    Args:
        path: of the file, such as an archive.
        doing: what whoever has that right does.

    Raises:
        ArchiveError: another process has it, or the file beside the archive cannot be made.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  # there is none on Windows

    beside = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise failure(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ArchiveError(
                f"{path}: another fanwhy-sub {doing}; end that, or name another file"
            ) from error
        yield
    finally:
        os.close(descriptor)
