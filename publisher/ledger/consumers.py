"""Who uses most of a resource: accounts, ranked as the subsystems publish them."""

from __future__ import annotations

import dataclasses

from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339
from publisher.contract.readings import ConsumerReading
from publisher.ledger.accounts import Account, Balance

TOP_LENGTH = 5
# What a group must use to be worth a place in a ranking.
_LEAST = {
    "cpu_percent": 1.0,
    "memory_bytes": 32 << 20,
    "disk_bytes_per_second": 64 << 10,
    "network_bytes_per_second": 64 << 10,
    "gpu_percent": 1.0,
}


def with_top(reading: Reading, balance: Balance | None, by: str | None) -> Reading:
    """The reading with its ranking of work groups, where it has one and the books are open."""
    if by is None or balance is None or not hasattr(reading, "top"):
        return reading
    return dataclasses.replace(reading, top=top(balance, by))  # type: ignore[type-var]


def top(balance: Balance, by: str) -> tuple[ConsumerReading, ...]:
    """The groups that use most of a resource, fanwhy left out, the greatest first."""
    least = _LEAST[by]
    ranked = sorted(
        (
            (amount, account)
            for account in balance.accounts
            if not account.group.own and (amount := _amount(account, balance, by)) >= least
        ),
        key=lambda pair: -pair[0],
    )
    return tuple(consumer(account, balance) for _, account in ranked[:TOP_LENGTH])


def consumer(account: Account, balance: Balance) -> ConsumerReading:
    """One account as it is published."""
    return ConsumerReading(
        label=account.group.label,
        kind=str(account.group.kind),
        cpu_percent=balance.percent(account.cpu_seconds),
        memory_bytes=account.memory_bytes,
        disk_read_bytes_per_second=account.disk_read_bytes_per_second,
        disk_write_bytes_per_second=account.disk_write_bytes_per_second,
        gpu_percent=account.gpu_percent,
        gpu_memory_bytes=account.gpu_memory_bytes,
        process_count=account.process_count,
        since=None if account.since is None else rfc3339(account.since),
    )


def _amount(account: Account, balance: Balance, by: str) -> float:
    match by:
        case "cpu_percent":
            return balance.percent(account.cpu_seconds)
        case "disk_bytes_per_second":
            return _both(account.disk_read_bytes_per_second, account.disk_write_bytes_per_second)
        case "network_bytes_per_second":
            return _both(
                account.network_receive_bytes_per_second, account.network_transmit_bytes_per_second
            )
        case _:
            return getattr(account, by) or 0


def _both(one: float | None, other: float | None) -> float:
    return (one or 0) + (other or 0)
