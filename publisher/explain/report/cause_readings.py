"""Causes as they are published: those at work, those whose heat is left, those not to blame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from publisher.contract.payload import rfc3339
from publisher.contract.printable import printable
from publisher.contract.readings import CauseReading, GroupKind, RejectedReading, Resource
from publisher.contract.units import Unit, humanise
from publisher.explain.causes import Cause, Culprits
from publisher.explain.detect.resources import LoadKind
from publisher.explain.inputs import NO_SIGNS, Signs
from publisher.explain.naming.classifier import Classification
from publisher.explain.naming.named import Named
from publisher.explain.report.hints import to_stop, unit_of
from publisher.explain.thermal.power_model import gpu_watts
from publisher.explain.thermal.state import AfterLoad
from publisher.ledger.accounts import Account, Balance, MemoryKill

_MOST_REJECTED: Final = 3
# What is blocked and moves fewer bytes a second than this waits for the disk, rather than works it.
_MOVES_BYTES: Final = 1_000_000.0
# A GPU at work, not one that draws a desktop.
_GPU_HEAT_WATTS: Final = 20.0
_REJECTED_CPU_PERCENT: Final = 2.0
_REJECTED_MEMORY_BYTES: Final = 1 << 30

_USES: Final = {
    Resource.CPU: "uses much of the CPU time",
    Resource.GPU: "uses much of the GPU",
    Resource.MEMORY: "holds or takes much of the memory",
    Resource.DISK: "reads and writes much",
    Resource.NETWORK: "receives and transmits much",
}
# While it is not known yet whether it has only paused.
_USED: Final = {
    Resource.CPU: "used much of the CPU time until just now",
    Resource.GPU: "used much of the GPU until just now",
    Resource.MEMORY: "held or took much of the memory until just now",
    Resource.DISK: "read and wrote much until just now",
    Resource.NETWORK: "received and transmitted much until just now",
}

Classify = Callable[[Account], Classification]


def cause_readings(
    culprits: Culprits,
    after: AfterLoad | None,
    balance: Balance,
    classify: Classify,
    signs: Signs = NO_SIGNS,
) -> tuple[CauseReading, ...]:
    """Those to blame; when there are none, those whose heat the machine is still warm from."""
    if culprits.by_key:
        return tuple(_at_work(cause, balance, signs) for cause in culprits.causes)
    if after is None:
        return ()
    return tuple(_past(account, classify(account)) for account in after.accounts)


def _at_work(cause: Cause, balance: Balance, signs: Signs) -> CauseReading:
    uses = (_USES if cause.share > 0 else _USED)[cause.resource]
    account, found = cause.account, cause.classification
    seen = any(each is account for each in balance.accounts)
    waits = cause.resource is Resource.DISK and account.blocked_count
    if waits and (account.disk_bytes_per_second or 0.0) < _MOVES_BYTES:
        uses = "waits for a disk"
    limit = account.memory_limit if cause.resource is Resource.MEMORY else None
    if limit is not None and limit.strained:
        uses = f"waits at a memory limit of {humanise(limit.limit_bytes, Unit.BYTES)}"
    return CauseReading(
        resource=cause.resource,
        share_percent=100 * cause.share,
        cpu_percent=balance.percent(account.cpu_seconds) if seen else 0.0,
        memory_bytes=account.memory_bytes,
        disk_bytes_per_second=account.disk_bytes_per_second,
        network_bytes_per_second=account.network_bytes_per_second,
        power_watts=cause.power_watts,
        process_count=account.process_count,
        since=rfc3339(cause.wall),
        active=True,
        usual=cause.habit.words() or None,
        reason=f"{uses}; {found.reason}",
        on_behalf_of=cause.on_behalf_of or None,
        **_handles(account, found, balance, signs),
        **_who(account, found),
    )


def _handles(
    account: Account, found: Classification, balance: Balance, signs: Signs
) -> dict[str, Any]:
    """By what a person gets hold of a group."""
    if not any(each is account for each in balance.accounts):
        # It is not seen in this window, and its numbers may be another's by now.
        account = replace(account, pid=None, pids=(), process_group=None)
    place = account.place
    unit = container = None
    if place is not None and place.kind is GroupKind.UNIT:
        unit = printable(unit_of(place))
    elif place is not None:
        unit = printable(place.unit) or None
        container = printable(place.identity)
    return {
        "pid": account.pid,
        "pids": account.pids or None,
        "unit": unit,
        "container_id": container,
        "cgroup": None if place is None else printable(place.anchor),
        "to_stop": to_stop(account, found, signs.pauses),
    }


def killed_reading(kill: MemoryKill, account: Account, found: Classification) -> CauseReading:
    """A group in which the kernel killed a process for want of memory."""
    return CauseReading(
        resource=Resource.MEMORY,
        memory_bytes=kill.held_bytes,
        active=False,
        reason=f"the kernel killed a process of it for want of memory; {found.reason}",
        **_who(account, found),
    )


def _past(account: Account, found: Classification) -> CauseReading:
    """A group that is over and whose heat is left."""
    return CauseReading(
        resource=Resource.GPU if gpu_watts(account) >= _GPU_HEAT_WATTS else Resource.CPU,
        active=False,
        reason=f"left the most heat; {found.reason}",
        **_who(account, found),
    )


def _who(account: Account, found: Classification) -> dict[str, Any]:
    return {
        "category": found.category,
        "label": found.told,
        "name": Named.of(account, found).short,
        "kind": str(account.group.kind),
        "group": account.group.label,
        "confidence": found.confidence,
    }


def rejected_readings(
    culprits: Culprits, balance: Balance, classify: Classify
) -> tuple[RejectedReading, ...]:
    """The greatest users of the machine that are not to blame, and why they are not."""
    if not culprits.by_key:
        return ()
    found: list[RejectedReading] = []
    cpu_busy = LoadKind.CPU in culprits.by_kind
    for account in balance.accounts:
        if account.group.key in culprits.by_key or account.group.own:
            continue
        reason = _reason_not_blamed(account, balance, cpu_busy=cpu_busy)
        if reason:
            known = classify(account)
            found.append(RejectedReading(label=known.told, category=known.category, reason=reason))
        if len(found) == _MOST_REJECTED:
            break
    return tuple(found)


def _reason_not_blamed(account: Account, balance: Balance, *, cpu_busy: bool) -> str:
    if balance.percent(account.cpu_seconds) >= _REJECTED_CPU_PERCENT:
        if not cpu_busy:
            return "works too, but the CPU is not used much"
        return "works too, but its share of the CPU time is small"
    if (account.memory_bytes or 0) >= _REJECTED_MEMORY_BYTES:
        return "holds much memory, but is not at work"
    return ""
