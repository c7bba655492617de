"""Whose the orphans are, by the kernel's events of forks and exits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from publisher.errors import AbsentError, SourceError
from publisher.ledger.cpu.lineage import Lineage
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.proc_connector import Exit, Fork


class Tape:
    """Events of the kernel, window by window."""

    def __init__(self, *windows: list[Fork | Exit]) -> None:
        self.windows = list(windows)
        self.lost = False

    def events(self) -> list[Fork | Exit]:
        return self.windows.pop(0)

    def close(self) -> None:
        pass


def test_orphans_are_traced_to_who_began_their_line(
    opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    job, shell = opened("job"), opened("bash")
    table = {10: member(10, job), 20: member(20, shell, spawner=True)}
    lineage = Lineage(
        "exact",
        lambda: Tape(
            [
                Fork(10, 11, 1000),  # the job makes a child
                Fork(11, 12, 2000),  # which makes a grandchild
                Exit(11, 2500),  # and leaves it alone
                Fork(12, 13, 2600),
                Exit(13, 2700),  # waited for by its parent, who lives
                Exit(12, 9000),
                Fork(20, 21, 100),  # what a shell starts is nobody's but its own
                Exit(21, 900),
            ]
        ),
    )
    lineage.listen(table)
    assert lineage.lives == Counter({job: 7001})
    assert lineage.owner(13) is job
    assert lineage.owner(21) is None
    lineage.forget({job})
    assert lineage.owner(13) is None


def test_the_child_of_a_prompt_inherits_nothing_from_who_had_its_number(
    opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    job, shell = opened("job"), opened("bash")
    table = {10: member(10, job), 20: member(20, shell, spawner=True)}
    lineage = Lineage("exact", lambda: Tape([Fork(10, 11, 1), Exit(11, 2), Fork(20, 11, 3)]))
    lineage.listen(table)
    assert lineage.owner(11) is None


def test_when_events_were_lost_only_those_who_live_are_remembered(
    opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    job = opened("job")
    table = {10: member(10, job)}
    tape = Tape([Fork(10, pid, 1) for pid in range(1000, 3000)], [], [])
    lineage = Lineage("exact", lambda: tape)
    lineage.listen(table)
    tape.lost = True
    assert lineage.owner(2999) is job
    table[1500] = member(1500, job)  # the books found it after that window
    lineage.listen(table)
    assert lineage.owner(1500) is job
    assert lineage.owner(2999) is None
    assert [pid for pid in range(1000, 3000) if lineage.owner(pid)] == [1500]
    assert not tape.lost


@pytest.mark.parametrize(
    ("problem", "times"), [(SourceError("no memory"), 2), (AbsentError("no such thing"), 1)]
)
def test_what_cannot_be_heard_now_is_tried_again(problem: SourceError, times: int) -> None:
    tried = []

    def connect() -> Tape:
        tried.append(1)
        raise problem

    lineage = Lineage("auto", connect)
    for _ in range(40):
        lineage.judge(50, 100)
    assert len(tried) == times
    assert lineage.problem is problem
