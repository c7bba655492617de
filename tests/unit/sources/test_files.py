"""Kernel files below a root: what is absent, denied or broken is told apart."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import KernelFiles, held_at_most


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


class RecordFile:
    """A file as the kernel's seq_file gives it: whole records, at most a page of them a read."""

    def __init__(self, records: list[bytes]) -> None:
        self.records = records
        self.reads = 0

    def pread(self, _: int, size: int, offset: int) -> bytes:
        self.reads += 1
        at, left = 0, []
        for record in self.records:
            if at >= offset:
                left.append(record)
            at += len(record)
        given = b""
        for record in left:
            if given and len(given) + len(record) > PAGE:
                break
            given += record
        return given[:size]


PAGE = os.sysconf("SC_PAGE_SIZE")


def _read(
    root: Path, monkeypatch: pytest.MonkeyPatch, path: str, records: list[bytes]
) -> tuple[bytes, int]:
    (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
    (root / path[1:]).touch()
    file = RecordFile(records)
    files = KernelFiles(root)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", file.pread)
        content = files.read(path)
    files.close()
    return content, file.reads


MOUNT = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"


@pytest.mark.parametrize(
    ("path", "records"),
    [
        ("/proc/self/mountinfo", [MOUNT] * 80),
        ("/proc/self/mountinfo", [MOUNT] * 16_000),  # 1.2 MB
        # The layers of an overlay: one long record is kept for the next read.
        ("/proc/self/mountinfo", [MOUNT, b"x" * 4000 + b"\n", MOUNT]),
        ("/proc/1/mountinfo", [MOUNT] * 80),
        ("/proc/mounts", [MOUNT] * 80),
        ("/proc/net/dev", [b"  eth0: 1 2 3 4\n"] * 900),
        ("/proc/1/net/dev", [b"veth0123456789a: " + b" 18446744073709551615" * 16 + b"\n"] * 60),
        ("/proc/diskstats", [b"   8      16 sdb " + b" 18446744073709551615" * 17 + b"\n"] * 60),
        ("/proc/cpuinfo", [b"flags: " + b"avx512f " * 200 + b"\n"] * 256),
        ("/proc/mdstat", [b"md0 : active raid6 " + b"sdaa1[12] " * 300 + b"\n"] * 4),
        ("/proc/vmstat", [b"nr_something_in_pages 18446744073709551615\n"] * 200),
        ("/proc/spl/kstat/zfs/arcstats", [b"hits                            4    1234567\n"] * 150),
    ],
)
def test_a_short_read_is_not_the_end_of_a_file_of_records(
    root: Path, monkeypatch: pytest.MonkeyPatch, path: str, records: list[bytes]
) -> None:
    content, _ = _read(root, monkeypatch, path, records)

    assert content == b"".join(records)


@pytest.mark.parametrize(
    ("path", "records"),
    [
        ("/proc/stat", [b"cpu0 1 2 3\n" * 4000]),
        ("/proc/meminfo", [b"MemTotal: 1 kB\n" * 60]),
        ("/proc/loadavg", [b"0.00 0.00 0.00 1/100 4711\n"]),
        ("/proc/uptime", [b"1.0 2.0\n"]),
        ("/proc/pressure/cpu", [b"some avg10=0.00\n"]),
        ("/proc/4711/cgroup", [b"0::/init.scope\n"]),
        ("/proc/4711/fdinfo/7", [b"drm-driver: i915\n" * 30]),
        ("/proc/net/snmp", [b"Tcp: 1 2 3\n" * 200]),
        ("/proc/1/net/sockstat6", [b"TCP6: inuse 1\n"]),
        ("/proc/net/dev", [b"  eth0: 1 2 3 4\n"] * 20),
        ("/proc/diskstats", [b"   8      16 sdb 1 2 3 4 5 6 7 8 9\n"] * 30),
        ("/proc/vmstat", [b"nr_free_pages 18446744073709551615\n"] * 100),
        ("/sys/class/hwmon/hwmon0/temp1_input", [b"45000\n"]),
        ("/sys/fs/cgroup/a.service/memory.stat", [b"anon 4096\n" * 60]),
        ("/etc/os-release", [b"ID=debian\n" * 20]),
    ],
)
def test_one_read_is_enough_where_it_cannot_be_short(
    root: Path, monkeypatch: pytest.MonkeyPatch, path: str, records: list[bytes]
) -> None:
    assert _read(root, monkeypatch, path, records) == (b"".join(records), 1)


@pytest.mark.parametrize("path", ["/proc/vmstat", "/proc/cpuinfo", "/proc/self/mountinfo"])
def test_files_of_this_kernel_are_read_whole(path: str) -> None:
    """Labels do not change meanwhile, as numbers do."""
    files = KernelFiles()
    names = [line.split()[:1] for line in files.read(path).splitlines()]
    assert names == [line.split()[:1] for line in Path(path).read_bytes().splitlines()]
    files.close()


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


def test_where_descriptors_are_few_none_is_kept_from_the_rest(root: Path) -> None:
    for number in range(8):
        (root / f"proc/{number}").write_text(f"{number}\n")
    files = KernelFiles(root)
    for number in range(7):
        files.integer(f"/proc/{number}")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        assert files.integer("/proc/7") == 7
        assert files.names("/proc") == [str(number) for number in range(8)]
        assert KernelFiles(root, held=100).read("/proc/1") == b"1\n"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("limit", "held"), [(1024, 256), (256, 104), (64, 8), (20, 0)])
def test_the_rest_has_room_beside_what_stays_open(limit: int, held: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        assert held_at_most(256) == held
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
