"""What all GPUs have in common, whoever made them: names, users, and being left alone.

A GPU that the kernel has suspended (``power/runtime_status``, kernel documentation,
power/runtime_pm) is never touched, since any question wakes it. Nor may our looking be what
keeps an idle one from falling asleep: every question restarts the driver's autosuspend timer,
and an open NVML handle stops it altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

PCI_DEVICES = "/sys/bus/pci/devices"
PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

ACTIVE, RESTING, ASLEEP, LOST, UNREACHABLE = "active", "resting", "asleep", "lost", "unreachable"

Facts = dict[str, Any]
"""Values of one GPU, by the name of their field in the reading."""

_VENDORS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}
_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")

# Idle for so long, a GPU that can sleep is left alone.
_IDLE_SECONDS = 10.0
# NVIDIA's driver suspends some 6 s after the last handle is closed, i915 and amdgpu after 5 to
# 10 s. What is awake after this has somebody else to keep it so.
_TRIAL_SECONDS = 30.0
_PATIENCE_SECONDS = (600.0, 7200.0)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What one process uses of the GPUs. ``None`` stands for what the driver does not tell.

    Attributes:
        percent: of one GPU's time; more than 100 on several GPUs.
        memory_bytes: GPU memory it holds.
        encode_percent: of one GPU's video encoders; likewise ``decode_percent``.
        power_watts: its part of the power above what the GPU draws at idle.
        device: the GPU it uses most.
    """

    percent: float | None = None
    memory_bytes: int | None = None
    encode_percent: float | None = None
    decode_percent: float | None = None
    power_watts: float | None = None
    device: str = ""

    def plus(self, other: GpuUse) -> GpuUse:
        """This use and that of another GPU together."""
        more = (other.percent or 0.0) > (self.percent or 0.0)
        memory = _sum(self.memory_bytes, other.memory_bytes)
        return GpuUse(
            percent=_sum(self.percent, other.percent),
            memory_bytes=None if memory is None else int(memory),
            encode_percent=_sum(self.encode_percent, other.encode_percent),
            decode_percent=_sum(self.decode_percent, other.decode_percent),
            power_watts=_sum(self.power_watts, other.power_watts),
            device=other.device if more else self.device,
        )


@dataclass(frozen=True, slots=True)
class GpuLook:
    """All that one look at one GPU gave.

    Attributes:
        facts: its values, by field name.
        users: what each process uses of it, by pid.
        missing: what its driver does not tell, in words.
        failure: why it cannot be looked at.
    """

    facts: Facts
    users: Mapping[int, GpuUse] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    failure: SourceError | None = None


class Rest:
    """Decides when one GPU is left alone so that it can sleep.

    A GPU whose power control is ``on``, or that has no runtime power management, never sleeps
    and need not rest. One that stays awake although we let go of it is kept awake by somebody
    else: then looking does no harm, for a while.

    Args:
        files: kernel files.
        device: its directory in sysfs, ``""`` for none.
        module: the kernel module that counts who has it open.
    """

    def __init__(self, files: KernelFiles, device: str, module: str) -> None:
        self._files = files
        self._status = f"{device}/power/runtime_status" if device else ""
        self._control = f"{device}/power/control"
        self._module = module
        self._idle_since: float | None = None
        self._rest_since: float | None = None
        self._opens: int | None = None
        self._not_before = float("-inf")
        self._patience = _PATIENCE_SECONDS[0]

    def state(self, now: float) -> str:
        """Whether it is asleep, is left alone, or may be looked at."""
        status = self._text(self._status)
        if status.startswith("suspend"):  # "suspended", "suspending"
            self._rest_since = self._idle_since = None
            self._not_before, self._patience = float("-inf"), _PATIENCE_SECONDS[0]
            return ASLEEP
        if self._rest_since is None:
            return ACTIVE
        if self._opens is not None and opens(self._files, self._module) != self._opens:
            self._rest_since = self._idle_since = None  # somebody came
            return ACTIVE
        if now - self._rest_since < _TRIAL_SECONDS:
            return RESTING
        self._rest_since = None
        self._not_before = now + self._patience
        self._patience = min(self._patience * 2, _PATIENCE_SECONDS[1])
        return ACTIVE

    def note(self, now: float, *, idle: bool) -> None:
        """Takes in whether the GPU was seen idle at ``now``; long enough so, it is let go."""
        if not idle:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since < _IDLE_SECONDS or now < self._not_before:
            return
        if self._text(self._control) == "auto" and self._text(self._status) == "active":
            self._rest_since, self._opens = now, None

    def let_go(self) -> None:
        """We hold it no longer: whoever opens the driver from now on is somebody else."""
        if self._rest_since is not None and self._opens is None:
            self._opens = opens(self._files, self._module)

    def _text(self, path: str) -> str:
        try:
            return self._files.text(path) if path else ""
        except SourceError:
            return ""


