"""What ``statvfs`` tells of a file system, asked by ourselves or by ``stat --file-system``."""

from __future__ import annotations

import os
from dataclasses import dataclass

from publisher.errors import AbsentError, DeniedError, SourceError


@dataclass(frozen=True, slots=True)
class Figures:
    """What statvfs tells, in its own terms."""

    blocks: int
    free: int
    available: int
    size: int
    inodes: int
    inodes_free: int

    @classmethod
    def of(cls, told: os.statvfs_result) -> Figures:
        return cls(
            told.f_blocks, told.f_bfree, told.f_bavail, told.f_frsize, told.f_files, told.f_ffree
        )

    @classmethod
    def parse(cls, status: int, answer: bytes, path: str) -> Figures:
        """From the exit status of ``stat --file-system`` and the numbers of ``_STAT_FORMAT``.

        Raises:
            AbsentError: it is not there.
            DeniedError: this user may not ask it.
            SourceError: it failed, or printed something else.
        """
        if status != 0:
            raise _refusal(answer, path)
        try:
            return cls(*map(int, answer.split()))
        except (TypeError, ValueError):
            raise SourceError(f"expected six numbers, found {answer[:40]!r}", path=path) from None

    @property
    def plausible(self) -> bool:
        """Whether there is space to speak of and the figures do not contradict themselves."""
        return (
            self.size > 0
            and 0 <= self.free <= self.blocks
            and 0 <= self.available <= self.blocks
            and self.blocks > 0
        )

    @property
    def used(self) -> int:
        """Bytes."""
        return (self.blocks - self.free) * self.size


def _refusal(answer: bytes, path: str) -> SourceError:
    """What ``stat`` says when it fails: last the words of the error."""
    words = answer.strip().rpartition(b": ")[2][:60].decode("ascii", "replace")
    if words in {"Permission denied", "Operation not permitted"}:
        return DeniedError("this user may not ask it", path=path)
    if words == "No such file or directory":
        return AbsentError("not on this machine", path=path)
    return SourceError(f"tells no figures: {words}" if words else "tells no figures", path=path)
