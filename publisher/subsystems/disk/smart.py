"""SMART: what a disk says of its own health, asked only when it is at work anyway.

``smartctl --nocheck=standby`` leaves a sleeping disk asleep, but a disk that spins and rests
would have its idle timer restarted by the question (smartd.conf(5) warns that a poll which is
more frequent than the timer keeps a disk awake), and finding out what kind of device it is may
spin it up before its power mode is looked at (smartctl(8), option -n). So the question waits
until the kernel has just seen the disk serve a request: its timer has then been restarted by
that request, not by us. A disk that is not used is never asked.

Disks that the kernel does not show stand behind a RAID controller: ``smartctl --scan`` asks a
MegaRAID or PERC for those it has, without touching one; of others the user names them
(``smart_devices``). A USB bridge that smartctl does not know is asked as most may be (``-d sat``).

The kernel itself knows a disk asleep only where it put it to sleep (``power/runtime_status``,
kernel documentation, power/runtime_pm); reading that disturbs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from publisher.config.setting import setting
from publisher.errors import AbsentError, SourceError
from publisher.sources import block
from publisher.sources.children import Child, find
from publisher.subsystems.base import Subsystem
from publisher.subsystems.disk.smart_health import (
    NO_ANSWER,
    DiskIdentity,
    SmartHealth,
    complaints,
    diagnosis,
    emmc,
    identity,
    scanned,
)

__all__ = ["POWER_STATES", "HiddenDisk", "Smart", "SmartHealth", "SmartSettings", "diagnosis"]

POWER_STATES = ("active", "idle", "standby")

# Without a request for so long, a disk may have spun down by its own timer; asking would tell, and
# would disturb it.
_IDLE_AFTER = 1200.0
_PATIENCE = 60.0
_LOOK_PERIOD = 10.0
_STANDBY_STATUS = 3
_ASKED = ("sd", "hd", "nvme")
_NAMED = re.compile(r"(/dev/\S+)(?:\s+-d\s+(\S+))?")
# Types that pick one of the disks behind a controller, by its number there.
_BEHIND = re.compile(
    r"(?:\w+\+)?(?:megaraid|cciss|areca|3ware|hpt|aacraid|sssraid|jmb39x(?:-q\d?)?|jms56x),.+"
)
# What SCSI and NVMe call a disk that the kernel has given up (scsi_sysfs.c, nvme/host/sysfs.c).
_GIVEN_UP = ("offline", "transport-offline", "dead")
_MEGARAID = re.compile(r"(?:\w+\+)?megaraid,\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartSettings:
    """How often disks are asked for their health."""

    smart_minutes: float = setting(
        30.0,
        "Minutes between two SMART questions to a disk that is in use; 0 never asks.",
        minimum=0,
        maximum=10080,
    )
    smart_devices: tuple[str, ...] = setting(
        (),
        "Disks that smartctl has to be told how to ask, each as in smartd.conf: those behind a "
        "RAID controller that is no MegaRAID or PERC, and behind some USB bridges.",
        example='["/dev/sda -d cciss,0", "/dev/sg2 -d areca,1/2", "/dev/sdc -d usbjmicron"]',
    )


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
    reached: bool | None = None
    tells_state: bool = True  # its driver says whether it is reached
    looked: float = float("-inf")
    type: str = ""  # what smartctl takes it for, where it has to be told
    guessed: bool = False
    controller: bool = False  # other disks stand behind it

    @property
    def device(self) -> str:
        return f"/dev/{self.disk.name}"


@dataclass(slots=True)
class HiddenDisk:
    """A disk behind a controller, which the kernel does not show.

    Attributes:
        device: through which it is asked.
        type: what smartctl has to be told to ask this one.
        named: by the user, not by its controller.
        who: who it says that it is; ``None`` until it does.
    """

    device: str
    type: str
    named: bool
    asked: float = float("-inf")
    who: DiskIdentity | None = None
    health: SmartHealth | None = None
    asleep: bool = False

    @property
    def name(self) -> str:
        return f"{self.device} {self.type}"


@dataclass(frozen=True, slots=True)
class _Question:
    """What is being asked: a disk for its health, or a controller for its disks."""

    child: Child
    of: _SmartState | HiddenDisk
    scan: bool
    began: float


class Smart:
    """The health of every disk, one question at a time."""

    def __init__(self, subsystem: Subsystem, settings: SmartSettings) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._period = settings.smart_minutes * 60
        self._states: dict[str, _SmartState] = {}
        self._types: dict[str, str] = {}
        self._hidden: dict[str, HiddenDisk] = {}
        self.hidden: Mapping[str, HiddenDisk] = MappingProxyType({})
        """Disks behind controllers that have said who they are, by identity; another mapping
        whenever one of them has said something."""
        self._question: _Question | None = None
        self._due = float("inf")
        for words in settings.smart_devices:
            try:
                self._take_setting(words)
            except SourceError as error:
                subsystem.health["disk.smart_devices"] = error

    def watch(self, disks: list[block.BlockDisk], now: float) -> None:
        """The disks that there are now."""
        self._states = {
            disk.identity: self._states.get(disk.identity) or _SmartState(disk, first_seen=now)
            for disk in disks
        }
        for disk in disks:
            state = self._states[disk.identity]
            # Its kernel name may have changed, and with it what was known of it.
            state.disk, state.looked, state.tells_state = disk, float("-inf"), True
            state.type = self._types.get(state.device, state.type)
            if state.health is None and disk.name.startswith("mmcblk"):
                # The kernel read it when it found the card, and does not again.
                folder = f"/sys/block/{disk.name}/device"
                told = (
                    self._files.hint(f"{folder}/{name}") for name in ("life_time", "pre_eol_info")
                )
                state.health = emmc(*told)
        self._reckon()

    def read(self, busy: set[str], now: float) -> None:
        """Takes an answer that has come, and asks one of the disks that have just been busy."""
        for who in busy:
            state = self._states[who]
            state.busy_at, state.asleep = now, False
        if self._question:
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
            state.runtime_status = self._word(name, "power/runtime_status")
            if state.tells_state:
                word = self._word(name, "state")
                state.tells_state = bool(word)
                state.reached = word not in _GIVEN_UP if word else None
        status = state.runtime_status
        if status == "suspended" or state.asleep:
            return "standby"
        if state.disk.spins and name.startswith(("sd", "hd")):
            since = max(state.busy_at, state.first_seen)
            return "idle" if now - since >= _IDLE_AFTER else "active"
        return "active" if status == "active" else None

    def reached(self, identity: str) -> bool | None:
        """Whether the kernel still reaches it, as of the last look at its power state."""
        return self._states[identity].reached

    def close(self) -> None:
        if self._question:
            self._question.child.leave()

    def _word(self, name: str, attribute: str) -> str:
        try:
            return self._files.text(f"/sys/block/{name}/device/{attribute}")
        except SourceError:
            return ""

    def _take_setting(self, words: str) -> None:
        match = _NAMED.fullmatch(words.strip())
        if match is None:
            raise SourceError(
                f"{words!r} is no device with its type",
                remedy='such as smart_devices = ["/dev/sda -d cciss,0"]',
            )
        if match[2] and _BEHIND.fullmatch(match[2]):
            disk = HiddenDisk(match[1], match[2], named=True)
            self._hidden[disk.name] = disk
        elif match[2]:
            self._types[match[1]] = match[2]

    def _reckon(self) -> None:
        """When a disk can be asked next."""
        able = [
            state.asked for state in self._states.values() if state.disk.name.startswith(_ASKED)
        ]
        behind = [disk.asked for disk in self._hidden.values()]
        asks = able and self._period
        self._due = min(*able, *behind, float("inf")) + self._period if asks else float("inf")

    def _ask(self, busy: set[str], now: float) -> None:
        """Asks who has waited the longest: of the disks at work, and of those behind them."""
        at_work = [
            state
            for identity in busy
            if (state := self._states[identity]).disk.name.startswith(_ASKED)
        ]
        controlled = any(state.controller for state in at_work)
        behind = [disk for disk in self._hidden.values() if at_work and (disk.named or controlled)]
        able: list[_SmartState | HiddenDisk] = [*at_work, *behind]
        due = [each for each in able if now - each.asked >= self._period]
        if not due:
            return
        asked = min(due, key=lambda each: (each.asked, each.device))
        asked.asked = now
        self._reckon()
        program = find("smartctl")
        if program is None:
            raise AbsentError("smartctl is not installed", remedy="install smartmontools")
        scan = isinstance(asked, _SmartState) and asked.controller
        arguments = ["--scan"] if scan else self._arguments(asked)
        child = Child([program, "--json=c", *arguments])
        self._question = _Question(child, asked, scan, now)

    def _arguments(self, asked: _SmartState | HiddenDisk) -> list[str]:
        return [
            f"--nocheck=standby,{_STANDBY_STATUS}",
            *(["-i"] if isinstance(asked, HiddenDisk) else []),
            "-H",
            "-A",
            *(["-d", asked.type] if asked.type else []),
            self._files.root + asked.device,
        ]

    def _attend(self, now: float) -> None:
        question = self._question
        if question is None:
            return
        answer = question.child.poll()
        if answer is not None:
            self._question = None
            self._take(question, *answer)
        elif now - question.began > _PATIENCE:
            question.child.kill()
            name = question.of.device.removeprefix("/dev/")
            raise SourceError(f"no answer for {_PATIENCE:g} s", path=f"smartctl {name}")

    def _take(self, question: _Question, status: int, answer: bytes) -> None:
        of = question.of
        if question.scan:
            self._found(scanned(answer))
        elif status == _STANDBY_STATUS:
            of.asleep = True
        elif isinstance(of, HiddenDisk):
            of.asleep = False
            of.health = diagnosis(status, answer, device=of.name) or of.health
            of.who = identity(answer) or of.who
            self._show()
        elif not self._must_be_told(of, complaints(answer)):
            if of.guessed and status & NO_ANSWER:
                return  # it was no more than a guess
            of.health = diagnosis(status, answer, device=of.disk.name) or of.health

    def _must_be_told(self, state: _SmartState, words: str) -> bool:
        """Whether smartctl has to be told what the disk is; then it is asked anew."""
        if "-d megaraid" in words:
            state.controller = True
        elif "Unknown USB bridge" in words and not state.type:
            state.type, state.guessed = "sat", True
        else:
            return False
        state.asked = float("-inf")
        self._reckon()
        return True

    def _found(self, listed: Iterable[tuple[str, str]]) -> None:
        """Takes the disks that controllers have, and forgets those that they have no more."""
        there = [
            HiddenDisk(device, kind, named=False)
            for device, kind in listed
            if _MEGARAID.fullmatch(kind)
        ]
        named = {name: disk for name, disk in self._hidden.items() if disk.named}
        self._hidden = named | {disk.name: self._hidden.get(disk.name, disk) for disk in there}
        self._show()
        self._reckon()

    def _show(self) -> None:
        # A controller may show a disk as it is, besides.
        self.hidden = MappingProxyType(
            {
                disk.who.identity: disk
                for disk in self._hidden.values()
                if disk.who and disk.who.identity not in self._states
            }
        )