class Cadence:
    """How much of one GPU is worth reading now: all while it works, little while it idles."""

    SLOW_SECONDS = 60.0

    def __init__(self) -> None:
        self._all_at = float("-inf")
        self._slow_at = float("-inf")
        self._temperature: float | None = None
        self._pause = 0.0

    def all_due(self, now: float, *, busy: bool) -> bool:
        """Whether everything that moves is read now."""
        return busy or now - self._all_at >= self._pause

    def slow_due(self, now: float) -> bool:
        """Whether limits and the like are read again."""
        return now - self._slow_at >= self.SLOW_SECONDS

    def slow_read(self, now: float) -> None:
        self._slow_at = now

    def all_read(self, now: float, temperature: float | None) -> None:
        """Everything was read; while it cools down the next time is sooner."""
        known, self._temperature = self._temperature, temperature
        moved = known is not None and temperature is not None and abs(temperature - known) >= 1
        # Samples come a little early or late: 10 s means the fifth of every 2 s.
        self._pause = 9.5 if moved or known is None else 29.5
        self._all_at = now


class Shares:
    """Splits one GPU's power above idle among those who use it."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._floor: float | None = None

    def split(
        self, users: Mapping[int, GpuUse], power: float | None, usage: float | None
    ) -> dict[int, GpuUse]:
        """The users with their watts; what nobody's work explains stays with nobody."""
        total = sum(use.percent or 0.0 for use in users.values())
        if power is not None and not usage and total <= 0:
            self._floor = power if self._floor is None else min(self._floor, power)
        each = None
        if power is not None and total > 0:
            each = max(power - (self._floor or 0.0), 0.0) / max(total, usage or 0.0)
        return {
            pid: replace(
                use,
                power_watts=each * use.percent if each is not None and use.percent else None,
                device=self._device,
            )
            for pid, use in users.items()
        }


def opens(files: KernelFiles, module: str) -> int | None:
    """How many have opened a driver's devices: the kernel counts it for every module."""
    try:
        return files.integer(f"/sys/module/{module}/refcnt")
    except SourceError:
        return None


def vendor_name(identifier: int) -> str | None:
    return _VENDORS.get(identifier)


def pci_name(files: KernelFiles, device: str) -> str | None:
    """A PCI device's name from the system's list of ids, if it has one."""
    try:
        vendor = int(files.text(f"{device}/vendor", keep=False), 16)
        model = int(files.text(f"{device}/device", keep=False), 16)
    except (SourceError, ValueError):
        return None
    for path in _PCI_IDS:
        try:
            content = files.read(path, keep=False)
        except SourceError:
            continue
        start = content.find(b"\n%04x  " % vendor)
        end = re.compile(rb"\n[0-9a-f]").search(content, start + 1) if start >= 0 else None
        found = content.find(b"\n\t%04x  " % model, start, end.start() if end else len(content))
        if start >= 0 and found >= 0:
            line = content[found + 8 : content.find(b"\n", found + 1)]
            return line.decode("utf-8", "replace").strip()
    return None


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other
