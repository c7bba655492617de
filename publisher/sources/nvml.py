"""NVIDIA's GPUs, through the driver's management library (NVML) and its binding pynvml.

pynvml costs 5 MB, so it is loaded only where a driver is. Every call is made in one thread with
a deadline: a GPU that has fallen off its bus can wedge any call, the library's shutdown too.
What the driver does not support it says at each call; the answer is kept for ten minutes and
asked for again then, since it can change with the driver's state.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import gpu
from publisher.sources.bounded import Bounded, HangingError
from publisher.sources.files import KernelFiles
from publisher.sources.gpu import Cadence, Facts, GpuUse, Look, Rest

DRIVER = "/sys/bus/pci/drivers/nvidia"
# Where a driver is: on PCI, on Jetson, under WSL.
_SIGNS = (
    "/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
)  # fmt: skip
_WINDOWS_LIBRARY = r"C:\Windows\System32\nvml.dll"

_DEADLINE_SECONDS = 3.0
_LONGEST_BACKOFF_SECONDS = 60.0
_LOST_SECONDS = 300.0  # a lost GPU comes back by a reset: looked for with a fresh library
_UNSUPPORTED_SECONDS = 600.0
# The driver takes a sample of each process every sixth of a second to every second.
_SAMPLE_SECONDS = 2.5

# Answers of NVML, by number (nvml.h, nvmlReturn_t).
_INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION, _NOT_FOUND = 2, 3, 4, 6
_INSUFFICIENT_SIZE, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _FUNCTION_NOT_FOUND = 7, 9, 12, 13
_GPU_IS_LOST, _RESET_REQUIRED, _VERSION_MISMATCH, _NO_DATA, _GPU_NOT_FOUND = 15, 16, 18, 21, 28
_UNSUPPORTED = {_INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND, 25, 26}
_NOTHING_NOW = {0, _NOT_FOUND, _INSUFFICIENT_SIZE, _NO_DATA, 27}
_LOST = {11, _GPU_IS_LOST, _RESET_REQUIRED, _GPU_NOT_FOUND}

# Why the clocks are held down, in words; idle is no reason to complain (nvml.h).
_REASONS = (
    (0x002, "application clocks"), (0x004, "power limit"), (0x008, "hardware slowdown"),
    (0x010, "sync boost"), (0x020, "heat, held by the driver"),
    (0x040, "heat, held by the hardware"), (0x080, "external power brake"),
    (0x100, "display clocks"),
)  # fmt: skip
_HEAT = 0x020 | 0x040
_MEMORY_TEMPERATURE = 82  # NVML_FI_DEV_MEMORY_TEMP


class Nvidia:
    """All GPUs of NVIDIA's driver.

    Args:
        files: kernel files.
        clock: monotonic seconds.
        wall: seconds since the epoch, which NVML dates its samples by.
        deadline: seconds that one look may take.
    """

    def __init__(
        self,
        files: KernelFiles,
        clock: Callable[[], float],
        wall: Callable[[], float],
        *,
        deadline: float = _DEADLINE_SECONDS,
    ) -> None:
        self._files = files
        self._clock = clock
        self._worker = Bounded("nvml", "the NVIDIA driver", deadline, clock)
        self._library = _Library(files, clock, wall)
        self._rests: dict[str, Rest] = {}
        self._known: dict[str, Facts] = {}
        self._failure: SourceError | None = None
        self._failures = 0
        self._next = float("-inf")
        self._renew = False
        self.failure: SourceError | None = None
        """Why the GPUs that are there cannot be looked at now."""

    def likely(self) -> bool:
        """Whether there is a driver worth loading the library for."""
        if sys.platform == "win32":
            return self._files.exists(_WINDOWS_LIBRARY)
        return any(self._files.exists(path) for path in _SIGNS)

    def look(self) -> dict[str, Look]:
        """One look at every GPU, by PCI address; where there is no such address, by UUID.

        Raises:
            AbsentError: no driver, no library, or no GPU.
            DeniedError: this user may not use them.
            SourceError: nothing is known of any GPU.
        """
        now = self._clock()
        self.failure = None
        if not self.likely():
            self._let_go()
            raise AbsentError("no NVIDIA driver is loaded")
        addresses = [name for name in self._files.names(DRIVER) if gpu.PCI_ADDRESS.fullmatch(name)]
        self._rests = {
            address: self._rests.get(address)
            or Rest(self._files, f"{gpu.PCI_DEVICES}/{address}", "nvidia")
            for address in addresses
        }
        states = {address: rest.state(now) for address, rest in self._rests.items()}
        awake = [address for address in addresses if states[address] == gpu.ACTIVE]
        looks = {
            address: Look(self._facts(address) | {"state": state}, {})
            for address, state in states.items()
            if state != gpu.ACTIVE
        }
        if addresses and not awake:
            self._let_go()
            return looks
        try:
            found = self._ask(awake, now)
        except (AbsentError, DeniedError):
            raise
        except SourceError as error:
            known = awake or list(self._known)
            if not known and not looks:
                raise
            self.failure = error
            state = {"state": gpu.UNREACHABLE}
            return looks | {address: Look(self._facts(address) | state, {}) for address in known}
        for address, look in found.items():
            self._note(address, look, now)
        return looks | found

    def close(self) -> None:
        """Lets go of the library, unless it is stuck."""
        self._let_go()
        self._worker.close()

    def _ask(self, awake: Sequence[str], now: float) -> dict[str, Look]:
        if self._failure is not None and now < self._next:
            raise self._failure
        renew, self._renew = self._renew, False
        try:
            found = self._worker.run(lambda: self._library.look(awake, now, renew=renew))
        except SourceError as error:
            self._renew = True
            self._failures += 1
            self._failure = error
            self._next = now + min(2.0**self._failures, _LONGEST_BACKOFF_SECONDS)
            if isinstance(error, HangingError):
                self._failure = None  # asked at each look: it says for how long
            raise
        self._failure, self._failures = None, 0
        for rest in self._rests.values():
            rest.let_go()
        return found

    def _note(self, address: str, look: Look, now: float) -> None:
        identity = ("name", "vendor", "uuid", "driver")
        self._known[address] = {key: look.facts[key] for key in identity if key in look.facts}
        if rest := self._rests.get(address):
            working = any(use.percent for use in look.users.values())
            rest.note(now, idle=look.facts.get("usage_percent") == 0 and not working)

    def _facts(self, address: str) -> Facts:
        """What is known of a GPU without asking it."""
        if address not in self._known:
            known: Facts = {"vendor": "NVIDIA", "driver": "nvidia"}
            # The driver wrote the name down when it first saw the GPU; reading it wakes nobody.
            path = f"/proc/driver/nvidia/gpus/{address}/information"
            with suppress(SourceError):
                for line in self._files.text(path, keep=False).splitlines():
                    if line.startswith("Model:"):
                        known["name"] = line.partition(":")[2].strip()
            self._known[address] = known
        return dict(self._known[address])

    def _let_go(self) -> None:
        if self._library.held and not self._worker.stuck:
            with suppress(SourceError):
                self._worker.run(self._library.close)
        for rest in self._rests.values():
            rest.let_go()


class _Library:
    """NVML, from its initialisation to its shutdown; lives in the worker's thread alone."""

    def __init__(
        self, files: KernelFiles, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._files = files
        self._clock = clock
        self._wall = wall
        self._nvml: Any = None
        self._version = ""
        self._gpus: dict[str, _Gpu] = {}
        self._lost: dict[str, float] = {}
        self._present: frozenset[str] = frozenset()
        self._own_numbers: bool | None = None
        self.held = False

    def look(self, addresses: Sequence[str], now: float, *, renew: bool) -> dict[str, Look]:
        """One look at the GPUs at these addresses, or at all there are when there is none."""
        # NVML lets go of all GPUs or of none, and looks for them at its start only.
        if renew or self._present != frozenset(addresses):
            self.close()
            self._lost = {name: until for name, until in self._lost.items() if name in addresses}
        if any(now >= until for until in self._lost.values()):
            self._lost.clear()
            self.close()
        if not self.held:
            self._open()
        self._present = frozenset(addresses)
        looks: dict[str, Look] = {}
        try:
            for address in addresses or self._all():
                looks[address] = self._one(address, now)
        except self._nvml.NVMLError as error:
            self.close()
            raise _failure(error) from None
        if not looks:
            raise AbsentError("the NVIDIA driver is loaded but finds no GPU")
        return looks

    def close(self) -> None:
        """Shuts the library down: GPUs that nobody else uses may sleep from here on."""
        self._gpus.clear()
        if self.held:
            self.held = False
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _open(self) -> None:
        if self._nvml is None:
            try:
                import pynvml  # noqa: PLC0415  # 5 MB, only where there is a driver
            except ImportError as error:
                raise AbsentError(
                    f"pynvml cannot be loaded: {error}", remedy="pip install nvidia-ml-py"
                ) from None
            self._nvml = pynvml
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            if error.value == _VERSION_MISMATCH:
                _unload(self._nvml)
            raise _failure(error) from None
        self.held = True
        with suppress(self._nvml.NVMLError, ValueError):
            self._version = self._nvml.nvmlSystemGetDriverVersion()

    def _all(self) -> list[str]:
        """Identities where the kernel's bus does not name the GPUs."""
        if not self._gpus:
            for index in range(self._nvml.nvmlDeviceGetCount()):
                one = self._gpu(self._nvml.nvmlDeviceGetHandleByIndex(index))
                self._gpus[one.identity(index)] = one
        return [*self._gpus, *(name for name in self._lost if name not in self._gpus)]

    def _one(self, address: str, now: float) -> Look:
        driver = f"nvidia {self._version}".strip()
        if address in self._lost:
            return Look({"vendor": "NVIDIA", "driver": driver, "state": gpu.LOST}, {})
        try:
            if address not in self._gpus:
                handle = self._nvml.nvmlDeviceGetHandleByPciBusId(address.encode())
                self._gpus[address] = self._gpu(handle)
            look = self._gpus[address].look(now, gpu.opens(self._files, "nvidia"))
        except self._nvml.NVMLError as error:
            if error.value in _LOST:
                self._lost[address] = now + _LOST_SECONDS
                self._gpus.pop(address, None)
                state, why = gpu.LOST, "the GPU is lost: it no longer answers on its bus"
            elif error.value in (_NOT_FOUND, _NO_PERMISSION):
                state, why = gpu.UNREACHABLE, "this process was not given the GPU"
            else:
                raise
            facts: Facts = {"vendor": "NVIDIA", "driver": driver, "state": state}
            return Look(facts, {}, frozenset({why}))
        look.facts["driver"] = driver
        if not self._pids_are_ours():
            return Look(look.facts, {}, look.missing | {"its processes, numbered by the host"})
        return look

    def _gpu(self, handle: Any) -> _Gpu:
        # What was before we came is no news: samples from here on.
        return _Gpu(self._nvml, handle, self._clock, int((self._wall() - 2) * 1e6))

    def _pids_are_ours(self) -> bool:
        """Whether NVML's process numbers, which are the host's, are those that we see.

        The kernel's thread that starts all others is process 2 on a host and nowhere else.
        """
        if self._own_numbers is None:
            try:
                self._own_numbers = self._files.read("/proc/2/comm", keep=False) == b"kthreadd\n"
            except SourceError:
                self._own_numbers = sys.platform == "win32"
        return self._own_numbers


class _Gpu:
    """One GPU, while the library is open.

    Args:
        nvml: the binding.
        handle: the library's name for the GPU.
        clock: monotonic seconds.
        newest: from when on samples of processes are wanted, in microseconds since the epoch.
    """

    def __init__(self, nvml: Any, handle: Any, clock: Callable[[], float], newest: int) -> None:
        self._nvml = nvml
        self._handle = handle
        self._clock = clock
        self._cadence = Cadence()
        self._refused: dict[str, float] = {}
        self._facts: Facts = {"vendor": "NVIDIA", "state": gpu.ACTIVE}
        self._slow: Facts = {}
        self._users: dict[int, GpuUse] = {}
        self._samples: dict[int, tuple[float, Any]] = {}
        self._newest = newest
        self._opens: int | None = None
        self._fans = 1
        with suppress(ValueError):  # a name that is no UTF-8
            self._facts["name"] = self._ask("name", nvml.nvmlDeviceGetName)
        self._facts["uuid"] = self._ask("UUID", nvml.nvmlDeviceGetUUID)

    def identity(self, index: int) -> str:
        """Its PCI address as the kernel writes it, else its UUID, else its number."""
        info = self._ask("PCI address", self._nvml.nvmlDeviceGetPciInfo)
        if info is not None and info.busId.strip(b"0:."):
            domain, _, rest = info.busId.decode("ascii", "replace").lower().partition(":")
            return f"{domain[-4:]}:{rest}"
        return self._facts.get("uuid") or f"gpu{index}"

    def look(self, now: float, opens: int | None) -> Look:
        """What it does now.

        Args:
            now: monotonic seconds.
            opens: how many have the driver open. When nobody has come since nobody was there,
                the GPU does nothing, and nothing is asked.
        """
        alone = not self._users and self._facts.get("usage_percent") == 0
        unchanged, self._opens = opens is not None and opens == self._opens, opens
        if alone and unchanged and not self._cadence.all_due(now, busy=False):
            return self._look(now)
        rates = self._ask("utilization", self._nvml.nvmlDeviceGetUtilizationRates)
        usage = None if rates is None else min(rates.gpu, 100)
        self._facts["usage_percent"] = usage
        self._facts["memory_controller_percent"] = None if rates is None else min(rates.memory, 100)
        busy = usage is None or usage > 0 or any(use.percent for use in self._users.values())
        if self._cadence.all_due(now, busy=busy):
            if self._cadence.slow_due(now):
                self._slow = self._read_slow()
                self._cadence.slow_read(now)
            self._facts |= self._read_all() | self._slow
            self._users = self._read_users(now, usage)
            self._cadence.all_read(now, self._facts.get("temperature_celsius"))
        return self._look(now)

    def _look(self, now: float) -> Look:
        facts = {key: value for key, value in self._facts.items() if value is not None}
        facts["process_count"] = len(self._users)
        missing = frozenset(word for word, until in self._refused.items() if now < until)
        return Look(facts, self._users, missing)

    def _ask(self, word: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The answer to one question; ``None`` when there is none."""
        now = self._clock()
        if now < self._refused.get(word, now):
            return None
        try:
            answer = function(self._handle, *arguments)
        except self._nvml.NVMLError as error:
            if error.value in _UNSUPPORTED:
                self._refused[word] = now + _UNSUPPORTED_SECONDS
                return None
            if error.value in _NOTHING_NOW:
                return None
            raise
        self._refused.pop(word, None)
        return answer

    def _read_all(self) -> Facts:
        nvml = self._nvml
        memory = self._ask("memory", nvml.nvmlDeviceGetMemoryInfo, nvml.nvmlMemory_v2)
        if memory is None:  # drivers before 510
            memory = self._ask("memory in use", nvml.nvmlDeviceGetMemoryInfo)
        temperature = self._ask("temperature", nvml.nvmlDeviceGetTemperature, 0)
        if temperature is None:  # gone from drivers to come
            temperature = self._ask("temperature, asked anew", nvml.nvmlDeviceGetTemperatureV, 0)
        power = self._ask("power", nvml.nvmlDeviceGetPowerUsage)
        encoder = self._ask("encoder", nvml.nvmlDeviceGetEncoderUtilization)
        decoder = self._ask("decoder", nvml.nvmlDeviceGetDecoderUtilization)
        reasons = self._reasons()
        state = self._ask("performance state", nvml.nvmlDeviceGetPerformanceState)
        return {
            "memory_total_bytes": memory and memory.total,
            "memory_used_bytes": memory and memory.used,
            "memory_used_percent": 100 * memory.used / memory.total
            if memory and memory.total else None,
            "temperature_celsius": temperature,
            "memory_temperature_celsius": self._memory_temperature(),
            "power_watts": None if power is None else power / 1000,
            "encoder_percent": encoder and min(encoder[0], 100),
            "decoder_percent": decoder and min(decoder[0], 100),
            "graphics_clock_mhz": self._ask("graphics clock", nvml.nvmlDeviceGetClockInfo, 0),
            "memory_clock_mhz": self._ask("memory clock", nvml.nvmlDeviceGetClockInfo, 2),
            "performance_state": None if state is None or state > 15 else f"P{state}",
            "throttle_reasons": None if reasons is None else ", ".join(
                words for bit, words in _REASONS if reasons & bit
            ),
            "thermal_throttling": None if reasons is None else bool(reasons & _HEAT),
        } | self._read_fans()  # fmt: skip

    def _read_slow(self) -> Facts:
        nvml = self._nvml
        limit = self._ask("power limit", nvml.nvmlDeviceGetEnforcedPowerLimit)
        mig = self._ask("MIG", nvml.nvmlDeviceGetMigMode)
        self._fans = self._ask("number of fans", nvml.nvmlDeviceGetNumFans) or 1
        threshold = nvml.nvmlDeviceGetTemperatureThreshold
        return {
            "power_limit_watts": None if limit is None else limit / 1000,
            "shutdown_temperature_celsius": self._ask("shutdown temperature", threshold, 0),
            "slowdown_temperature_celsius": self._ask("slowdown temperature", threshold, 1),
            "memory_temperature_limit_celsius": self._ask(
                "memory's highest temperature", threshold, 2
            ),
            "graphics_clock_max_mhz": self._ask(
                "highest graphics clock", nvml.nvmlDeviceGetMaxClockInfo, 0
            ),
            "pcie_generation": self._ask(
                "PCIe generation", nvml.nvmlDeviceGetCurrPcieLinkGeneration
            ),
            "pcie_width": self._ask("PCIe width", nvml.nvmlDeviceGetCurrPcieLinkWidth),
            "pcie_generation_max": self._ask(
                "highest PCIe generation", nvml.nvmlDeviceGetMaxPcieLinkGeneration
            ),
            "pcie_width_max": self._ask("largest PCIe width", nvml.nvmlDeviceGetMaxPcieLinkWidth),
            "mig": mig and bool(mig[0]),
        }

    def _read_fans(self) -> Facts:
        nvml = self._nvml
        speeds = [self._ask("fan", nvml.nvmlDeviceGetFanSpeed_v2, fan) for fan in range(self._fans)]
        known = [speed for speed in speeds if speed is not None]
        return {
            # The intended speed; the driver lets it exceed 100 for a moment.
            "fan_percent": min(max(known), 100) if known else None,
            "fan_speed_rpm": self._ask("fan's rpm", nvml.nvmlDeviceGetFanSpeedRPM),
        }

    def _reasons(self) -> int | None:
        nvml = self._nvml
        reasons = self._ask("throttling", nvml.nvmlDeviceGetCurrentClocksEventReasons)
        if reasons is None:  # the name before driver 535
            reasons = self._ask("throttle reasons", nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return None if reasons is None else int(reasons)

    def _memory_temperature(self) -> int | None:
        values = self._ask(
            "memory temperature", self._nvml.nvmlDeviceGetFieldValues, [_MEMORY_TEMPERATURE]
        )
        if not values or values[0].nvmlReturn != 0:
            return None
        return int(values[0].value.uiVal) or None

    def _read_users(self, now: float, usage: int | None) -> dict[int, GpuUse]:
        nvml = self._nvml
        memory: dict[int, int | None] = {}
        for word, newer, older in (
            ("compute processes", nvml.nvmlDeviceGetComputeRunningProcesses,
             nvml.nvmlDeviceGetComputeRunningProcesses_v2),
            ("graphics processes", nvml.nvmlDeviceGetGraphicsRunningProcesses,
             nvml.nvmlDeviceGetGraphicsRunningProcesses_v2),
        ):  # fmt: skip
            processes = self._ask(word, newer)
            if processes is None:  # drivers before 510
                processes = self._ask(f"{word}, asked as of old", older) or ()
            for process in processes:
                # One that computes and draws is in both lists, with the same memory.
                held = memory.get(process.pid)
                memory[process.pid] = max(process.usedGpuMemory or 0, held or 0) or None
        self._take_samples(now)
        users = {pid: GpuUse(memory_bytes=held) for pid, held in memory.items()}
        if self._samples or now >= self._refused.get("processes' utilization", now):
            for pid in [
                pid for pid, (at, _) in self._samples.items() if now - at > _SAMPLE_SECONDS
            ]:
                del self._samples[pid]
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
        samples = self._ask(
            "processes' utilization", self._nvml.nvmlDeviceGetProcessUtilization, self._newest
        )
        newest = self._newest
        for sample in samples or ():
            sane = max(sample.smUtil, sample.encUtil, sample.decUtil) <= 100
            if sample.pid and sample.timeStamp > self._newest and sane:
                newest = max(newest, sample.timeStamp)
                self._samples[sample.pid] = (now, sample)
        self._newest = newest


def _failure(error: Any) -> SourceError:
    """NVML's refusal as a whole, in words and with what mends it."""
    code = error.value
    if code == _LIBRARY_NOT_FOUND:
        return AbsentError(
            "NVIDIA's management library is not installed",
            path="libnvidia-ml.so.1",
            remedy="install the part of the driver that has nvidia-smi; in a container, run it "
            "with the NVIDIA container toolkit and NVIDIA_DRIVER_CAPABILITIES=utility",
        )
    if code == _DRIVER_NOT_LOADED:
        return AbsentError("the NVIDIA driver is not loaded", remedy="modprobe nvidia")
    if code == _NO_PERMISSION:
        return DeniedError(
            "this user may not use the GPU",
            path="/dev/nvidiactl",
            remedy="let the user that runs fanwhy read and write /dev/nvidia*",
        )
    if code == _VERSION_MISMATCH:
        return SourceError(
            "NVIDIA's library and kernel module have different versions: one was updated",
            remedy="reboot, or reload the nvidia kernel modules",
        )
    return SourceError(f"NVML: {error}")


def _unload(nvml: Any) -> None:
    """Makes pynvml load the library afresh next time: an updated one is another file.

    pynvml keeps the first one for good and has no call for this.
    """
    import _ctypes  # noqa: PLC0415  # loaded by pynvml anyhow

    library, nvml.nvmlLib = nvml.nvmlLib, None
    nvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001
    if library is not None and hasattr(_ctypes, "dlclose"):
        _ctypes.dlclose(library._handle)  # noqa: SLF001


def by_pid(looks: Mapping[str, Look]) -> dict[int, GpuUse]:
    """What each process uses of all GPUs."""
    users: dict[int, GpuUse] = {}
    for look in looks.values():
        for pid, use in look.users.items():
            users[pid] = users[pid].plus(use) if pid in users else use
    return users
