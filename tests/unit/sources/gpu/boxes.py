"""Machines with GPUs of the kernel's own drivers: copies of fixtures whose files and clock move."""

from __future__ import annotations

import shutil
from pathlib import Path

from publisher.errors import DeniedError
from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems.gpu import Gpu, GpuReading

FIXTURES = Path(__file__).parents[3] / "fixtures" / "gpu"


class WatchedFiles(Captured):
    """Kernel files that count how often all processes are walked, and may keep a folder closed."""

    live = True
    walks = 0
    refused = ""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def read(self, path: str, *, keep: bool = True) -> bytes:
        self.asked.append(path)
        return super().read(path, keep=keep)

    def names(self, path: str) -> list[str]:
        if path == self.refused:
            raise DeniedError("this user may not list it", path=path)
        self.walks += path == "/proc"
        return super().names(path)


class Box:
    """A copy of a fixture, with time."""

    def __init__(self, name: str, folder: Path) -> None:
        self.root = folder / name
        self.case = FIXTURES / name
        shutil.copytree(self.case, self.root, symlinks=True)
        self.seconds = 0.0
        self.files = WatchedFiles(self.root)
        self.gpu = Gpu(Sources(files=self.files, monotonic=lambda: self.seconds))

    def put(self, path: str, content: object) -> None:
        (self.root / path).write_text(f"{content}\n")

    def later(self, seconds: float = 2.0) -> GpuReading:
        """Reads again, with what the fixture has for two seconds later."""
        self.seconds += seconds
        for path in (self.case / "second").rglob("*"):
            if path.is_file():
                (self.root / path.relative_to(self.case / "second")).write_bytes(path.read_bytes())
        return self.gpu.read()
