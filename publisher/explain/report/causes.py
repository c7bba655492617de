"""Causes: work groups while they are to blame, from the moment they are named to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.contract.payload import rfc3339
from publisher.contract.printable import printable
from publisher.contract.readings import CauseReading, RejectedReading
from publisher.explain.learned.habits import Habit
from publisher.explain.naming.classify import Classification
from publisher.explain.report.wording import MINING, Named
from publisher.explain.thermal.heat import gpu_watts
from publisher.ledger.accounts import Account, Balance, GroupKind

_MOST_REJECTED = 3
# Who is blocked and moves fewer bytes a second than this waits for the disk, rather than works it.
_MOVES_BYTES = 1_000_000.0
# A GPU at work, not one that draws a desktop.
_GPU_HEAT_WATTS = 20.0
_REJECTED_CPU_PERCENT = 2.0
_REJECTED_MEMORY_BYTES = 1 << 30

_USES = {
    "cpu": "uses much of the CPU time",
    "gpu": "uses much of the GPU",
    "memory": "holds or takes much of the memory",
    "disk": "reads and writes much",
    "network": "receives and transmits much",
}
# While it is not known yet whether it has only paused.
_USED = {
    "cpu": "used much of the CPU time until just now",
    "gpu": "used much of the GPU until just now",
    "memory": "held or took much of the memory until just now",
    "disk": "read and wrote much until just now",
    "network": "received and transmitted much until just now",
}


@dataclass(slots=True)
class Cause:
    """A work group while it is to blame.

    Attributes:
        since: monotonic moment at which it began.
        wall: the same in seconds since the epoch.
        ending: when it seems to have stopped, while that is not certain yet.
        share: its part of the resource's use in the last window, 0 to 1.
        told: how it was called when it was told to begin.
        power_watts: its part of the power above rest, where power is measured.
        cpu_seconds: what it used since it became a cause; likewise ``energy_joules``.
    """

    named: Named
    classification: Classification
    resource: str
    since: float
    wall: float
    account: Account
    habit: Habit
    share: float = 0.0
    power_watts: float | None = None
    cpu_seconds: float = 0.0
    energy_joules: float | None = None
    told: Named | None = None
    ending: float | None = None

    @property
    def suspicious(self) -> bool:
        """A suspected miner."""
        return self.classification.category == MINING

    def reading(self, balance: Balance) -> CauseReading:
        """The cause as it is published."""
        uses = (_USES if self.share > 0 else _USED)[self.resource]
        waits = self.resource == "disk" and self.account.blocked_count
        if waits and (self.account.disk_bytes_per_second or 0.0) < _MOVES_BYTES:
            uses = "waits for a disk"
        reason = f"{uses}; {self.classification.reason}"
        return CauseReading(
            resource=self.resource,
            share_percent=100 * self.share,
            power_watts=self.power_watts,
            since=rfc3339(self.wall),
            active=True,
            usual=self.habit.words() or None,
            reason=reason,
            **_facts(self.account, self.classification, balance),
        )

    def facts(self) -> dict[str, Any]:
        """What an event tells of it."""
        return {
            "category": self.classification.category,
            "label": str(self.named),
            "resource": self.resource,
            "began": rfc3339(self.wall),
        }

    def over(self, lasted: float) -> dict[str, Any]:
        """What an event tells of it once it has ended after so many seconds.

        By the name under which it was told to begin, or nobody could tell the two belong together.
        """
        return self.facts() | {
            "label": str(self.told or self.named),
            "duration_seconds": lasted,
            "cpu_seconds": self.cpu_seconds,
            "energy_joules": self.energy_joules,
        }


def past_reading(account: Account, found: Classification) -> CauseReading:
    """A group that is over and whose heat is left."""
    return CauseReading(
        resource="gpu" if gpu_watts(account) >= _GPU_HEAT_WATTS else "cpu",
        active=False,
        reason=f"left the most heat; {found.reason}",
        category=found.category,
        label=found.label,
        kind=str(account.group.kind),
        group=account.group.label,
        confidence=found.confidence,
    )


def _facts(account: Account, found: Classification, balance: Balance) -> dict[str, Any]:
    return {
        "category": found.category,
        "label": found.label,
        "kind": str(account.group.kind),
        "group": account.group.label,
        "cpu_percent": balance.percent(account.cpu_seconds),
        "memory_bytes": account.memory_bytes,
        "disk_bytes_per_second": account.disk_bytes_per_second,
        "process_count": account.process_count,
        "confidence": found.confidence,
    }


def named(account: Account, found: Classification) -> Named:
    """How the sentence names a group: what it is, and the program, job or container behind it."""
    group, clues = account.group, account.clues
    whole = group.kind in (GroupKind.JOB, GroupKind.CONTAINER, GroupKind.UNIT)
    detail = printable(group.label if whole else clues.program or group.label)
    # ``borg`` need not follow ``Borg backup``, nor ``postgresql@15-main`` the database.
    if _bare(detail.partition("@")[0]) in _bare(found.label):
        detail = ""
    return Named(label=found.label, detail=detail, category=found.category)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def rejected(
    balance: Balance,
    causes: Mapping[str, Cause],
    classify: Callable[[Account], Classification],
    *,
    cpu_busy: bool,
) -> tuple[RejectedReading, ...]:
    """The greatest users of the machine that are not to blame, and why they are not."""
    found = []
    for account in balance.accounts:
        if account.group.key in causes or account.group.own:
            continue
        reason = _innocent(account, balance, cpu_busy=cpu_busy)
        if reason:
            known = classify(account)
            found.append(RejectedReading(label=known.label, category=known.category, reason=reason))
        if len(found) == _MOST_REJECTED:
            break
    return tuple(found)


def _innocent(account: Account, balance: Balance, *, cpu_busy: bool) -> str:
    if balance.percent(account.cpu_seconds) >= _REJECTED_CPU_PERCENT:
        if not cpu_busy:
            return "works too, but the CPU is not used much"
        return "works too, but its share of the CPU time is small"
    if (account.memory_bytes or 0) >= _REJECTED_MEMORY_BYTES:
        return "holds much memory, but is not at work"
    return ""
