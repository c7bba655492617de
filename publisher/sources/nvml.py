"""NVIDIA's GPUs, through the driver's management library (NVML) and its binding pynvml.

pynvml costs 5 MB, so it is loaded only where a driver is. Every call is made in one thread with
a deadline: a GPU that has fallen off its bus can wedge any call, the library's shutdown too.
What the driver does not support it says at each call; the answer is kept for ten minutes and
asked for again then, since it can change with the driver's state. A GPU that fails altogether is
put aside for a while, so that the others go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import gpu_use as gpu
from publisher.sources import nvml_device as answers
from publisher.sources.bounded import Bounded, HangingError
from publisher.sources.files import KernelFiles
from publisher.sources.gpu_use import Facts, GpuLook, GpuUse, Rest
from publisher.sources.nvml_device import Device

DRIVER = "/sys/bus/pci/drivers/nvidia"
# Where a driver is: on PCI, on Jetson, under WSL.
_SIGNS = (
    "/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
)  # fmt: skip
_WINDOWS_LIBRARY = r"C:\Windows\System32\nvml.dll"

_DEADLINE_SECONDS = 3.0
_CLOSE_SECONDS = 0.5  # the daemon has two in all to end
_LONGEST_BACKOFF_SECONDS = 60.0
_LOST_SECONDS = 300.0  # a lost GPU comes back by a reset: looked for with a fresh library


@dataclass(frozen=True, slots=True)
class _Aside:
    """A GPU that is not asked for a while.

    Attributes:
        until: monotonic seconds.
        state: in which it is said to be.
        failure: why.
        pause: seconds for which it was put aside.
    """

    until: float
    state: str
    failure: SourceError
    pause: float


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

    @property
    def processes(self) -> SourceError | None:
        """Why its users cannot be named."""
        if not self._library.held or self._library.numbers_are_ours():
            return None
        return DeniedError(
            "NVIDIA's driver numbers processes as the host does, which cannot be seen from here",
            remedy="run fanwhy with the host's process numbers (docker: --pid host)",
        )

    def look(self) -> dict[str, GpuLook]:
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
            address: GpuLook(self._facts(address) | {"state": state})
            for address, state in states.items()
            if state != gpu.ACTIVE
        }
        if addresses and not awake:
            self._let_go()
            return looks
        try:
            found = self._ask(awake, now)
        except SourceError as error:
            known = awake or list(self._known)
            refused = isinstance(error, AbsentError | DeniedError)
            if not looks and (refused or not known):
                raise
            self.failure = error
            state = {"state": gpu.UNREACHABLE}
            return looks | {address: GpuLook(self._facts(address) | state) for address in known}
        for address, look in found.items():
            self._note(address, look, now)
            looks[address] = replace(look, facts=self._facts(address) | look.facts)
        return looks

    def close(self) -> None:
        """Lets go of the library, unless it is stuck."""
        self._let_go(_CLOSE_SECONDS)
        self._worker.close()

    def _ask(self, awake: Sequence[str], now: float) -> dict[str, GpuLook]:
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

    def _note(self, address: str, look: GpuLook, now: float) -> None:
        identity = ("name", "vendor", "uuid", "driver")
        known = {key: look.facts[key] for key in identity if key in look.facts}
        self._known[address] = self._facts(address) | known
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

    def _let_go(self, seconds: float | None = None) -> None:
        if self._library.held and not self._worker.stuck:
            with suppress(SourceError):
                self._worker.run(self._library.close, seconds)
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
        self._gpus: dict[str, Device] = {}
        self._names: dict[int, str] = {}
        self._indices: dict[str, int] = {}
        self._aside: dict[str, _Aside] = {}
        self._pauses: dict[str, float] = {}
        self._present: frozenset[str] = frozenset()
        self._own_numbers: bool | None = None
        self._opens_before: int | None = None
        self._counted: bool | None = None
        self.held = False

    def look(self, addresses: Sequence[str], now: float, *, renew: bool) -> dict[str, GpuLook]:
        """One look at the GPUs at these addresses, or at all there are when there is none."""
        # NVML lets go of all GPUs or of none, and looks for them at its start only.
        if renew or self._present != frozenset(addresses):
            self.close()
            self._aside = {name: aside for name, aside in self._aside.items() if name in addresses}
        self._bring_back(now)
        if not self.held:
            self._open()
        self._present = frozenset(addresses)
        looks: dict[str, GpuLook] = {}
        failure: Any = None
        try:
            for address in addresses or self._all():
                try:
                    looks[address] = self._one(address, now)
                except self._nvml.NVMLError as error:
                    if error.value in answers.OF_THE_LIBRARY:
                        raise
                    failure = error
                    looks[address] = self._put_aside(address, error, now)
        except self._nvml.NVMLError as error:
            self.close()
            raise _failure(error) from None
        if not looks:
            raise AbsentError("the NVIDIA driver is loaded but finds no GPU")
        reached = any(look.facts["state"] != gpu.UNREACHABLE for look in looks.values())
        if failure is not None and not reached:  # a fresh library may know better
            self._aside.clear()
            self.close()
            raise _failure(failure)
        return looks

    def close(self) -> None:
        """Shuts the library down: GPUs that nobody else uses may sleep from here on."""
        self._gpus.clear()
        self._indices.clear()
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
        self._opens_before, self._counted = gpu.opens(self._files, "nvidia"), None
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            if error.value == answers.VERSION_MISMATCH:
                _unload(self._nvml)
            raise _failure(error) from None
        self.held = True
        with suppress(self._nvml.NVMLError, ValueError):
            self._version = self._nvml.nvmlSystemGetDriverVersion()

    def _all(self) -> list[str]:
        """Identities where the kernel's bus does not name the GPUs."""
        if not self._indices:
            for index in range(self._nvml.nvmlDeviceGetCount()):
                name = self._names.get(index, f"gpu{index}")
                try:
                    one = self._gpu(self._nvml.nvmlDeviceGetHandleByIndex(index))
                    name = one.identity(index)
                    self._gpus[name] = one
                except self._nvml.NVMLError as error:
                    if error.value in answers.OF_THE_LIBRARY:
                        raise
                self._names[index] = name
                self._indices[name] = index
        return list(self._indices)

    def _one(self, address: str, now: float) -> GpuLook:
        """One GPU.

        Raises:
            NVMLError: it answers nothing at all.
        """
        if aside := self._aside.get(address):
            return self._nothing_of(aside)
        try:
            if address not in self._gpus:
                self._gpus[address] = self._gpu(self._handle(address))
            look = self._gpus[address].look(now, self._opens())
        except self._nvml.NVMLError as error:
            if error.value in answers.LOST:
                aside = _Aside(now + _LOST_SECONDS, gpu.LOST, _lost(address), _LOST_SECONDS)
                self._aside[address] = aside
                self._gpus.pop(address, None)
                return self._nothing_of(aside)
            if error.value in (answers.NOT_FOUND, answers.NO_PERMISSION):
                return self._nothing_of(_Aside(now, gpu.UNREACHABLE, _not_given(address), 0.0))
            raise
        self._pauses.pop(address, None)
        facts = look.facts | {"driver": self._driver()}
        users = look.users if self.numbers_are_ours() else {}
        return replace(look, facts=facts, users=users)

    def _handle(self, address: str) -> Any:
        if address in self._indices:
            return self._nvml.nvmlDeviceGetHandleByIndex(self._indices[address])
        return self._nvml.nvmlDeviceGetHandleByPciBusId(address.encode())

    def _put_aside(self, address: str, error: Any, now: float) -> GpuLook:
        """Leaves a GPU that answers nothing alone, for longer each time."""
        pause = min(2 * self._pauses.get(address, 1.0), _LOST_SECONDS)
        self._pauses[address] = pause
        self._gpus.pop(address, None)
        aside = self._aside[address] = _Aside(
            now + pause, gpu.UNREACHABLE, _unanswered(address, error), pause
        )
        return self._nothing_of(aside)

    def _bring_back(self, now: float) -> None:
        """Those whose time has come are asked again; after the longest pause by a fresh library."""
        due = [address for address, aside in self._aside.items() if now >= aside.until]
        if any(self._aside[address].pause >= _LOST_SECONDS for address in due):
            self.close()
        for address in due:
            del self._aside[address]

    def _nothing_of(self, aside: _Aside) -> GpuLook:
        facts: Facts = {"vendor": "NVIDIA", "driver": self._driver(), "state": aside.state}
        return GpuLook(facts, failure=aside.failure)

    def _driver(self) -> str:
        return f"nvidia {self._version}".strip()

    def _gpu(self, handle: Any) -> Device:
        return Device(self._nvml, handle, self._clock, self._wall)

    def _opens(self) -> int | None:
        """How many have the driver open; ``None`` unless our own opening was counted, too."""
        count = gpu.opens(self._files, "nvidia")
        if self._counted is None:
            self._counted = count != self._opens_before
        return count if self._counted else None

    def numbers_are_ours(self) -> bool:
        """Whether NVML's process numbers, which are the host's, are those that we see.

        The kernel's thread that starts all others is process 2 on a host and nowhere else.
        """
        if self._own_numbers is None:
            try:
                self._own_numbers = self._files.read("/proc/2/comm", keep=False) == b"kthreadd\n"
            except SourceError:
                self._own_numbers = sys.platform == "win32"
        return self._own_numbers


