"""Whose limit on memory is full and whom the kernel killed, on machines made of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from publisher.contract.readings import GroupKind
from publisher.ledger import WorkGroup
from publisher.ledger.accounts import MemoryLimit
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.cgroup_names import place_of
from publisher.ledger.naming.names import Name
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.ledger.usage.shortage import Killed, MemoryShortage, MemorySigns
from publisher.sources.files import KernelFiles
from publisher.sources.processes import ProcessDetails, Stat

MIB = 1 << 20
CONTAINER = f"/docker/{'ab' * 32}"
SHORT = MemorySigns(short=True, kills=0)


@dataclass
class Host:
    """A machine of our making; counts which processes are asked for their control group."""

    root: Path
    mounts: str = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    paths: dict[int, str] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    accounts: list[OpenAccount] = field(default_factory=list)
    living: dict[int, Member] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write("proc/mounts", self.mounts)
        processes = cast("ProcessDetails", self)
        self.shortage = MemoryShortage(processes, KernelFiles(self.root))

    def cgroups(self, pid: int) -> bytes:
        self.asked.append(pid)
        return f"0::{self.paths[pid]}\n".encode()

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def cgroup(self, path: str, **files: str) -> None:
        for name, content in files.items():
            self.write(f"sys/fs/cgroup{path}/memory.{name}", f"{content}\n")

    def limit(self, path: str, limit: int, used: int, *, hits: int = 0, stalled: int = 0) -> None:
        """A limit in MiB, what of it is used, and what it made wait, in milliseconds."""
        pressure = f"some avg10=0 total={stalled * 1000}\nfull avg10=0 total=0"
        size, use = str(limit * MIB), str(used * MIB)
        self.cgroup(path, max=size, high="max", current=use, pressure=pressure)
        self.events(path, reached=hits)

    def events(self, path: str, *, kills: int = 0, full: int = 0, reached: int = 0) -> None:
        self.cgroup(path, events=f"max {reached}\noom {full}\noom_kill {kills}")

    def start(
        self, pid: int, path: str, size: int, label: str = "", *, program: str = "python3"
    ) -> Member:
        """A process that holds so many MiB; of a container or unit by its path, else of a job."""
        place = place_of(path)
        key = place.identity if place else label
        account = next((one for one in self.accounts if one.group.key == key), None)
        if account is None:
            kind = place.kind if place else GroupKind.JOB
            group = WorkGroup(key, kind, label or (place.label if place else ""))
            account = OpenAccount(group, Name(program, label=label), place)
            self.accounts.append(account)
        process: Member = Process(
            Stat(pid, program.encode(), b"S", 1, pid, pid, 0, 0, 0, 1, 1, size * MIB), pid, 0
        )
        process.membership = GroupMembership(account, None, False, True, program)
        account.join(process)
        self.paths[pid], self.living[pid] = path, process
        return process

    def end(self, process: Member) -> None:
        process.membership.account.leave(process)
        del self.living[process.pid]
        self.shortage.died(process)

    def window(self, signs: MemorySigns) -> list[Killed]:
        """One window; who was killed."""
        self.shortage.turn_page()
        self.shortage.read(signs, self.accounts, self.living, 2.0)
        return list(self.shortage.kills)

    def limits(self) -> dict[str, MemoryLimit]:
        return {account.group.label: limit for account, limit in self.shortage.limits.items()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def one(kills: list[Killed]) -> tuple[str | None, str, bool, int | None, str, bool]:
    """Group, program, by a limit, that limit in MiB, whose it is, and whether that is sure."""
    (kill,) = kills
    label = kill.account.group.label if kill.account else None
    size = kill.limit.limit_bytes // MIB if kill.limit else None
    shared = kill.limit.shared if kill.limit else ""
    return label, kill.program, kill.limited, size, shared, kill.sure


def test_at_rest_nothing_is_read(host: Host) -> None:
    host.start(7, CONTAINER, 900, "immich")
    host.limit(CONTAINER, 1000, 999)
    host.shortage.open(MemorySigns(kills=0))
    assert host.window(MemorySigns(kills=0)) == []
    assert (host.asked, host.limits()) == ([], {})


def test_a_container_that_waits_at_its_own_limit(host: Host) -> None:
    host.start(7, CONTAINER, 900, "immich")
    host.start(8, "/user.slice/user-1000.slice/session-1.scope", 5000, "editor")
    host.limit(CONTAINER, 1000, 999, stalled=100)
    host.window(SHORT)
    assert not host.limits()["immich"].strained, "how much it waits takes two looks"
    host.limit(CONTAINER, 1000, 999, stalled=900)
    host.window(SHORT)
    assert host.limits() == {
        "immich": MemoryLimit(limit_bytes=1000 * MIB, used_bytes=999 * MIB, strained=True)
    }


def test_a_cache_that_fills_a_limit_is_no_strain(host: Host) -> None:
    host.start(7, CONTAINER, 100, "immich")
    for stalled in (100, 120):
        host.limit(CONTAINER, 1000, 999, stalled=stalled)
        host.window(SHORT)
    assert not host.limits()["immich"].strained


@pytest.mark.parametrize(
    ("path", "limited", "whose"),
    [
        ("/user.slice/user-1000.slice/session-1.scope", "/user.slice/user-1000.slice", "user 1000"),
        ("/work.slice/work-a.slice/x", "/work.slice", "work.slice"),
        (
            "/user.slice/user-1000.slice/run-u7.scope",
            "/user.slice/user-1000.slice/run-u7.scope",
            "",
        ),
    ],
)
def test_the_limit_above_counts_and_is_told_whose_it_is(
    host: Host, path: str, limited: str, whose: str
) -> None:
    host.start(7, path, 900, "leak.py")
    host.limit(limited, 1000, 999)
    host.limit("/user.slice", 90_000, 999)
    host.window(SHORT)
    assert (host.limits()["leak.py"].limit_bytes, host.limits()["leak.py"].shared) == (
        1000 * MIB,
        whose,
    )


def test_a_pod_shares_its_limit(host: Host) -> None:
    pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice"
    host.start(7, f"{pod}/cri-containerd-{'cd' * 32}.scope", 900, "web")
    host.limit(pod, 1000, 990)
    host.window(SHORT)
    assert host.limits()["web"].shared == "the pod"


def test_old_kills_are_nobodys_fault(host: Host) -> None:
    host.events("/system.slice/a.service", kills=5, full=5)
    host.shortage.open(MemorySigns(kills=5))
    assert host.window(MemorySigns(kills=5)) == []


def test_the_counters_tell_who_was_killed_at_its_limit(host: Host) -> None:
    """As without the right to read the kernel's log."""
    host.start(6, CONTAINER, 20, "immich", program="sh")
    victim = host.start(7, CONTAINER, 900, "immich")
    bystander = host.start(9, "/system.slice/a.service", 3000, "a")
    host.events("/system.slice/a.service", kills=5, full=5)
    host.limit(CONTAINER, 1000, 999)
    host.shortage.open(MemorySigns(kills=5))
    host.end(victim)
    host.end(bystander)  # by itself
    host.events(CONTAINER, kills=1, full=1)
    host.events("/docker", kills=1, full=1)
    kills = host.window(MemorySigns(kills=6))
    assert one(kills) == ("immich", "python3", True, 1000, "", True)
    assert host.window(MemorySigns(kills=6)) == []


