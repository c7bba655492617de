"""Rankings: the work groups that use most of a resource, as the subsystems publish them.

What kind of work they do is for others to say: the ledger asks a callable that it is handed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339
from publisher.contract.readings import ConsumerReading
from publisher.ledger.accounts import Account, Balance

TOP_LENGTH: Final = 5
"""Groups in a ranking, at most."""


class Kind(Protocol):
    """What kind of work a group does, as far as a ranking tells it."""

    @property
    def category(self) -> str:
        """One of ``CATEGORIES``."""

    @property
    def told(self) -> str:
        """What a person calls it."""

    @property
    def confidence(self) -> float:
        """How sure both are, from 0 to 1."""


Classify = Callable[[Account], Kind]


class _Ranking(NamedTuple):
    """By what groups are ranked.

    Attributes:
        amount: what a group uses of the resource; 0 where this is not known.
        least: what it must use to be worth a place.
    """

    amount: Callable[[Account, Balance], float]
    least: float


_RANKINGS: Final = {
    "cpu_percent": _Ranking(
        lambda account, balance: balance.percent(account.cpu_seconds), least=1.0
    ),
    "memory_bytes": _Ranking(lambda account, _: account.memory_bytes or 0, least=32 << 20),
    "disk_bytes_per_second": _Ranking(
        lambda account, _: account.disk_bytes_per_second or 0, least=64 << 10
    ),
    "network_bytes_per_second": _Ranking(
        lambda account, _: account.network_bytes_per_second or 0, least=64 << 10
    ),
    "gpu_percent": _Ranking(lambda account, _: account.gpu_percent or 0, least=1.0),
}


def with_top(
    reading: Reading, balance: Balance | None, by: str | None, classify: Classify | None = None
) -> Reading:
    """The reading with its ranking of work groups, where it has one and the books are open.

    Args:
        reading: of a subsystem.
        balance: of the same moment; ``None`` while the books are not open yet.
        by: what its subsystem ranks by, a key of ``top``; ``None`` where it ranks nothing.
        classify: tells what kind of work a group does, if anyone does.
    """
    if by is None or balance is None or not hasattr(reading, "top"):
        return reading
    return dataclasses.replace(reading, top=top(balance, by, classify))  # type: ignore[type-var]


def top(balance: Balance, by: str, classify: Classify | None = None) -> tuple[ConsumerReading, ...]:
    """The groups that use most of a resource, the greatest first; fanwhy is left out.

    Args:
        balance: the accounts to rank.
        by: ``cpu_percent``, ``memory_bytes``, ``disk_bytes_per_second``,
            ``network_bytes_per_second`` or ``gpu_percent``.
        classify: tells what kind of work a group does, if anyone does.
    """
    amount_of, least = _RANKINGS[by]
    amounts = (
        (amount_of(account, balance), account)
        for account in balance.accounts
        if not account.group.own
    )
    ranked = sorted((pair for pair in amounts if pair[0] >= least), key=_amount, reverse=True)
    return tuple(
        _consumer(account, balance, classify(account) if classify else None)
        for _, account in ranked[:TOP_LENGTH]
    )


def _consumer(account: Account, balance: Balance, kind: Kind | None) -> ConsumerReading:
    """One account as it is published."""
    return ConsumerReading(
        label=kind.told if kind else account.group.label,
        group=account.group.label,
        category=kind.category if kind else None,
        kind=str(account.group.kind),
        cpu_percent=balance.percent(account.cpu_seconds),
        memory_bytes=account.memory_bytes,
        disk_read_bytes_per_second=account.disk_read_bytes_per_second,
        disk_write_bytes_per_second=account.disk_write_bytes_per_second,
        network_receive_bytes_per_second=account.network_receive_bytes_per_second,
        network_transmit_bytes_per_second=account.network_transmit_bytes_per_second,
        gpu_percent=account.gpu_percent,
        gpu_memory_bytes=account.gpu_memory_bytes,
        process_count=account.process_count,
        since=None if account.since is None else rfc3339(account.since),
        confidence=kind.confidence if kind else None,
        pid=account.pid,
    )


def _amount(pair: tuple[float, Account]) -> float:
    return pair[0]
