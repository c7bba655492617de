"""Rankings of work groups, as the subsystems publish them."""

from __future__ import annotations

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification
from publisher.ledger import Account, Balance, Clues, WorkGroup
from publisher.ledger.consumers import TOP_LENGTH, top, with_top
from publisher.subsystems.memory import MemoryReading


def account(label: str, **facts: float) -> Account:
    group = WorkGroup(label, GroupKind.JOB, label, own=label == "fanwhy")
    cpu_seconds = facts.pop("cpu_seconds", 0.0)
    return Account(group=group, clues=Clues(), cpu_seconds=cpu_seconds, **facts)  # type: ignore[arg-type]


def balance(*accounts: Account) -> Balance:
    return Balance(window_seconds=2.0, cores=4, busy_seconds=8.0, accounts=accounts)


@pytest.mark.parametrize(
    ("by", "enough", "too_little"),
    [
        ("cpu_percent", {"cpu_seconds": 0.02}, {"cpu_seconds": 0.019}),
        ("memory_bytes", {"memory_bytes": 32 << 20}, {"memory_bytes": 31 << 20}),
        (
            "disk_bytes_per_second",
            {"disk_read_bytes_per_second": 32 << 10, "disk_write_bytes_per_second": 32 << 10},
            {"disk_read_bytes_per_second": 63 << 10},
        ),
        (
            "network_bytes_per_second",
            {"network_receive_bytes_per_second": 64 << 10},
            {"network_transmit_bytes_per_second": 63 << 10},
        ),
        ("gpu_percent", {"gpu_percent": 1.0}, {"gpu_percent": 0.9}),
    ],
)
def test_a_place_takes_some_use(
    by: str, enough: dict[str, float], too_little: dict[str, float]
) -> None:
    books = balance(account("a", **enough), account("b", **too_little), account("c"))
    assert [one.label for one in top(books, by)] == ["a"]


def test_the_greatest_stand_first_and_fanwhy_nowhere() -> None:
    many = [account(f"job {n}", cpu_seconds=n / 10) for n in range(1, 9)]
    ranked = top(balance(*many, account("fanwhy", cpu_seconds=2)), "cpu_percent")
    assert [one.label for one in ranked] == ["job 8", "job 7", "job 6", "job 5", "job 4"]
    assert len(ranked) == TOP_LENGTH
    assert ranked[0].cpu_percent == pytest.approx(40)


def test_equals_keep_the_order_of_the_books() -> None:
    pair = (account("a", cpu_seconds=1), account("b", cpu_seconds=1))
    assert [one.label for one in top(balance(*pair), "cpu_percent")] == ["a", "b"]


def test_a_reading_gets_its_ranking_once_the_books_are_open() -> None:
    reading, books = MemoryReading(used_percent=50.0), balance(account("a", memory_bytes=1 << 30))
    ranked = with_top(reading, books, "memory_bytes")
    assert isinstance(ranked, MemoryReading)
    assert [one.label for one in ranked.top or ()] == ["a"]
    assert ranked.used_percent == 50.0
    (one,) = ranked.top or ()
    assert one.category is None, "nobody says what kind of work it is"
    assert with_top(reading, None, "memory_bytes") is reading
    assert with_top(reading, books, None) is reading


def test_who_knows_the_kind_of_work_says_it() -> None:
    def classify(account: Account) -> Classification:
        return Classification("backup", "restic backup", 0.9, "restic", "")

    books = balance(
        account(
            "restic.service",
            network_receive_bytes_per_second=1e6,
            network_transmit_bytes_per_second=2e6,
            pid=4711,
        )
    )
    (one,) = top(books, "network_bytes_per_second", classify)
    assert (one.label, one.group) == ("restic backup", "restic.service")
    assert (one.category, one.confidence, one.pid) == ("backup", 0.9, 4711)
    assert one.network_receive_bytes_per_second == 1e6
    assert one.network_transmit_bytes_per_second == 2e6
