"""Owners for what no process was seen to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, cast

from publisher.ledger.cpu.attribution import GroupAttribution
from publisher.ledger.groups import Groups
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessSource


class Kernel:
    """Without cgroups, and all ignore SIGCHLD."""

    counters: ClassVar[dict[str, Any]] = {}

    def cpu_usage(self, _: str) -> None:
        return None

    def ignores_children(self, _: int) -> bool:
        return True


def attribution() -> GroupAttribution:
    kernel = Kernel()
    return GroupAttribution(
        cast("Groups", kernel), cast("Cgroups", kernel), cast("ProcessSource", kernel)
    )


def seen(books: GroupAttribution, process: Member, nanoseconds: int) -> None:
    """A new process that worked; what it is booked is taken off its account again."""
    process.fresh = True
    books.book(process, nanoseconds)
    process.membership.account.cpu_ns -= nanoseconds


def test_a_closed_group_is_owed_nothing(
    opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    books = attribution()
    init = member(1, opened("init"), spawner=True)
    init.reaper = True
    closed, alive = opened("closed"), opened("alive")
    seen(books, member(10, closed, parent=init), 10**9)
    seen(books, member(11, alive, parent=init), 10**6)
    books.forget({closed})
    books.book_unseen(init, 500_000_000, {})
    assert books.close_window(500_000_000, 50_000_000, Counter()) == 500_000_000
    assert (closed.cpu_ns, alive.cpu_ns) == (0, 500_000_000)


def test_windows_in_which_no_child_of_an_ignorer_was_seen(
    opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    books = attribution()
    job = opened("job")
    parent = member(9, job)

    def window(gap: int) -> int:
        job.previous_ns, job.cpu_ns = job.cpu_ns, 0
        return books.close_window(gap, 50_000_000, Counter())

    seen(books, member(10, job, parent=parent), 10**6)
    assert window(10**9) == 10**9
    assert window(10**9) == 10**9, "as much as in the window before"
    assert window(4 * 10**9) == 10**9, "and no more"
    parent.alive = False
    assert window(10**9) == 10**9, "it ended in this one"
    assert window(10**9) == 0
