"""The processes of a group that matter most."""

from __future__ import annotations

import pytest

from publisher.contract.readings import GroupKind
from publisher.ledger.accounts import WorkGroup
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.names import Name
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.ledger.usage.busiest import Busiest, Leading
from publisher.sources.processes import Stat


class Group:
    """A group and its processes."""

    def __init__(self, kind: GroupKind = GroupKind.JOB) -> None:
        self.account = OpenAccount(WorkGroup("k", kind, "make"), Name("make"))

    def add(self, pid: int, process_group: int = 100) -> Member:
        stat = Stat(
            pid=pid, comm=b"cc1", state=b"R", parent=1, process_group=process_group, session=1,
            flags=0, own=0, reaped=0, threads=1, start=pid, rss=0,
        )  # fmt: skip
        process: Member = Process(stat, 0, 0)
        process.membership = GroupMembership(self.account, None, False, False, "cc1")
        self.account.join(process)
        return process


@pytest.fixture
def group() -> Group:
    return Group()


def test_the_oldest_stands_for_it_and_those_who_worked_most_come_first(group: Group) -> None:
    processes = [group.add(100 + n) for n in range(8)]
    busiest = Busiest()
    busiest.read({process: process.pid for process in processes[1:]})
    assert busiest.of(group.account) == Leading(100, (107, 106, 105, 104, 103), 100)


def test_one_of_which_none_worked_has_its_oldest(group: Group) -> None:
    busiest = Busiest()
    assert busiest.of(group.account) == Leading(None, (), None)
    group.add(100)
    assert busiest.of(group.account) == Leading(100, (100,), None), "alone it leads nobody"


def test_the_dead_are_not_told(group: Group) -> None:
    first, second = group.add(100), group.add(101)
    busiest = Busiest()
    busiest.read({first: 5, second: 9})
    second.alive = False
    group.account.leave(second)
    assert busiest.of(group.account) == Leading(100, (100,), None)


def test_a_process_group_counts_where_the_oldest_leads_and_all_are_in_it(group: Group) -> None:
    busiest = Busiest()
    first, second = group.add(100), group.add(101)
    busiest.read({first: 5, second: 9})
    assert busiest.of(group.account).process_group == 100
    third = group.add(102, process_group=102)
    busiest.read({second: 9, third: 3})
    assert busiest.of(group.account).process_group is None


def test_one_that_another_leads_has_no_process_group_of_its_own(group: Group) -> None:
    group.add(101, process_group=100)
    group.add(102, process_group=100)
    busiest = Busiest()
    assert busiest.of(group.account).process_group is None


def test_a_program_that_others_run_too_is_told_by_the_family_that_works() -> None:
    group = Group(GroupKind.PROGRAM)
    stranger, first, second = (group.add(pid, process_group=pid) for pid in (100, 200, 300))
    second.parent = first
    busiest = Busiest()
    busiest.read({second: 9})
    assert busiest.of(group.account) == Leading(200, (300,), None)
    busiest.read({second: 9, stranger: 3})
    assert busiest.of(group.account).main == 100, "it works as well, and is the oldest"
    busiest.read({})
    assert busiest.of(group.account).main == 100
