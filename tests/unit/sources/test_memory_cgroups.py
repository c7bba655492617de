"""Limits on memory and counters of kills, of control groups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.memory_cgroups import LimitedCgroup, MemoryCgroups, OomCounts

V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
V1 = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
HYBRID = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n" + V1
APP = "sys/fs/cgroup/system.slice/app.service"
OLD = "sys/fs/cgroup/memory/docker/abc"


def tree(root: Path, mounts: str, files: dict[str, str]) -> MemoryCgroups:
    for name, content in {"proc/mounts": mounts, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return MemoryCgroups(KernelFiles(root))


@pytest.mark.parametrize(
    ("mounts", "lines", "path"),
    [
        (V2, "0::/system.slice/app.service\n", "/system.slice/app.service"),
        (V2, "0::/\n", ""),
        (V2, "0::/../../other.service\n", ""),
        (V2, "0::/a.scope (deleted)\n", "/a.scope"),
        (HYBRID, "9:memory:/docker/abc\n1:name=systemd:/s\n0::/x.scope\n", "/docker/abc"),
        (V1, "3:cpu:/a\n", ""),
        ("", "0::/system.slice/app.service\n", ""),
    ],
)
def test_where_a_process_is(tmp_path: Path, mounts: str, lines: str, path: str) -> None:
    assert tree(tmp_path, mounts, {}).path(lines.encode()) == path


def test_limits_of_version_2(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, V2, {
        f"{APP}/memory.max": "2147483648\n",
        f"{APP}/memory.high": "max\n",
        f"{APP}/memory.current": "2147000000\n",
        f"{APP}/memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n",
        f"{APP}/memory.events.local": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n",
        f"{APP}/memory.pressure": "some avg10=9.0 avg60=1 avg300=0 total=4321\nfull total=1\n",
        "sys/fs/cgroup/system.slice/memory.max": "max\n",
        "sys/fs/cgroup/system.slice/memory.high": "max\n",
    })  # fmt: skip
    assert cgroups.limited("/system.slice/app.service") == LimitedCgroup(
        path="/system.slice/app.service", limit_bytes=2 << 30, used_bytes=2147000000,
        hits=7, stalled_us=4321,
    )  # fmt: skip
    assert cgroups.counts("/system.slice/app.service") == OomCounts(1, 2)
    assert cgroups.limited("/system.slice") is None
    assert cgroups.limited("/gone") is None
    assert cgroups.counts("/gone") is None
    assert cgroups.limited("") is None, "the machine's root has no limit"


def test_what_throttles_is_a_limit_too(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, V2, {
        f"{APP}/memory.max": "4000\n", f"{APP}/memory.high": "3000\n",
        f"{APP}/memory.current": "3100\n",
        f"{APP}/memory.events": "low 0\nhigh 40\nmax 2\noom 0\noom_kill 0\n",
    })  # fmt: skip
    limited = cgroups.limited("/system.slice/app.service")
    assert limited is not None
    assert (limited.limit_bytes, limited.hits, limited.stalled_us) == (3000, 42, None)


def test_limits_of_version_1(tmp_path: Path) -> None:
    cgroups = tree(tmp_path, HYBRID, {
        f"{OLD}/memory.limit_in_bytes": "62914560\n",
        f"{OLD}/memory.usage_in_bytes": "62910464\n",
        f"{OLD}/memory.max_usage_in_bytes": "62914560\n",
        f"{OLD}/memory.failcnt": "31\n",
        f"{OLD}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
    })  # fmt: skip
    assert cgroups.limited("/docker/abc") == LimitedCgroup(
        path="/docker/abc", limit_bytes=62914560, used_bytes=62910464, hits=31
    )
    assert cgroups.counts("/docker/abc") == OomCounts(1, None)
    assert cgroups.was_full("/docker/abc")
    assert not cgroups.was_full("/docker")
    assert cgroups.limited("") is None


def test_all_of_them_parents_first(tmp_path: Path) -> None:
    for name in ("b.slice/b.service", "a.slice/a.scope/init"):
        (tmp_path / "sys/fs/cgroup" / name).mkdir(parents=True)
    found = list(tree(tmp_path, V2, {}).all())
    assert found == [
        "/a.slice", "/a.slice/a.scope", "/a.slice/a.scope/init", "/b.slice", "/b.slice/b.service",
    ]  # fmt: skip
    assert list(tree(tmp_path, "", {}).all()) == []
