"""The kernel's log of its kills, as several kernels word them."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.kernel_log import KernelLog, OomKill

BY_LIMIT = """\
4,547,13054447215,-;python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
6,578,13054447787,-;memory: usage 61440kB, limit 61440kB, failcnt 31
6,579,13054447790,-;memory+swap: usage 61440kB, limit 9007199254740988kB, failcnt 0
6,627,13054448072,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
oom_memcg=/docker/abc,task_memcg=/docker/abc/x,task=python3,pid=21032,uid=0
 SUBSYSTEM=whatever
3,628,13054448084,-;Memory cgroup out of memory: Killed process 21032 (python3) total-vm:71984kB, \
anon-rss:61184kB, file-rss:6668kB, shmem-rss:16kB, UID:0 pgtables:176kB oom_score_adj:0
"""
BY_MACHINE = """\
4,700,2,-;mysqld invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0
6,701,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,\
task_memcg=/system.slice/mysql.service,task=mysqld,pid=77,uid=112
3,702,2,-;Out of memory: Killed process 77 (mysqld) total-vm:9kB, anon-rss:2048kB, file-rss:0kB, \
shmem-rss:0kB, UID:112 pgtables:1kB oom_score_adj:0
"""
OLDER = """\
6,10,1,-;Task in /lxc/112 killed as a result of limit of /lxc/112
6,11,1,-;memory: usage 1048576kB, limit 1048576kB, failcnt 9
3,12,1,-;Memory cgroup out of memory: Kill process 9 (java) score 950 or sacrifice child
3,13,1,-;Killed process 9 (java) total-vm:5000kB, anon-rss:1024kB, file-rss:8kB
"""


def log(root: Path, content: str) -> KernelLog:
    path = root / "dev/kmsg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return KernelLog(KernelFiles(root))


def test_a_kill_at_a_limit(tmp_path: Path) -> None:
    assert log(tmp_path, BY_LIMIT).oom_kills(5) == [
        OomKill(
            pid=21032, comm="python3", held_bytes=61200 * 1024, limited=True,
            cgroup="/docker/abc/x", limit_cgroup="/docker/abc", limit_bytes=61440 * 1024,
        )
    ]  # fmt: skip


def test_a_kill_for_the_machine(tmp_path: Path) -> None:
    (kill,) = log(tmp_path, BY_LIMIT + BY_MACHINE).oom_kills(1)
    assert (kill.pid, kill.comm, kill.limited, kill.limit_bytes) == (77, "mysqld", False, None)
    assert (kill.cgroup, kill.limit_cgroup) == ("/system.slice/mysql.service", "")


def test_an_older_kernels_words(tmp_path: Path) -> None:
    (kill,) = log(tmp_path, OLDER).oom_kills(1)
    assert (kill.comm, kill.limited, kill.limit_bytes) == ("java", True, 1 << 30)


def test_the_line_of_the_kill_is_enough(tmp_path: Path) -> None:
    """In a storm of kills the kernel leaves out the rest."""
    line = BY_LIMIT.rstrip("\n").rpartition("\n")[2].replace(",628,", ",900,")
    kills = log(tmp_path, f"{BY_MACHINE}{line}\n").oom_kills(9)
    assert [(kill.pid, kill.limited) for kill in kills] == [(77, False), (21032, True)]
    assert kills[1].limit_bytes is None


def test_no_kill_is_told_twice(tmp_path: Path) -> None:
    told = log(tmp_path, BY_LIMIT)
    assert len(told.oom_kills(4)) == 1
    assert told.oom_kills(4) == []
    log(tmp_path, BY_LIMIT + BY_MACHINE)
    assert [kill.pid for kill in told.oom_kills(4)] == [77]


def test_the_latest_are_told(tmp_path: Path) -> None:
    assert [kill.pid for kill in log(tmp_path, BY_LIMIT + BY_MACHINE).oom_kills(1)] == [77]


@pytest.mark.parametrize("name", ["a) total-vm:1kB", "x\\x1b[2J", "(sd-pam)", ") (", "Killed"])
def test_a_name_may_hold_anything(tmp_path: Path, name: str) -> None:
    (kill,) = log(tmp_path, BY_MACHINE.replace("(mysqld)", f"({name})")).oom_kills(1)
    assert (kill.comm, kill.held_bytes) == (name, 2048 * 1024)


def test_what_programs_write_there_is_not_the_kernels_word(tmp_path: Path) -> None:
    forged = BY_MACHINE.replace("3,702", "14,702")
    assert log(tmp_path, forged).oom_kills(1) == []


def test_where_there_is_none(tmp_path: Path) -> None:
    none = KernelLog(KernelFiles(tmp_path))
    assert (none.readable, none.oom_kills(3)) == (False, [])
    assert log(tmp_path, "").readable
