"""One balance for several windows in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from publisher.ledger.accounts import Account, Balance

_RATES = (
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
    "network_receive_bytes_per_second",
    "network_transmit_bytes_per_second",
)


def merged(balances: Sequence[Balance]) -> Balance:
    """What was used in all of them together; what is held, as the last one tells it.

    Args:
        balances: in the order of time, at least one.
    """
    length = sum(balance.window_seconds for balance in balances)
    accounts: dict[str, Account] = {}
    for balance in balances:
        share = balance.window_seconds / length if length else 1.0
        for account in balance.accounts:
            key = account.group.key
            scaled = _scaled(account, share)
            accounts[key] = _sum(accounts[key], scaled) if key in accounts else scaled
    # Numbers are used again: those of a group that the last window does not show are of nobody.
    for key in accounts.keys() - {account.group.key for account in balances[-1].accounts}:
        accounts[key] = replace(accounts[key], pid=None, pids=(), process_group=None)
    return Balance(
        window_seconds=length,
        cores=balances[-1].cores,
        busy_seconds=sum(balance.busy_seconds for balance in balances),
        accounts=tuple(sorted(accounts.values(), key=_cpu, reverse=True)),
        unattributed_seconds=sum(balance.unattributed_seconds for balance in balances),
        irq_seconds=sum(balance.irq_seconds for balance in balances),
        steal_seconds=sum(balance.steal_seconds for balance in balances),
        guest_seconds=sum(balance.guest_seconds for balance in balances),
        memory_kill_awaited=balances[-1].memory_kill_awaited,
        memory_kills=tuple(kill for balance in balances for kill in balance.memory_kills),
    )


def _cpu(account: Account) -> float:
    return account.cpu_seconds


def _scaled(account: Account, share: float) -> Account:
    rates = {name: getattr(account, name) for name in _RATES}
    known: dict[str, Any] = {name: rate * share for name, rate in rates.items() if rate is not None}
    return replace(account, **known)


def _sum(before: Account, after: Account) -> Account:
    totals: dict[str, Any] = {}
    for name in (*_RATES, "wait_seconds"):
        values = [v for v in (getattr(before, name), getattr(after, name)) if v is not None]
        totals[name] = sum(values) if values else None
    return replace(
        after,
        cpu_seconds=before.cpu_seconds + after.cpu_seconds,
        short_lived_seconds=before.short_lived_seconds + after.short_lived_seconds,
        since=after.since if after.since is not None else before.since,
        **totals,
    )
