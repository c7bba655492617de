"""Kernel files below a root: what is absent, denied or broken is told apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import KernelFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    return tmp_path


def test_a_held_descriptor_sees_new_content(root: Path) -> None:
    path = root / "proc/number"
    path.write_text("1\n")
    files = KernelFiles(root)
    assert files.integer("/proc/number") == 1
    path.write_text("22\n")
    assert files.integer("/proc/number") == 22
    files.close()


def test_long_files_are_read_whole(root: Path) -> None:
    content = b"x" * 300_000
    (root / "proc/long").write_bytes(content)
    assert KernelFiles(root).read("/proc/long") == content


def test_no_more_descriptors_stay_open_than_allowed(root: Path) -> None:
    for number in range(20):
        (root / f"proc/{number}").write_text("1")
    files = KernelFiles(root, held=4)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        files.read(f"/proc/{number}")
    assert len(os.listdir("/proc/self/fd")) - before <= 4
    files.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_nobody_reads_any_more_makes_room(root: Path) -> None:
    """Files of cgroups come and go, and those that went are not asked for again."""
    for number in range(20):
        (root / f"proc/{number}").write_text("1")
    files = KernelFiles(root, held=4)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(4):
        files.read(f"/proc/{number}")
    for _ in range(80):
        files.read("/proc/0")
        files.read("/proc/9")
    (root / "proc/0").unlink()
    (root / "proc/9").unlink()
    assert files.read("/proc/9"), "its descriptor is held"
    assert files.read("/proc/0"), "its descriptor stayed"
    assert len(os.listdir("/proc/self/fd")) - before <= 4
    files.close()


def test_who_reads_more_than_may_stay_open_loses_none_of_what_is_held(root: Path) -> None:
    for number in range(9):
        (root / f"proc/{number}").write_text("1")
    files = KernelFiles(root, held=4)
    for _ in range(40):
        for number in range(9):
            files.read(f"/proc/{number}")
    for number in range(4):
        (root / f"proc/{number}").unlink()
        assert files.read(f"/proc/{number}") == b"1"
    files.close()


def test_what_is_not_there_is_absent(root: Path) -> None:
    files = KernelFiles(root)
    with pytest.raises(AbsentError, match="/proc/nothing: "):
        files.read("/proc/nothing")
    assert files.names("/proc/nothing") == []
    assert files.link("/proc/nothing") is None


def test_a_directory_is_no_file(root: Path) -> None:
    with pytest.raises(SourceError):
        KernelFiles(root).read("/proc")


@pytest.mark.parametrize("content", [b"", b"twelve", b"1 2", b"\xff\xfe", b"1.5"])
def test_a_number_that_is_none_is_malformed(root: Path, content: bytes) -> None:
    (root / "proc/number").write_bytes(content)
    with pytest.raises(SourceError, match="whole number") as caught:
        KernelFiles(root).integer("/proc/number")
    assert not isinstance(caught.value, AbsentError | DeniedError)


def test_links_resolve_within_the_root(root: Path) -> None:
    device = root / "sys/devices/pci0000:00/nvme0"
    device.mkdir(parents=True)
    (root / "sys/class").mkdir()
    (root / "sys/class/nvme0").symlink_to("../devices/pci0000:00/nvme0")
    (root / "sys/class/escape").symlink_to("/usr")
    files = KernelFiles(root)
    assert files.link("/sys/class/nvme0") == "/sys/devices/pci0000:00/nvme0"
    assert files.link("/sys/class/escape") is None