def test_a_kill_for_the_machine_is_no_limits(host: Host) -> None:
    victim = host.start(7, CONTAINER, 900, "immich")
    host.limit(CONTAINER, 5000, 999)
    host.shortage.open(MemorySigns(kills=0))
    host.end(victim)
    host.events(CONTAINER, kills=1)
    kills = host.window(MemorySigns(kills=1))
    assert one(kills) == ("immich", "python3", False, None, "", True)
    assert kills[0].held_bytes == 900 * MIB


def test_a_container_that_is_gone_with_its_victim(host: Host) -> None:
    victim = host.start(7, CONTAINER, 990, "immich")
    host.limit(CONTAINER, 1000, 990)
    host.cgroup("/docker", events="max 0\noom 0\noom_kill 0")
    host.shortage.open(MemorySigns(kills=0))
    host.window(SHORT)
    host.end(victim)
    for path in (host.root / f"sys/fs/cgroup{CONTAINER}").iterdir():
        path.unlink()
    (host.root / f"sys/fs/cgroup{CONTAINER}").rmdir()
    host.events("/docker", kills=1, full=1)
    label, program, limited, *_ = one(host.window(MemorySigns(kills=1)))
    assert (label, program, limited) == ("immich", "python3", True)


def test_who_is_about_to_end_is_waited_for(host: Host) -> None:
    victim = host.start(7, "/user.slice/user-1000.slice/session-1.scope", 990, "leak.py")
    host.shortage.open(MemorySigns(kills=0))
    assert host.window(MemorySigns(kills=1)) == []
    assert host.shortage.waiting
    host.end(victim)
    assert one(host.window(MemorySigns(kills=1))) == ("leak.py", "python3", False, None, "", False)
    assert not host.shortage.waiting


