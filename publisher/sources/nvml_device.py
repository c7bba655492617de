"""One NVIDIA GPU through NVML: what is asked of it, how often, and what its answers mean.

Source: NVML API reference (nvml.h) and nvidia-smi's manual. What a driver does not support it
says at each call; that answer is kept for ten minutes and asked for again then, since it changes
with the driver's state. What it fails to tell ("Unknown Error" for one fan of one card) is left
out alone, and asked for again with growing pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from publisher.errors import SourceError
from publisher.sources import gpu_use as gpu
from publisher.sources.gpu_use import Cadence, Facts, GpuLook, GpuUse

# Answers of NVML by number (nvmlReturn_t).
UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION = 1, 2, 3, 4
NOT_FOUND, INSUFFICIENT_SIZE = 6, 7
DRIVER_NOT_LOADED, IRQ_ISSUE, LIBRARY_NOT_FOUND, FUNCTION_NOT_FOUND = 9, 11, 12, 13
GPU_IS_LOST, RESET_REQUIRED, VERSION_MISMATCH, NO_DATA = 15, 16, 18, 21
ARGUMENT_VERSION_MISMATCH, DEPRECATED, NOT_READY, GPU_NOT_FOUND = 25, 26, 27, 28
UNSUPPORTED = {INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND,
               ARGUMENT_VERSION_MISMATCH, DEPRECATED}  # fmt: skip
# 0 is success, which pynvml takes for an error where it expects a list to be too long.
NOTHING_NOW = {0, NOT_FOUND, INSUFFICIENT_SIZE, NO_DATA, NOT_READY}
LOST = {IRQ_ISSUE, GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND}
# They say something about the library, not about what was asked.
OF_THE_LIBRARY = {UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, VERSION_MISMATCH}
# What stands in a number that is not available: all bits set, in 32 and in 64 of them.
_NOT_AVAILABLE = {(1 << 32) - 1, (1 << 64) - 1}

_UNSUPPORTED_SECONDS = 600.0
# The driver takes a sample of each process every sixth of a second to every second.
_SAMPLE_SECONDS = 2.5
_SHARES = "shares of processes"
_MEMORY_HEAT = "memory temperature"
_LISTS = ("compute processes", "graphics processes")
# Success here may mean that there is nothing to say.
_SAYING_NOTHING = {_MEMORY_HEAT, *_LISTS, _SHARES}
_FASTEST_FAN = 200  # percent
_MOST_PERCENT = 110
_MEMORY_TEMPERATURE = 82  # NVML_FI_DEV_MEMORY_TEMP

# Why the clocks are held down, in words; that it is idle is no complaint.
_REASONS = (
    (0x002, "application clocks"), (0x004, "power limit"), (0x008, "hardware slowdown"),
    (0x010, "sync boost"), (0x020, "heat (by the driver)"), (0x040, "heat (by the hardware)"),
    (0x080, "external power brake"), (0x100, "display clocks"),
)  # fmt: skip
_HEAT = 0x020 | 0x040

# What hardly ever moves: field, what it is, function and argument.
_SLOW = (
    ("shutdown_temperature_celsius", "shutdown temperature",
     "nvmlDeviceGetTemperatureThreshold", 0),
    ("slowdown_temperature_celsius", "slowdown temperature",
     "nvmlDeviceGetTemperatureThreshold", 1),
    ("memory_temperature_limit_celsius", "memory temperature limit",
     "nvmlDeviceGetTemperatureThreshold", 2),
    ("graphics_clock_max_mhz", "highest graphics clock", "nvmlDeviceGetMaxClockInfo", 0),
    ("pcie_generation", "PCIe generation", "nvmlDeviceGetCurrPcieLinkGeneration"),
    ("pcie_width", "PCIe width", "nvmlDeviceGetCurrPcieLinkWidth"),
    ("pcie_generation_max", "highest PCIe generation", "nvmlDeviceGetMaxPcieLinkGeneration"),
    ("pcie_width_max", "largest PCIe width", "nvmlDeviceGetMaxPcieLinkWidth"),
)  # fmt: skip


class _Failing(NamedTuple):
    """A question that fails: what it asks for, why, and seconds until it is asked again."""

    word: str
    reason: str
    pause: float


class Device:
    """One GPU, while the library is open.

    Args:
        nvml: the binding.
        handle: the library's name for the GPU.
        clock: monotonic seconds.
        wall: seconds since the epoch, by which the driver dates its samples.
    """

    def __init__(
        self, nvml: Any, handle: Any, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self._clock = clock
        self._wall = wall
        self._cadence = Cadence()
        self._refused: dict[tuple[Any, ...], float] = {}
        self._failing: dict[tuple[Any, ...], _Failing] = {}
        self._missing: set[str] = set()
        self._answers = 0
        self._errors: list[Exception] = []
        self._facts: Facts = {"vendor": "NVIDIA", "state": gpu.ACTIVE}
        self._slow: Facts = {}
        self._users: dict[int, GpuUse] = {}
        self._samples: dict[int, tuple[float, Any]] = {}
        self._newest = self._lately()
        self._opens: int | None = None
        self._fans = 1
        self._identify()

    def identity(self, index: int) -> str:
        """Its PCI address as the kernel writes it, else its UUID, else its number."""
        info = self._ask("PCI address", ("nvmlDeviceGetPciInfo",))
        if info is not None:
            bus = info.busId
            bus = bus.decode("ascii", "replace") if isinstance(bus, bytes) else bus
            domain, _, rest = bus.lower().partition(":")
            if rest.strip("0:."):  # Jetson's is not on PCI and says nought
                return f"{domain[-4:]}:{rest}"
        return self._facts.get("uuid") or f"gpu{index}"

    def look(self, now: float, opens: int | None) -> GpuLook:
        """What it does now.

        Args:
            now: monotonic seconds.
            opens: how many have the driver open. When nobody has come since nobody was there,
                the GPU does nothing, and nothing is asked.

        Raises:
            NVMLError: it is lost, or answers nothing at all any more.
        """
        alone = not self._users and self._facts.get("usage_percent") == 0
        unchanged, self._opens = opens is not None and opens == self._opens, opens
        if alone and unchanged and not self._cadence.all_due(now, busy=False):
            return self._look()
        self._answers, self._errors = 0, []
        rates = self._ask("utilization", ("nvmlDeviceGetUtilizationRates",))
        usage = None if rates is None else _share(rates.gpu)
        self._facts["usage_percent"] = usage
        self._facts["memory_controller_percent"] = None if rates is None else _share(rates.memory)
        busy = usage is None or usage > 0 or any(use.percent for use in self._users.values())
        if self._cadence.all_due(now, busy=busy):
            if self._cadence.slow_due(now):
                self._slow = self._read_slow()
                self._cadence.slow_read(now)
            self._facts |= self._read_all() | self._slow
            self._users = self._read_users(now, usage)
            self._cadence.all_read(now, self._facts.get("temperature_celsius"))
        if self._errors and not self._answers:
            raise self._errors[0]
        return self._look()

    def _look(self) -> GpuLook:
        facts = {key: value for key, value in self._facts.items() if value is not None}
        if not self._fails(*_LISTS):
            facts["process_count"] = len(self._users)
        return GpuLook(facts, self._users, frozenset(self._missing), self._failure())

    def _fails(self, *words: str) -> bool:
        return any(failing.word in words for failing in self._failing.values())

    def _failure(self) -> SourceError | None:
        """What it fails to tell while it tells the rest."""
        if not self._failing:
            return None
        words = dict.fromkeys(failing.word for failing in self._failing.values())
        (first, *_) = self._failing.values()
        return SourceError(
            f"its driver fails to tell {', '.join(words)}: {first.reason}",
            remedy="see the kernel's log (dmesg) for NVRM and Xid; it is asked again by itself",
        )

    def _ask(self, word: str, *questions: tuple[Any, ...]) -> Any:
        """The answer to the first question that has one; ``None`` when none has.

        Args:
            word: what is asked for, for people.
            questions: function names of the binding with their arguments. Where there are
                several, the later ones are what older or newer drivers understand.
        """
        now = self._clock()
        refused = 0
        for question in questions:
            name, *arguments = question
            if now < self._refused.get(question, now):
                refused += 1
                continue
            try:
                answer = getattr(self._nvml, name)(self._handle, *arguments)
            except self._nvml.NVMLError as error:
                if error.value in LOST | OF_THE_LIBRARY:
                    raise
                if error.value not in NOTHING_NOW | UNSUPPORTED:
                    self._fail(word, question, error, now)
                    continue
                self._failing.pop(question, None)
                if error.value in NOTHING_NOW:
                    continue
            except (AttributeError, ValueError):  # a binding older than the driver; no UTF-8
                pass
            else:
                if self._failing:  # another question for the same may have failed
                    for item in questions:
                        self._failing.pop(item, None)
                self._missing.discard(word)
                self._answers += word not in _SAYING_NOTHING
                return None if isinstance(answer, int) and answer in _NOT_AVAILABLE else answer
            self._refused[question] = now + _UNSUPPORTED_SECONDS
            refused += 1
        if refused == len(questions) and not any(item in self._failing for item in questions):
            self._missing.add(word)
        return None

    def _fail(self, word: str, question: tuple[Any, ...], error: Exception, now: float) -> None:
        """Notes that one question fails: it is asked again at the next look, then ever later."""
        known = self._failing.get(question)
        pause = 1.0 if known is None else min(2 * known.pause, _UNSUPPORTED_SECONDS)
        self._failing[question] = _Failing(word, str(error), pause)
        self._refused[question] = now + pause
        self._errors.append(error)

    def _read_all(self) -> Facts:
        memory = self._ask(
            "memory",
            ("nvmlDeviceGetMemoryInfo", self._nvml.nvmlMemory_v2),
            ("nvmlDeviceGetMemoryInfo",),  # drivers before 510
        )
        temperature = self._ask(
            "temperature", ("nvmlDeviceGetTemperature", 0), ("nvmlDeviceGetTemperatureV", 0)
        )
        power = self._ask("power", ("nvmlDeviceGetPowerUsage",))
        encoder = self._ask("encoder use", ("nvmlDeviceGetEncoderUtilization",))
        decoder = self._ask("decoder use", ("nvmlDeviceGetDecoderUtilization",))
        reasons = self._ask(
            "throttle reasons",
            ("nvmlDeviceGetCurrentClocksEventReasons",),
            ("nvmlDeviceGetCurrentClocksThrottleReasons",),  # its name before driver 535
        )
        state = self._ask("performance state", ("nvmlDeviceGetPerformanceState",))
        return (
            {
                "temperature_celsius": temperature,
                "memory_temperature_celsius": self._memory_temperature(),
                "power_watts": None if power is None else power / 1000,
                "encoder_percent": encoder and _share(encoder[0]),
                "decoder_percent": decoder and _share(decoder[0]),
                "graphics_clock_mhz": self._ask("graphics clock", ("nvmlDeviceGetClockInfo", 0)),
                "memory_clock_mhz": self._ask("memory clock", ("nvmlDeviceGetClockInfo", 2)),
                "performance_state": None if state is None or state > 15 else f"P{state}",
                "throttle_reasons": None
                if reasons is None
                else ", ".join(words for bit, words in _REASONS if reasons & bit),
                "thermal_throttling": None if reasons is None else bool(reasons & _HEAT),
            }
            | _memory(memory)
            | self._read_fans()
        )

    def _identify(self) -> None:
        """Asks who it is, as long as it has not said."""
        for field, word, name in (
            ("name", "name", "nvmlDeviceGetName"),
            ("uuid", "UUID", "nvmlDeviceGetUUID"),
        ):
            if self._facts.get(field) is None:
                self._facts[field] = self._ask(word, (name,))

    def _read_slow(self) -> Facts:
        self._identify()
        limit = self._ask("power limit", ("nvmlDeviceGetEnforcedPowerLimit",))
        mig = self._ask("MIG mode", ("nvmlDeviceGetMigMode",))
        self._fans = self._ask("number of fans", ("nvmlDeviceGetNumFans",)) or 1
        facts: Facts = {
            "power_limit_watts": None if limit is None else limit / 1000,
            "mig": mig and bool(mig[0]),
        }
        for field, word, *question in _SLOW:
            facts[field] = self._ask(word, tuple(question))
        return facts

    def _read_fans(self) -> Facts:
        speeds = [
            self._ask("fan speed", ("nvmlDeviceGetFanSpeed_v2", fan)) for fan in range(self._fans)
        ]
        known = [speed for speed in speeds if speed is not None and speed <= _FASTEST_FAN]
        return {
            # The intended speed; the driver lets it exceed 100 for a moment.
            "fan_percent": min(max(known), 100) if known else None,
            "fan_speed_rpm": self._ask("fan speed in rpm", ("nvmlDeviceGetFanSpeedRPM",)),
        }

    def _memory_temperature(self) -> int | None:
        values = self._ask(_MEMORY_HEAT, ("nvmlDeviceGetFieldValues", (_MEMORY_TEMPERATURE,)))
        if values is None or values[0].nvmlReturn != 0:
            return None
        return int(values[0].value.uiVal) or None

    def _read_users(self, now: float, usage: int | None) -> dict[int, GpuUse]:
        memory: dict[int, int | None] = {}
        for kind, word in zip(("Compute", "Graphics"), _LISTS, strict=True):
            name = f"nvmlDeviceGet{kind}RunningProcesses"
            # Version 2 is that of drivers before 510.
            listed = self._ask(word, (f"{name}_v3",), (f"{name}_v2",))
            for process in listed or ():
                # One that computes and draws is in both lists, with the same memory.
                held = memory.get(process.pid)
                memory[process.pid] = max(process.usedGpuMemory or 0, held or 0) or None
        self._take_samples(now)
        users = {pid: GpuUse(memory_bytes=held) for pid, held in memory.items()}
        if _SHARES not in self._missing and not self._fails(_SHARES):
            self._samples = {
                pid: sample
                for pid, sample in self._samples.items()
                if now - sample[0] <= _SAMPLE_SECONDS
            }
            for pid in users.keys() | self._samples.keys():
                sample = self._samples.get(pid, (0.0, None))[1]
                users[pid] = GpuUse(
                    percent=float(sample.smUtil) if sample else 0.0,
                    memory_bytes=memory.get(pid),
                    encode_percent=float(sample.encUtil) if sample else 0.0,
                    decode_percent=float(sample.decUtil) if sample else 0.0,
                )
        elif len(users) == 1 and usage is not None:
            # The driver tells no shares, but there is only one to work.
            ((pid, use),) = users.items()
            users[pid] = GpuUse(percent=float(usage), memory_bytes=use.memory_bytes)
        return users

    def _take_samples(self, now: float) -> None:
        """Takes in the newest sample of each process.

        The answer to a date too old is averages over a time of the driver's own choice, and the
        list is padded with leftovers: older samples, process 0, absurd percentages.
        """
        if self._newest > self._wall() * 1e6:  # the clock was set back
            self._newest = self._lately()
        samples = self._ask(_SHARES, ("nvmlDeviceGetProcessUtilization", self._newest))
        newest = self._newest
        for sample in samples or ():
            sane = max(sample.smUtil, sample.encUtil, sample.decUtil) <= 100
            if sample.pid and sample.timeStamp > self._newest and sane:
                newest = max(newest, sample.timeStamp)
                self._samples[sample.pid] = (now, sample)
        self._newest = newest

    def _lately(self) -> int:
        """From when on samples of processes are wanted, in microseconds since the epoch."""
        return int((self._wall() - 2) * 1e6)  # what was before we came is no news


def _share(percent: int) -> int | None:
    """A percentage, which may be a little too much; unless it cannot be one."""
    return min(percent, 100) if percent <= _MOST_PERCENT else None


def _memory(memory: Any) -> Facts:
    """How much memory there is and is used; a driver that cannot tell sets all bits."""
    total = used = None
    if memory is not None and memory.total not in _NOT_AVAILABLE:
        total = memory.total
        used = memory.used if memory.used <= total else None
    return {
        "memory_total_bytes": total,
        "memory_used_bytes": used,
        "memory_used_percent": 100 * used / total if total and used is not None else None,
    }
