"""One balance for several windows."""

from __future__ import annotations

import pytest

from publisher.contract.readings import GroupKind
from publisher.ledger import Account, Balance, Clues, WorkGroup
from publisher.ledger.merge import merged


def account(label: str, **facts: float) -> Account:
    return Account(group=WorkGroup(label, GroupKind.JOB, label), clues=Clues(), **facts)  # type: ignore[arg-type]


def test_windows_add_up() -> None:
    first = Balance(
        window_seconds=2, cores=4, busy_seconds=3, unattributed_seconds=1,
        accounts=(account("a", cpu_seconds=2, disk_read_bytes_per_second=100, wait_seconds=0.5),),
    )  # fmt: skip
    second = Balance(
        window_seconds=1, cores=4, busy_seconds=4,
        accounts=(
            account("b", cpu_seconds=3, memory_bytes=9),
            account("a", cpu_seconds=1, disk_read_bytes_per_second=40),
        ),
    )  # fmt: skip
    whole = merged([first, second])
    assert whole.window_seconds == 3
    assert whole.busy_seconds == 7
    assert whole.named_seconds == 6
    labels = [one.group.label for one in whole.accounts]
    assert labels in (["a", "b"], ["b", "a"])
    by_label = {one.group.label: one for one in whole.accounts}
    assert by_label["a"].cpu_seconds == 3
    assert by_label["a"].disk_read_bytes_per_second == pytest.approx(80)
    assert by_label["a"].wait_seconds == 0.5
    assert by_label["b"].memory_bytes == 9
    assert by_label["b"].wait_seconds is None


def test_the_newest_processes_count() -> None:
    def window(**pids: tuple[int, ...]) -> Balance:
        accounts = tuple(
            Account(
                group=WorkGroup(label, GroupKind.JOB, label), clues=Clues(), cpu_seconds=1.0,
                pid=found[0], pids=found, process_group=found[0],
            )
            for label, found in pids.items()
        )  # fmt: skip
        return Balance(window_seconds=2, cores=4, busy_seconds=1, accounts=accounts)

    whole = merged([window(a=(1, 2), gone=(5,)), window(a=(3, 1))])
    by_label = {one.group.label: one for one in whole.accounts}
    assert (by_label["a"].pid, by_label["a"].pids) == (3, (3, 1))
    gone = by_label["gone"]
    assert (gone.pid, gone.pids, gone.process_group) == (None, (), None), "numbers are used again"