def test_a_small_one_that_ended_is_not_taken_for_the_victim(host: Host) -> None:
    """As in a container of our own: whom the kernel killed outside, we cannot see."""
    host.shortage.open(MemorySigns(kills=0))
    host.start(8, "/x", 900, "java")
    host.end(host.start(7, "/x", 200, "convert"))
    assert one(host.window(MemorySigns(kills=1))) == (None, "", False, None, "", True)


def test_where_nothing_tells_nobody_is_accused(host: Host) -> None:
    small = host.start(7, "/x", 2, "true")
    host.shortage.open(MemorySigns(kills=0))
    host.end(small)
    assert host.window(MemorySigns(kills=1)) == []
    assert one(host.window(MemorySigns(kills=1))) == (None, "", False, None, "", True)


LOGGED = """\
4,1,1,-;x invoked oom-killer: gfp_mask=0xcc0
6,2,1,-;memory: usage 1536000kB, limit 1536000kB, failcnt 31
6,3,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg={0},task_memcg={0},\
task=python3,pid=7,uid=0
3,4,1,-;Memory cgroup out of memory: Killed process 7 (python3) total-vm:9kB, \
anon-rss:1500000kB, file-rss:0kB, shmem-rss:0kB
"""


def test_the_kernels_log_names_one_that_still_ends(host: Host) -> None:
    host.shortage.open(MemorySigns(kills=0))
    host.start(7, "/user.slice/session-1.scope", 200, "leak.py")
    host.write("dev/kmsg", LOGGED.format("/user.slice/session-1.scope"))
    kills = host.window(MemorySigns(kills=1))
    assert one(kills) == ("leak.py", "python3", True, 1500, "", True)
    assert kills[0].held_bytes == 1_500_000 * 1024


@pytest.mark.parametrize(
    ("path", "label"), [("/system.slice/photo.service", "photo"), ("/fwtest", "python")]
)
def test_who_lived_between_two_looks_goes_by_its_place_or_program(
    host: Host, path: str, label: str
) -> None:
    host.shortage.open(MemorySigns(kills=0))
    host.write("dev/kmsg", LOGGED.format(path))
    assert one(host.window(MemorySigns(kills=1))) == (label, "python", True, 1500, "", True)


def test_version_1_tells_who_was_full(tmp_path: Path) -> None:
    host = Host(tmp_path, mounts="cgroup /sys/fs/cgroup cgroup rw,memory 0 0\n")
    host.shortage.open(MemorySigns(kills=0))
    victim = host.start(7, "/somewhere", 95, "leak.py")
    host.end(victim)
    host.cgroup("/fwtest", oom_control="oom_kill_disable 0\noom_kill 1",
                limit_in_bytes=str(100 * MIB), max_usage_in_bytes=str(100 * MIB),
                usage_in_bytes="4096")  # fmt: skip
    assert one(host.window(MemorySigns(kills=1))) == ("leak.py", "python3", True, 100, "", True)


def test_only_the_large_are_remembered(host: Host, member: Callable[..., Member]) -> None:
    """Thousands of compilers come and go."""
    host.shortage.open(MemorySigns(kills=0))
    for pid in range(100, 300):
        host.end(host.start(pid, "/x", 50 + pid, "make"))
    kills = host.window(MemorySigns(kills=1))
    assert kills[0].held_bytes == (50 + 299) * MIB
