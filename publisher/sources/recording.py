"""Kernel files recorded on one machine, masked, and read again on another.

A recording is a plain folder: ``proc/…`` and ``sys/…`` with exactly the files that were read. A
listing's other names stand as empty files, links stand as links, and a file that existed but
could not be read holds ``!`` and the error's name, such as ``!EACCES``. What a file system told of
its space stands below ``statvfs``, at its mount point.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from pathlib import Path

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles, translated
from publisher.sources.masking import Masker

_MARK = "!"
_MOST_LINKS = 40  # as the kernel allows on one path


class Recording(KernelFiles):
    """Kernel files that remember what was asked of them."""

    def __init__(self, root: str | Path = "/") -> None:
        super().__init__(root)
        self.contents: dict[str, bytes] = {}
        self.listings: dict[str, list[str]] = {}
        self.present: set[str] = set()

    def read(self, path: str, *, keep: bool = True) -> bytes:
        try:
            content = super().read(path, keep=keep)
        except SourceError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno and os.path.lexists(self.root + path):
                name = errno.errorcode.get(cause.errno, "EIO")
                self.contents.setdefault(path, f"{_MARK}{name}\n".encode())
            raise
        self.contents.setdefault(path, content)
        return content

    def names(self, path: str) -> list[str]:
        names = super().names(path)
        if names:
            self.listings.setdefault(path, names)
        return names

    def exists(self, path: str) -> bool:
        found = super().exists(path)
        if found:
            self.present.add(path)
        return found

    def link(self, path: str) -> str | None:
        target = super().link(path)
        if target is not None:
            self.present.add(path)
        return target

    def statvfs(self, path: str) -> os.statvfs_result:
        told = super().statvfs(path)
        self.contents.setdefault(_figures(path), " ".join(map(str, told[:10])).encode() + b"\n")
        return told

    def again(self) -> None:
        """Begins another sample: contents are taken anew."""
        self.contents = {}


class Captured(KernelFiles):
    """Kernel files of a recording: what could not be read there cannot be read here."""

    live = False

    def read(self, path: str, *, keep: bool = True) -> bytes:
        content = super().read(path, keep=keep)
        if content.startswith(_MARK.encode()) and len(content) < 16:
            name = content.decode("ascii", "replace").strip().removeprefix(_MARK)
            number = getattr(errno, name, None)
            if number is not None:
                error = OSError(number, os.strerror(number))
                raise translated(error, path) from error
        return content

    def statvfs(self, path: str) -> os.statvfs_result:
        return os.statvfs_result(map(int, self.read(_figures(path), keep=False).split()))


def write(recording: Recording, directory: Path, mask: Masker) -> None:
    """Writes what a recording remembers below a folder."""
    links: dict[str, str] = {}
    files: dict[str, bytes | None] = {}
    folders: set[str] = set()
    for path, content in recording.contents.items():
        mask.learn(path, content)
        files[_resolve(recording.root, path, links)] = content
    for path, names in recording.listings.items():
        here = _resolve(recording.root, path, links)
        folders.add(here)
        for name in names:
            _place(recording.root, _resolve(recording.root, f"{here}/{name}", links, last=False),
                   files, folders)  # fmt: skip
    for path in recording.present:
        _place(recording.root, _resolve(recording.root, path, links), files, folders)
    for path in (*links, *files):
        mask.learn(path)
    for path in folders:
        (directory / mask.path(path)[1:]).mkdir(parents=True, exist_ok=True)
    for path, known in files.items():
        target = directory / mask.path(path)[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mask.content(path, known or b""))
    for path, goal in links.items():
        place = directory / mask.path(path)[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink() and not place.exists():
            place.symlink_to(mask.path(goal))


def _figures(mount_point: str) -> str:
    return f"/statvfs{mount_point.rstrip('/')}/figures"


def _place(root: str, path: str, files: dict[str, bytes | None], folders: set[str]) -> None:
    """Notes a path that was only seen: a folder as such, anything else as an empty file."""
    live = Path(root + path)
    if live.is_symlink() or path in files:
        return
    if live.is_dir():
        folders.add(path)
    else:
        files[path] = None


def _resolve(root: str, path: str, links: dict[str, str], *, last: bool = True) -> str:
    """The path without links in it, each link met on the way noted with where it points to.

    Args:
        root: what the path is below.
        path: to resolve.
        links: gets the links, relative ones as they are, absolute ones made relative.
        last: whether the last part is followed, too; noted it is in any case.
    """
    done: list[str] = []
    todo = deque(part for part in path.split("/") if part)
    followed = 0
    while todo:
        part = todo.popleft()
        if part == "..":
            done = done[:-1]
            continue
        here = "/" + "/".join([*done, part])
        if followed < _MOST_LINKS and Path(root + here).is_symlink():
            followed += 1
            target = str(Path(root + here).readlink())
            if target.startswith("/"):
                target = os.path.relpath(target, "/" + "/".join(done))
            links[here] = target
            if not todo and not last:
                return here
            todo.extendleft(reversed([step for step in target.split("/") if step not in ("", ".")]))
        else:
            done.append(part)
    return "/" + "/".join(done)
