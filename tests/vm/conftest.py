"""Boots the virtual machine once and hands out what it said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_BOOT_SECONDS = 600


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Minutes of emulation are for those who ask: ``pytest -m vm``, as ``make test-vm`` does."""
    if "vm" in config.getoption("markexpr"):
        return
    ours = [item for item in items if _HERE in item.path.parents]
    config.hook.pytest_deselected(items=ours)
    items[:] = [item for item in items if item not in ours]


@dataclass(frozen=True)
class Mark:
    """A line of the scenario: what it did, and when."""

    moment: float
    words: list[str]


@dataclass(frozen=True)
class Sent:
    """A message that a subscriber in the machine got, and when; an empty one is ``None``."""

    moment: float
    topic: str
    payload: Any


@dataclass
class Log:
    """All that the scenario and the subscriber said."""

    marks: list[Mark] = field(default_factory=list)
    messages: list[Sent] = field(default_factory=list)
    daemon: list[str] = field(default_factory=list)
    capture: str = ""

    @classmethod
    def parse(cls, text: str) -> Log:
        log = cls()
        for line in text.splitlines():
            first, _, rest = line.partition(" ")
            if first == "@":
                moment, *words = rest.split(" ")
                log.marks.append(Mark(float(moment), words))
            elif first == "@log":
                log.daemon.append(rest)
            elif first == "@capture":
                log.capture += rest
            elif first[:1].isdigit():
                topic, _, payload = rest.partition(" ")
                log.messages.append(Sent(float(first), topic, _decoded(payload)))
        return log

    def mark(self, *words: str) -> Mark:
        """The first line of the scenario that begins with these words."""
        return next(mark for mark in self.marks if mark.words[: len(words)] == list(words))

    def between(self, topic: str, start: float, end: float = float("inf")) -> list[Sent]:
        """The messages of a topic in a span of time, empty ones left out."""
        return [
            sent
            for sent in self.messages
            if sent.topic == topic and start <= sent.moment <= end and sent.payload is not None
        ]


def _decoded(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload or None


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """What happened in the machine, from boot to power-off."""
    image = Path(os.environ.get("TESTS_VM") or Path.home() / ".cache/fanwhy-vm")
    subprocess.run([_HERE / "image", image], check=True)
    folder = tmp_path_factory.mktemp("vm")
    content = folder / "content"
    shutil.copytree(
        _ROOT / "publisher", content / "publisher", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(_HERE / "scenario", content)
    disk = folder / "content.img"
    with disk.open("wb") as file:
        file.truncate(48 << 20)
    mkfs = shutil.which("mkfs.ext4") or "/sbin/mkfs.ext4"
    subprocess.run([mkfs, "-q", "-d", content, disk], check=True)
    said, console = folder / "said", folder / "console"
    # Emulated, so that it runs anywhere; what it writes to its disk is thrown away.
    subprocess.run(
        [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none", "-no-reboot",
            "-nic", "none", "-kernel", image / "vmlinuz", "-initrd", image / "initrd",
            "-append", "root=/dev/vda rw console=ttyS0 quiet",
            "-drive", f"file={image}/root.img,format=raw,if=virtio,snapshot=on",
            "-drive", f"file={disk},format=raw,if=virtio,readonly=on",
            "-serial", f"file:{console}", "-serial", f"file:{said}",
        ],
        check=True,
        timeout=_BOOT_SECONDS,
    )  # fmt: skip
    kept = os.environ.get("TESTS_VM_LOG")
    if kept:
        shutil.copy(said, kept)
    text = said.read_text(errors="replace")
    assert " end" in text, console.read_text(errors="replace")[-3000:]
    return Log.parse(text)