def _failure(error: Any) -> SourceError:
    """NVML's refusal as a whole, in words and with what mends it."""
    code = error.value
    if code == answers.LIBRARY_NOT_FOUND:
        return AbsentError(
            "NVIDIA's management library is not installed",
            path="libnvidia-ml.so.1",
            remedy="install the part of the driver that has nvidia-smi; in a container, run it "
            "with the NVIDIA container toolkit and NVIDIA_DRIVER_CAPABILITIES=utility",
        )
    if code == answers.DRIVER_NOT_LOADED:
        return AbsentError("the NVIDIA driver is not loaded", remedy="modprobe nvidia")
    if code == answers.NO_PERMISSION:
        return DeniedError(
            "this user may not use the GPU",
            path="/dev/nvidiactl",
            remedy="let the user that runs fanwhy read and write /dev/nvidia*",
        )
    if code == answers.VERSION_MISMATCH:
        return SourceError(
            "NVIDIA's library and kernel module have different versions: one was updated",
            remedy="reboot, or reload the nvidia kernel modules",
        )
    return SourceError(f"NVML: {error}")


def _lost(address: str) -> SourceError:
    return SourceError(
        f"the GPU {address} is lost: it does not answer on its bus any more",
        remedy="see the kernel's log for Xid errors; check power, seating and heat; reboot",
    )


def _unanswered(address: str, error: Any) -> SourceError:
    return SourceError(
        f"the GPU {address} answers nothing: {error}",
        remedy="see the kernel's log (dmesg) for NVRM and Xid; resetting the GPU or a reboot may "
        "be needed",
    )


def _not_given(address: str) -> DeniedError:
    return DeniedError(
        f"the GPU {address} was not given to this process",
        remedy="give the container, or the user that runs fanwhy, this GPU too",
    )


def _unload(nvml: Any) -> None:
    """Makes pynvml load the library afresh next time: an updated one is another file.

    pynvml keeps the first one for good and has no call for this.
    """
    import _ctypes  # noqa: PLC0415  # loaded by pynvml anyhow

    library, nvml.nvmlLib = nvml.nvmlLib, None
    nvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001
    if library is not None and hasattr(_ctypes, "dlclose"):
        _ctypes.dlclose(library._handle)  # noqa: SLF001


def by_pid(looks: Mapping[str, GpuLook]) -> dict[int, GpuUse]:
    """What each process uses of all GPUs."""
    users: dict[int, GpuUse] = {}
    for look in looks.values():
        for pid, use in look.users.items():
            users[pid] = users[pid].plus(use) if pid in users else use
    return users
