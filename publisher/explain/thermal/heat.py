"""Heat accounts: why a fan still runs after the work is over.

Every work group has a heat account: the power that it took, fading with the machine's own time
constant. While the machine cools down, the groups with the most heat left are to blame.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from publisher.explain.thermal.power_model import PowerModel
from publisher.ledger.accounts import Account, Balance

_LEAST_HEAT: Final = 0.2
_MOST_ACCOUNTS: Final = 24


@dataclass(slots=True)
class _HeatAccount:
    account: Account
    level: float = 0.0


class HeatAccounts:
    """The heat that each work group left in the machine, in watts."""

    def __init__(self) -> None:
        self._all: dict[str, _HeatAccount] = {}

    def observe(
        self, balance: Balance, power: PowerModel, *, seconds: float, time_constant: float
    ) -> None:
        """Takes one window into account.

        Args:
            balance: who used what in it.
            power: how much power that took.
            seconds: length of the window.
            time_constant: in how many seconds heat fades to 37 %.
        """
        kept = exp(-seconds / time_constant)
        for known in self._all.values():
            known.level *= kept
        for account in balance.accounts:
            watts = power.watts(account, balance.window_seconds)
            if watts < _LEAST_HEAT or account.group.own:
                continue
            heat = self._all.get(account.group.key)
            if heat is None:
                heat = self._all[account.group.key] = _HeatAccount(account)
            heat.account = account
            heat.level += watts * (1 - kept)
        if self._all:
            self._forget()

    def _forget(self) -> None:
        ranked = sorted(self._all, key=lambda key: -self._all[key].level)
        for place, key in enumerate(ranked):
            if place >= _MOST_ACCOUNTS or self._all[key].level < _LEAST_HEAT / 4:
                del self._all[key]

    def ranked(self, share: float) -> list[Account]:
        """The groups that left at least ``share`` of all heat, the hottest first."""
        total = sum(heat.level for heat in self._all.values())
        hot = [heat for heat in self._all.values() if total and heat.level >= share * total]
        return [heat.account for heat in sorted(hot, key=lambda heat: -heat.level)]

    def level(self, key: str) -> float:
        """The heat that a group left, by its key; 0 when it is long gone."""
        heat = self._all.get(key)
        return heat.level if heat else 0.0
