"""Enters what processes use of the GPUs into the accounts of their groups.

A GPU's driver knows pids alone; the ledger knows whose they are. A group that works on a GPU
while it hardly touches a processor gets an account too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from publisher.ledger.accounts import Account, Balance
from publisher.sources.gpu_use import GpuUse


def with_gpu(
    balance: Balance,
    users: Mapping[int, GpuUse],
    account_of: Callable[[int], Account | None],
) -> Balance:
    """The balance with the GPUs' use in it.

    Args:
        balance: of the same moment.
        users: what each process uses, by pid.
        account_of: the account of a living process's group; ``None`` for an unknown one.
    """
    if not users:
        return balance
    uses: dict[str, GpuUse] = {}
    accounts = {account.group.key: account for account in balance.accounts}
    for pid, use in users.items():
        account = account_of(pid)
        if account is None:
            continue
        key = account.group.key
        uses[key] = uses[key].plus(use) if key in uses else use
        # What the balance says of a group is of the window; what is asked now is not.
        accounts.setdefault(key, account)
    for key, use in uses.items():
        accounts[key] = replace(
            accounts[key],
            gpu_percent=use.percent,
            gpu_memory_bytes=use.memory_bytes,
            gpu_power_watts=use.power_watts,
        )
    return replace(balance, accounts=tuple(accounts.values()))
