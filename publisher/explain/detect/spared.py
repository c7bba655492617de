"""What the user does not want to hear of: work that is never blamed, or only from so much on.

Such work neither counts as a load nor has a name in the verdict; what was measured stays as it is.
Memory alone is counted: that a machine runs out of it is told whoever holds it, though not by name.
A suspected miner and what poses as another program are never spared, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Final

from publisher.config.patterns import Pattern
from publisher.contract.readings import EvidenceReading
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.naming.classifier import Classification
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Balance

# How long an answer holds: what works in a group changes all the time.
_KNOWN_SECONDS: Final = 10.0
_MOST_KNOWN: Final = 256
# Spared work of so many cores keeps a machine from being at rest.
_AT_WORK_CORES: Final = 0.1


class Spared:
    """The work that is not blamed.

    Args:
        settings: which that is.
        classify: tells what kind of work an account's group does.
    """

    def __init__(
        self, settings: ExplainSettings, classify: Callable[[Account], Classification]
    ) -> None:
        self._settings = settings
        self._classify = classify
        self._limits = [(Pattern(text), inf) for text in settings.never_blame]
        self._limits += [
            (Pattern(text), percent) for text, percent in settings.blame_above_percent.items()
        ]
        self._known: dict[str, tuple[float, float]] = {}
        self._now = 0.0

    def never(self, account: Account) -> bool:
        """Whether a group is not to be blamed for anything."""
        return bool(self._limits) and self._limit(account) == inf

    def without(self, window: Window) -> Window:
        """A window as if the work that is spared had not been done."""
        self._now = window.now
        if not self._limits:
            return window
        kept = tuple(self._blamable(account, window) for account in window.balance.accounts)
        pairs = list(zip(window.balance.accounts, kept, strict=True))
        if all(before is after for before, after in pairs):
            return window
        seconds = sum(before.cpu_seconds - after.cpu_seconds for before, after in pairs)
        busy = max(window.balance.busy_seconds - seconds, 0.0)
        balance = replace(window.balance, accounts=kept, busy_seconds=busy)
        return replace(window, balance=balance, evidence=_felt(window, balance))

    def others(self, felt: Window) -> Balance:
        """The balance of a window without those that are never blamed."""
        balance = felt.balance
        if not self._limits:
            return balance
        accounts = tuple(each for each in balance.accounts if not self.never(each))
        return replace(balance, accounts=accounts)

    def at_work(self, window: Window, felt: Window) -> bool:
        """Whether what is spared keeps the machine from being at rest.

        Args:
            window: as it was.
            felt: without what is spared.
        """
        if felt is window:
            return False
        seconds = window.balance.busy_seconds - felt.balance.busy_seconds
        gpu = (window.evidence.gpu_percent or 0.0) - (felt.evidence.gpu_percent or 0.0)
        much = seconds >= _AT_WORK_CORES * window.balance.window_seconds
        return much or gpu >= self._settings.busy_gpu_percent

    def _limit(self, account: Account) -> float:
        """The part of the machine, in percent, below which a group is spared; 0: none."""
        key = account.group.key
        known = self._known.get(key)
        if known is not None and self._now - known[0] < _KNOWN_SECONDS:
            return known[1]
        found = self._classify(account)
        names = names_of(account, found)
        limit = max((limit for pattern, limit in self._limits if pattern.fits(names)), default=0.0)
        if found.is_miner or account.clues.disguise:
            limit = 0.0
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = self._now, limit
        return limit

    def _blamable(self, account: Account, window: Window) -> Account:
        """An account without the use that is spared; itself where none is."""
        limit = self._limit(account)
        if not limit:
            return account
        used, settings = _Use(account, window), self._settings
        if used.cpu_percent < limit:
            account = replace(account, cpu_seconds=0.0, short_lived_seconds=0.0)
        if used.gpu_percent < limit:
            account = replace(account, gpu_percent=None, gpu_power_watts=None)
        if used.part_of_disks(settings.busy_disk_bytes_per_second) < limit:
            account = replace(
                account,
                disk_read_bytes_per_second=None,
                disk_write_bytes_per_second=None,
                blocked_count=0,
            )
        if used.part_of_network(settings.busy_network_bytes_per_second) < limit:
            account = replace(
                account,
                network_receive_bytes_per_second=None,
                network_transmit_bytes_per_second=None,
            )
        return account


def names_of(account: Account, found: Classification) -> tuple[str, ...]:
    """What a group goes by: its own name, what the sentence calls it, its program and its unit."""
    clues = account.clues
    names = (
        account.group.label,
        found.label,
        clues.program,
        clues.script,
        clues.script.rpartition("/")[2],
        clues.command,
        clues.command.partition(" ")[0],
        clues.unit,
        clues.unit.rpartition(".")[0],
        clues.container_name,
        clues.container_image,
        account.called,
    )
    return tuple(dict.fromkeys(filter(None, names)))


class _Use:
    """What a group uses, in percent of what the machine has."""

    def __init__(self, account: Account, window: Window) -> None:
        balance = window.balance
        self._account = account
        self._evidence = window.evidence
        there_is = balance.cores * balance.window_seconds
        self.cpu_percent = 100 * account.cpu_seconds / there_is if there_is else 0.0
        self.gpu_percent = account.gpu_percent or 0.0

    def part_of_disks(self, least: float) -> float:
        """Its part of the bytes moved; of so many at least, for little is no matter."""
        every = max(self._evidence.disk_bytes_per_second or 0.0, least)
        return 100 * (self._account.disk_bytes_per_second or 0.0) / every

    def part_of_network(self, least: float) -> float:
        """Likewise of what went over the network."""
        every = max(self._evidence.network_bytes_per_second or 0.0, least)
        return 100 * (self._account.network_bytes_per_second or 0.0) / every


def _felt(window: Window, kept: Balance) -> EvidenceReading:
    """What would have been measured without the work that is spared."""
    evidence, balance = window.evidence, window.balance
    pairs = list(zip(balance.accounts, kept.accounts, strict=True))
    seconds = balance.busy_seconds - kept.busy_seconds
    there_is = balance.cores * balance.window_seconds
    gpu = sum((was.gpu_percent or 0.0) - (now.gpu_percent or 0.0) for was, now in pairs)
    disk = sum(
        (was.disk_bytes_per_second or 0.0) - (now.disk_bytes_per_second or 0.0)
        for was, now in pairs
    )
    network = sum(
        (was.network_bytes_per_second or 0.0) - (now.network_bytes_per_second or 0.0)
        for was, now in pairs
    )
    moved = max(
        evidence.disk_bytes_per_second or 0.0,
        sum(was.disk_bytes_per_second or 0.0 for was, _ in pairs),
    )
    waiting = evidence.pressure_io_percent
    if waiting is not None and moved > 0:  # who moves the bytes is who makes others wait
        waiting *= 1 - min(disk / moved, 1.0)
    return replace(
        evidence,
        cpu_percent=_less(evidence.cpu_percent, 100 * seconds / there_is if there_is else 0.0),
        gpu_percent=_less(evidence.gpu_percent, gpu),
        disk_bytes_per_second=_less(evidence.disk_bytes_per_second, disk),
        network_bytes_per_second=_less(evidence.network_bytes_per_second, network),
        pressure_io_percent=waiting,
    )


def _less(value: float | None, spared: float) -> float | None:
    return None if value is None else max(value - spared, 0.0)
