"""Memberships and counters of control groups, versions 1, 2 and both."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources.cgroups import Cgroups, Membership, own_limits
from publisher.sources.files import KernelFiles

V1 = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n"
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"
HYBRID = V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


def tree(root: Path, files: dict[str, str]) -> Cgroups:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Cgroups(KernelFiles(root))


@pytest.mark.parametrize(
    ("mounts", "lines", "expected"),
    [
        (V2, "0::/system.slice/a.service\n", ("/system.slice/a.service",) * 2),
        (V2, "0::/\n", ("", "")),
        (V1, "4:cpu,cpuacct:/a\n1:name=systemd:/system.slice/a.service\n",
         ("/system.slice/a.service", "/a")),
        (HYBRID, "4:cpu,cpuacct:/\n1:name=systemd:/s\n0::/user.slice/x.scope\n",
         ("/user.slice/x.scope", "/user.slice/x.scope")),
        (V1, "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n", ("/docker/abc", "/docker/abc")),
        (V2, "0::/a.service (deleted)\n", ("/a.service", "/a.service")),
        ("", "", ("", "")),
    ],
)  # fmt: skip
def test_membership(tmp_path: Path, mounts: str, lines: str, expected: tuple[str, str]) -> None:
    cgroups = tree(tmp_path, {"proc/mounts": mounts})
    assert cgroups.membership(lines.encode()) == Membership(*expected)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\r"])
def test_a_name_cannot_pass_for_another_line(tmp_path: Path, separator: str) -> None:
    """Any user may make a cgroup below their own, and call it as they like."""
    own = f"/user.slice/x{separator}0::/system.slice/postgresql.service"
    cgroups = tree(tmp_path, {"proc/mounts": V2})
    assert cgroups.membership(f"0::{own}\n".encode()) == Membership(own, own)


def test_usage_of_version_2(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, {
        "proc/mounts": V2,
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
        "sys/fs/cgroup/init.scope/cpu.stat": "usage_usec 5\nuser_usec 2\n",
        "sys/fs/cgroup/system.slice/cpu.stat": "usage_usec 70\n",
        "sys/fs/cgroup/system.slice/a.service/cpu.stat": "usage_usec 60\n",
        "sys/fs/cgroup/system.slice/a.service/io.stat":
            "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n",
        "sys/fs/cgroup/system.slice/a.service/cpu.pressure":
            "some avg10=0.50 avg60=0.10 avg300=0.00 total=4321\n"
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=21\n",
        "sys/fs/cgroup/system.slice/a.service/memory.stat": "anon 5\nfile 90\nshmem 2\n"
            "file_mapped 3\n",
    })  # fmt: skip
    assert cgroups.whole_usage() is None, "version 2's root only repeats /proc/stat"
    assert cgroups.top_usage() == {"init.scope": 5000, "system.slice": 70_000}
    assert cgroups.cpu_usage("/system.slice/a.service") == 60_000
    assert cgroups.cpu_usage("/nobody") is None
    assert cgroups.units() == ["/init.scope", "/system.slice/a.service"]
    assert cgroups.disk_bytes("/system.slice/a.service") == (11, 22)
    assert cgroups.disk_bytes("/init.scope") is None
    assert cgroups.memory_bytes("/system.slice/a.service") == 10
    assert cgroups.memory_bytes("/init.scope") is None
    assert cgroups.cpu_stalled("/system.slice/a.service") == 4_321_000
    assert cgroups.cpu_stalled("/init.scope") is None


def test_a_containers_root_is_not_the_machines(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, {
        "proc/mounts": V2,
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/cgroup.events": "populated 1\n",
        "sys/fs/cgroup/init.scope/cpu.stat": "usage_usec 5\n",
    })  # fmt: skip
    assert cgroups.top_usage() is None


def test_where_init_is_in_no_cgroup_the_topmost_do_not_hold_everything(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, {"proc/mounts": V2, "proc/1/cgroup": "0::/\n"})
    assert cgroups.top_usage() is None


def test_usage_of_version_1(tmp_path: Path) -> None:
    top = "sys/fs/cgroup/cpu,cpuacct"
    cgroups = tree(tmp_path, {
        "proc/mounts": V1,
        f"{top}/cgroup.sane_behavior": "0\n",
        f"{top}/cpuacct.usage": "123456\n",
        f"{top}/system.slice/a.service/cpuacct.usage": "1000\n",
    })  # fmt: skip
    assert cgroups.whole_usage() == 123_456
    assert cgroups.cpu_usage("/system.slice/a.service") == 1000
    assert cgroups.units() == ["/system.slice/a.service"]


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({}, ""),
        ({"cpu.max": "max 100000", "memory.max": "max"}, ""),
        ({"cpu.max": "150000 100000"}, "1.5 processors"),
        ({"memory.max": "209715200"}, "200 MiB of memory"),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "1073741824",
            },
            "0.5 processors and 1024 MiB of memory",
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            "",
        ),
        ({"cpu.max": "1 0", "memory.max": "many"}, ""),
    ],
)
def test_a_container_knows_its_own_limits(
    tmp_path: Path, files: dict[str, str], limits: str
) -> None:
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    assert own_limits(KernelFiles(tmp_path)) == limits
