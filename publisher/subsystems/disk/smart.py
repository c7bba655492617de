"""SMART: what a disk says of its own health, asked only when it is at work anyway.

``smartctl --nocheck=standby`` leaves a sleeping disk asleep, but a disk that spins and rests
would have its idle timer restarted by the question (smartd.conf(5) warns that a poll which is
more frequent than the timer keeps a disk awake), and finding out what kind of device it is may
spin it up before its power mode is looked at (smartctl(8), option -n). So the question waits
until the kernel has just seen the disk serve a request: its timer has then been restarted by
that request, not by us. A disk that is not used is never asked.

The kernel itself knows a disk asleep only where it put it to sleep (``power/runtime_status``,
kernel documentation, power/runtime_pm); reading that disturbs nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from publisher.config.setting import setting
from publisher.errors import MALFORMED, AbsentError, DeniedError, SourceError
from publisher.sources import block
from publisher.sources.children import Child, find
from publisher.subsystems.base import Subsystem

POWER_STATES = ("active", "idle", "standby")

# Without a request for so long, a disk may have spun down by its own timer; asking would tell, and
# would disturb it.
_IDLE_AFTER = 1200.0
_PATIENCE = 60.0
_LOOK_PERIOD = 10.0
_STANDBY_STATUS = 3
# The bits of smartctl's exit status that mean no answer (smartctl(8), EXIT STATUS).
_NO_ANSWER = 0b11
_ASKED = ("sd", "hd", "nvme")
_LARGEST_COUNT = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartSettings:
    """How often disks are asked for their health."""

    smart_minutes: float = setting(
        30.0,
        "Minutes between two SMART questions to a disk that is in use; 0 never asks.",
        minimum=0,
        maximum=10080,
    )


@dataclass(frozen=True, slots=True)
class SmartHealth:
    """What a disk says of itself; ``None`` for what its kind does not tell."""

    passed: bool | None = None
    reallocated: int | None = None
    pending: int | None = None
    media_errors: int | None = None
    life_used_percent: float | None = None
    spare_percent: float | None = None
    power_on_seconds: int | None = None


@dataclass(slots=True)
class _SmartState:
    """A disk, when it last served a request and was last asked, and what it last said."""

    disk: block.BlockDisk
    busy_at: float = float("-inf")
    first_seen: float = float("-inf")
    asked: float = float("-inf")
    health: SmartHealth | None = None
    asleep: bool = False
    runtime_status: str = ""
    looked: float = float("-inf")


class Smart:
    """The health of every disk, one question at a time."""

    def __init__(self, subsystem: Subsystem, settings: SmartSettings) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._period = settings.smart_minutes * 60
        self._states: dict[str, _SmartState] = {}
        self._child: Child | None = None
        self._asking: _SmartState | None = None
        self._due = float("inf")

    def watch(self, disks: list[block.BlockDisk], now: float) -> None:
        """The disks that there are now."""
        self._states = {
            disk.identity: self._states.get(disk.identity) or _SmartState(disk, first_seen=now)
            for disk in disks
        }
        for disk in disks:
            state = self._states[disk.identity]
            # Its kernel name may have changed, and with it what was known of it.
            state.disk, state.looked = disk, float("-inf")
        self._reckon()

    def read(self, busy: set[str], now: float) -> None:
        """Takes an answer that has come, and asks one of the disks that have just been busy."""
        for identity in busy:
            state = self._states[identity]
            state.busy_at, state.asleep = now, False
        if self._child:
            self._subsystem.part("smart", lambda: self._attend(now))
        elif busy and now >= self._due and self._files.live:
            self._subsystem.part("smart", lambda: self._ask(busy, now))

    def health(self, identity: str) -> SmartHealth | None:
        return self._states[identity].health

    def power_state(self, identity: str, now: float) -> str | None:
        """Whether it works, rests or sleeps; ``None`` for what has no such states."""
        state = self._states[identity]
        name = state.disk.name
        if now - state.looked >= _LOOK_PERIOD:
            state.looked = now
            state.runtime_status = self._runtime_status(name)
        status = state.runtime_status
        if status == "suspended" or state.asleep:
            return "standby"
        if state.disk.spins and name.startswith(("sd", "hd")):
            since = max(state.busy_at, state.first_seen)
            return "idle" if now - since >= _IDLE_AFTER else "active"
        return "active" if status == "active" else None

    def close(self) -> None:
        if self._child:
            self._child.leave()

    def _runtime_status(self, name: str) -> str:
        try:
            return self._files.text(f"/sys/block/{name}/device/power/runtime_status")
        except SourceError:
            return ""

    def _reckon(self) -> None:
        """When a disk can be asked next."""
        able = [
            state.asked + self._period
            for state in self._states.values()
            if state.disk.name.startswith(_ASKED)
        ]
        self._due = min(able) if able and self._period else float("inf")

    def _ask(self, busy: set[str], now: float) -> None:
        due = [
            state
            for identity in busy
            if (state := self._states[identity]).disk.name.startswith(_ASKED)
            and now - state.asked >= self._period
        ]
        if not due:
            return
        state = min(due, key=lambda state: (state.asked, state.disk.identity))
        state.asked = now
        self._reckon()
        program = find("smartctl")
        if program is None:
            raise AbsentError("smartctl is not installed", remedy="install smartmontools")
        device = f"{self._files.root}/dev/{state.disk.name}"
        self._asking = state
        self._child = Child(
            [program, "--json=c", f"--nocheck=standby,{_STANDBY_STATUS}", "-H", "-A", device]
        )

    def _attend(self, now: float) -> None:
        child, state = self._child, self._asking
        if child is None or state is None:
            return
        answer = child.poll()
        if answer is not None:
            self._child = self._asking = None
            if answer[0] == _STANDBY_STATUS:
                state.asleep = True
            else:
                state.health = diagnosis(*answer, device=state.disk.name) or state.health
        elif now - state.asked > _PATIENCE:
            child.kill()
            raise SourceError(f"no answer for {_PATIENCE:g} s", path=f"smartctl {state.disk.name}")


def diagnosis(status: int, answer: bytes, *, device: str = "") -> SmartHealth | None:
    """What ``smartctl --json`` said; ``None`` when the device has no SMART to speak of.

    Raises:
        DeniedError: this user may not ask.
        SourceError: it did not answer in its JSON.
    """
    path = f"smartctl {device}".strip()
    try:
        told = json.loads(answer)
        words = " ".join(
            str(message.get("string", "")) for message in told["smartctl"].get("messages", ())
        )
    except MALFORMED:
        raise SourceError(
            f"ended with status {status} and no JSON",
            path=path,
            remedy="smartctl speaks JSON since 7.0",
        ) from None
    if status < 0 or status & _NO_ANSWER:
        if "denied" in words or "not permitted" in words:
            raise DeniedError(
                "this user may not ask disks",
                path=path,
                remedy="run as root, or grant CAP_SYS_RAWIO and CAP_SYS_ADMIN",
            )
        if "Unable to detect device type" in words or "Unknown USB bridge" in words:
            return None
        raise SourceError(words or f"ended with status {status}", path=path)
    return _health(told)


def _health(told: dict[str, Any]) -> SmartHealth:
    nvme = _table(told, "nvme_smart_health_information_log")
    attributes = {
        row["id"]: _count(_table(row, "raw").get("value"))
        for row in _rows(_table(told, "ata_smart_attributes").get("table"))
        if isinstance(row.get("id"), int)
    }
    hours = _count(_table(told, "power_on_time").get("hours"))
    passed = _table(told, "smart_status").get("passed")
    used = _count(nvme.get("percentage_used"))
    if used is None:
        used = _count(_table(told, "endurance_used").get("current_percent"))
    return SmartHealth(
        passed=passed if isinstance(passed, bool) else None,
        reallocated=_first(attributes.get(5), _count(told.get("scsi_grown_defect_list"))),
        pending=attributes.get(197),
        media_errors=_first(_count(nvme.get("media_errors")), attributes.get(198)),
        life_used_percent=used,
        spare_percent=_count(nvme.get("available_spare")),
        power_on_seconds=None if hours is None else hours * 3600,
    )


def _table(told: dict[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    """A count that can be one: makers pack other things into the raw numbers of some disks."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_COUNT:
        return value
    return None


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
