"""Boots the virtual machine once and hands out what it said."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from vm.log import Log

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_BOOT_SECONDS = 1200


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Minutes of emulation are for those who ask: ``pytest -m vm``, as ``make test-vm`` does."""
    if "vm" in config.getoption("markexpr"):
        return
    ours = [item for item in items if _HERE in item.path.parents]
    config.hook.pytest_deselected(items=ours)
    items[:] = [item for item in items if item not in ours]


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
    for part in ("scenario", "service"):
        shutil.copy(_HERE / part, content)
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
            "-append", "root=/dev/vda rw console=ttyS0 quiet no_timer_check panic=1",
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
