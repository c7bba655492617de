"""Who waits for a disk: found when the kernel counts some, and not looked for otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from publisher.ledger.cpu.process import Process
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.ledger.usage.waiting import Blocked
from publisher.sources.processes import PF_KTHREAD, ProcessSource, Stat


def line(pid: int, state: bytes, *, start: int = 1, flags: int = 0) -> Stat:
    return Stat(pid, b"scan", state, 1, pid, pid, flags, 0, 0, 1, start, 4096)


@dataclass
class Table:
    """Processes of our making; counts how often it is asked."""

    opened: Callable[[str], OpenAccount]
    stats: dict[int, Stat] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    accounts: dict[str, OpenAccount] = field(default_factory=dict)

    def stat(self, pid: int) -> Stat | None:
        self.asked.append(pid)
        return self.stats.get(pid)

    def add(self, pid: int, state: bytes, group: str, *, flags: int = 0) -> Member:
        self.stats[pid] = line(pid, state, flags=flags)
        process: Member = Process(self.stats[pid], pid, 0)
        account = self.accounts.setdefault(group, self.opened(group))
        process.membership = GroupMembership(account, None, False, described=True, program=group)
        return process


@pytest.fixture
def table(opened: Callable[[str], OpenAccount]) -> Table:
    return Table(opened)


@pytest.fixture
def blocked(table: Table) -> Blocked:
    return Blocked(cast("ProcessSource", table))


def test_nobody_is_asked_while_nobody_waits(table: Table, blocked: Blocked) -> None:
    blocked.look(0, [table.add(7, b"D", "scan")], [], 1)
    assert (blocked.waiting, table.asked) == ({}, [])


def test_those_who_worked_lately_are_looked_at_first(table: Table, blocked: Blocked) -> None:
    scan, idle = table.add(7, b"D", "scan"), table.add(8, b"S", "shell")
    blocked.look(1, [scan], [scan, idle], 1)
    assert (blocked.waiting, table.asked) == ({table.accounts["scan"]: 1}, [7])


def test_everybody_is_looked_at_in_vain_only_now_and_then(table: Table, blocked: Blocked) -> None:
    everybody = [table.add(pid, b"S", "sleeper") for pid in range(100, 200)]
    for window in range(1, 31):
        blocked.look(1, [], everybody, window)
    assert len(table.asked) == 100
    everybody.append(table.add(7, b"D", "scan"))
    blocked.look(1, [], everybody, 31)
    assert blocked.waiting == {table.accounts["scan"]: 1}


def test_who_was_found_is_followed_though_it_worked_long_ago(
    table: Table, blocked: Blocked
) -> None:
    scan, backup = table.add(7, b"D", "scan"), table.add(9, b"D", "backup")
    blocked.look(2, [scan], [scan, backup], 1)
    blocked.look(2, [backup], [scan, backup], 2)
    assert blocked.waiting == {table.accounts["scan"]: 1, table.accounts["backup"]: 1}
    table.stats[7] = line(7, b"R")
    blocked.look(1, [], [scan, backup], 3)
    assert blocked.waiting == {table.accounts["backup"]: 1}


def test_kernel_threads_the_dead_and_those_of_another_life_do_not_wait(
    table: Table, blocked: Blocked
) -> None:
    worker = table.add(5, b"D", "kernel", flags=PF_KTHREAD)
    dead, gone, other = (table.add(pid, b"D", "scan") for pid in (6, 7, 8))
    dead.alive = False
    del table.stats[7]
    table.stats[8] = line(8, b"D", start=2)
    blocked.look(4, [worker, dead, gone, other], [], 1)
    assert blocked.waiting == {}
