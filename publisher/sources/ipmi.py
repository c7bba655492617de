"""Fans, temperatures and power that a server's BMC measures, asked of ``ipmitool`` now and then.

The answer to ``ipmitool -c sdr list full`` is a line a sensor: name, reading, unit, status
(ipmitool, ``lib/ipmi_sdr.c``). A sensor that is not there has no reading and the status ``ns``.

A BMC is slow: it hands out its sensors one by one over a bus that keeps a kernel thread busy, and
some have been seen to hang for it. So it is asked once a minute at most, seldom enough that it
answers us for a thirtieth of the time, by a program that is given up after a while; and not at
all unless its device is there and may be used by this user.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.children import Child, find

DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")

_QUESTION = ("-c", "sdr", "list", "full")
_PERIOD = 60.0
_SHARE = 1 / 30
_LONGEST_PERIOD = 290.0
_PATIENCE = 60.0
_AFTER_FAILURE = 600.0
# Readings older than this say nothing about now.
_STALE = 2.5 * _LONGEST_PERIOD
_LARGEST = 1e15  # of any number that a sensor tells
_ABSENT = "ns"
_ALARMS = frozenset({"cr", "nr", "lcr", "lnr", "ucr", "unr"})
_REMEDY = (
    'let the group "fanwhy" use it: in /etc/udev/rules.d/70-fanwhy.rules write '
    'KERNEL=="ipmi*", GROUP="fanwhy", MODE="0660" and run "udevadm trigger --subsystem-match=ipmi"'
)


@dataclass(frozen=True, slots=True)
class BmcSensor:
    """One sensor of the BMC.

    Attributes:
        name: as its maker calls it; with a number behind it where several are called the same.
        value: in ``unit``.
        unit: ``RPM``, ``percent``, ``degrees C``, ``Watts``.
        alarm: beyond a limit that is critical.
    """

    name: str
    value: float
    unit: str
    alarm: bool


def parse(answer: str) -> dict[str, BmcSensor]:
    """The sensors that have a reading, by name."""
    found: dict[str, BmcSensor] = {}
    count: dict[str, int] = {}
    for line in answer.splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) < 4 or not fields[0] or fields[3] == _ABSENT:
            continue
        # Twins, as on Dell's, are counted whether they have a reading or not.
        count[fields[0]] = count.get(fields[0], 0) + 1
        try:
            value = float(fields[1])
        except ValueError:
            continue
        if not abs(value) < _LARGEST:
            continue
        name = fields[0] if count[fields[0]] == 1 else f"{fields[0]} {count[fields[0]]}"
        found[name] = BmcSensor(name, value, fields[2], fields[3] in _ALARMS)
    return found


class Bmc:
    """This machine's BMC and what it said last; several subsystems share it.

    Args:
        devices: where its device may be.
        program: what asks it.
    """

    def __init__(self, devices: tuple[str, ...] = DEVICES, program: str = "ipmitool") -> None:
        self._devices = devices
        self._program = program
        self._lock = threading.Lock()
        self._device: str | None = None
        self._searched = float("-inf")
        self._child: Child | None = None
        self._asked = 0.0
        self._due = float("-inf")
        self._sensors: Mapping[str, BmcSensor] = {}
        self._at = float("-inf")
        self._failure: SourceError | None = None

    def there(self, now: float) -> bool:
        """Whether this machine has a BMC whose driver is loaded; ``now`` in monotonic seconds."""
        with self._lock:
            if now - self._searched >= _AFTER_FAILURE:
                self._searched = now
                self._device = next(filter(os.path.exists, self._devices), None)
            return self._device is not None

    def look(self, now: float) -> tuple[float, Mapping[str, BmcSensor]]:
        """When it last answered, and what; asks it again when it is time to.

        Args:
            now: monotonic seconds.

        Raises:
            AbsentError: there is nothing to ask it with.
            DeniedError: this user may not.
            SourceError: it does not answer.
        """
        with self._lock:
            if self._child:
                self._attend(self._child, now)
            elif now >= self._due:
                self._ask(now)
            if self._failure:
                raise self._failure
            if now - self._at > _STALE:
                self._sensors = {}
            return self._at, self._sensors

    def close(self) -> None:
        """Lets go of a question that is under way."""
        with self._lock:
            if self._child:
                self._child.leave()
                self._child = None

    def _ask(self, now: float) -> None:
        self._due = now + _AFTER_FAILURE
        try:
            self._child = Child([self._usable(), *_QUESTION])
        except SourceError as error:
            self._failure = error
        self._asked = now

    def _usable(self) -> str:
        """The path of the program that asks."""
        device = self._device or self._devices[0]
        if not os.access(device, os.R_OK | os.W_OK):
            raise DeniedError("this user may not ask the BMC", path=device, remedy=_REMEDY)
        path = find(self._program)
        if path is None:
            raise AbsentError(
                f"there is a BMC, and no {self._program} to ask it with",
                remedy=f"install {self._program}",
            )
        return path

    def _attend(self, child: Child, now: float) -> None:
        result = child.poll()
        took = now - self._asked
        if result is None:
            if took > _PATIENCE:
                child.leave()
                self._child = None
                self._failure = SourceError(f"the BMC gave no answer for {_PATIENCE:g} s")
            return
        self._child = None
        sensors = parse(result[1].decode("utf-8", "replace"))
        if not sensors:
            self._failure = SourceError(f"{self._program} gave no reading (status {result[0]})")
            return
        self._failure = None
        self._sensors, self._at = sensors, now
        self._due = self._asked + min(max(_PERIOD, took / _SHARE), _LONGEST_PERIOD)
