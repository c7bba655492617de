"""Who has written the most to disks lately: the one to ask when a file system fills up."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import Final

from publisher.explain.window import Window
from publisher.ledger.accounts import Account

_LATELY_SECONDS: Final = 300.0
_LEAST_RATE: Final = 500_000.0  # bytes a second: below that nobody fills a disk
_LEAST_WRITTEN: Final = 200_000_000.0
_CLEAR: Final = 0.6
"""Part of all that was written from which on it is clear."""
_NOTHING: Final = 1_000_000.0


@dataclass(slots=True)
class Writers:
    """What groups wrote, which counts less the longer ago it was."""

    _written: dict[str, float] = field(default_factory=dict)
    _accounts: dict[str, Account] = field(default_factory=dict)

    def observe(self, window: Window) -> None:
        """Takes one window into account."""
        if self._written:
            fade = exp(-window.seconds / _LATELY_SECONDS)
            self._written = {
                key: left
                for key, written in self._written.items()
                if (left := written * fade) >= _NOTHING
            }
            self._accounts = {key: self._accounts[key] for key in self._written}
        for account in window.balance.accounts:
            rate = account.disk_write_bytes_per_second or 0.0
            if rate >= _LEAST_RATE and not account.group.own:
                key = account.group.key
                self._written[key] = self._written.get(key, 0.0) + rate * window.seconds
                self._accounts[key] = account

    @property
    def greatest(self) -> Account | None:
        """Who clearly wrote the most; ``None`` where nobody did."""
        key = max(self._written, key=self._written.__getitem__, default=None)
        if key is None or self._written[key] < _LEAST_WRITTEN:
            return None
        return (
            self._accounts[key]
            if self._written[key] >= _CLEAR * sum(self._written.values())
            else None
        )
