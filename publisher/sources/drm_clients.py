"""Who uses a DRM driver's GPU: the ``fdinfo`` of every process that has it open.

Source: kernel documentation, gpu/drm-usage-stats, and each driver's own page. Engine time is in
nanoseconds (amdgpu, i915, nouveau, panfrost, msm, v3d), or in cycles beside the cycles that there
were (xe). One client may be open in several processes, and several times in one: it is counted
once. Values may run backwards for a while; then the larger one holds.

Walking all descriptors of all processes is dear, so it is done only while a GPU works, and again
only when those known do not explain how busy it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import KernelFiles
from publisher.sources.gpu_use import GpuUse
from publisher.sources.remedies import privilege

_DEVICES = "/dev/dri/"
_COMPUTE = "/dev/kfd"
_DIGITS = 20  # of what is counted in 64 bits
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ns": 1}
# Memory on the card; what else there is belongs to the machine.
_OWN_MEMORY = ("vram", "local")
_ENCODERS = ("enc",)
_DECODERS = ("dec", "jpeg")

_SOONEST_SECONDS = 4.0
_LATEST_SECONDS = 60.0
# A GPU without a counter of its own works when somebody's engine time grows.
_BLIND_SECONDS = 10.0
# The walk takes at most this share of a core.
_SHARE = 0.002
# The first namespace of processes, which sees all others (PROC_PID_INIT_INO).
_ALL_PROCESSES = "pid:[4026531836]"
# They leave out the line of an engine that was never used.
_SILENT_AT_ZERO = ("amdgpu",)


@dataclass(slots=True)
class Client:
    """One opened GPU, as one ``fdinfo`` tells it."""

    driver: str = ""
    device: str = ""
    number: str = ""
    engines: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, int] = field(default_factory=dict)
    total_cycles: dict[str, int] = field(default_factory=dict)
    capacity: dict[str, int] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> Client | None:
        """``None`` when it is no DRM client, or one whose driver tells no more than its name."""
        client = cls()
        for line in content.decode("utf-8", "replace").splitlines():
            key, _, rest = line.partition(":")
            if not key.startswith("drm-"):
                continue
            words = rest.split()
            if not words:
                continue
            if key == "drm-driver":
                client.driver = words[0]
            elif key == "drm-pdev":
                client.device = words[0]
            elif key == "drm-client-id":
                client.number = words[0]
            elif words[0].isdecimal() and len(words[0]) <= _DIGITS:
                unit = _UNITS.get(words[1] if len(words) > 1 else "")
                if unit is not None:
                    client._take(key[4:], int(words[0]) * unit)
        return client if client.driver and client.number else None

    @property
    def tells_time(self) -> bool:
        """Whether what it does shows in what its driver tells."""
        return bool(self.engines or self.cycles) or self.driver in _SILENT_AT_ZERO

    @property
    def memory_bytes(self) -> int | None:
        """What it holds on the card; on a GPU without memory of its own, what it holds at all."""
        amounts = {region: _held(kinds) for region, kinds in self.memory.items()}
        if not amounts:
            return None
        own = [held for region, held in amounts.items() if region.startswith(_OWN_MEMORY)]
        if own and (any(own) or self.driver in ("xe", "i915")):
            return sum(own)
        return sum(held for region, held in amounts.items() if region != "cpu")

    def _take(self, key: str, value: int) -> None:
        kind, _, name = key.partition("-")
        if key.startswith("engine-capacity-"):
            self.capacity[key[16:]] = value
        elif key.startswith("total-cycles-"):
            self.total_cycles[key[13:]] = value
        elif kind == "engine":
            self.engines[name] = value
        elif kind == "cycles":
            self.cycles[name] = value
        elif kind in ("memory", "resident", "total"):
            self.memory.setdefault(name, {})[kind] = value


class Clients:
    """All clients of all GPUs, and how much each used since it was last looked at."""

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._descriptors: dict[int, dict[str, str]] = {}
        self._before: dict[tuple[str, str], tuple[float, Client]] = {}
        self._walked_at = float("-inf")
        self._pause = 0.0
        self._cost = 0.0
        self._denied = False
        self._alone: bool | None = None
        self._unsure: set[str] = set()
        self.computing: set[int] = set()
        """Who has AMD's compute driver open (ROCm): its queues show in no ``fdinfo``."""

    @property
    def failure(self) -> DeniedError | None:
        """Why not every user can be known."""
        if not self._denied:
            return None
        return DeniedError(
            "other users' processes do not show this user what they have open",
            path="/proc/<pid>/fdinfo",
            remedy=privilege("CAP_SYS_PTRACE"),
        )

    @property
    def complete(self) -> bool:
        """Whether every user can be known: nobody is hidden from us by rights or a namespace."""
        if self._alone is None:
            try:
                here = os.readlink(f"{self._files.root}/proc/self/ns/pid")  # noqa: PTH115  # no path
            except OSError:
                here = _ALL_PROCESSES
            self._alone = here != _ALL_PROCESSES or self._hidden()
        return not self._denied and not self._alone

    def _hidden(self) -> bool:
        """Whether ``/proc`` is mounted with ``hidepid``: others see not even the first process."""
        files = self._files
        return files.live and files.exists("/proc/self") and not files.exists("/proc/1")

    def certain(self, device: str, nodes: Iterable[str], now: float) -> bool:
        """Whether all that was done with a GPU since the last look is known.

        It is when everybody who has it open was known at the last look, too, and tells engine
        time. Those who came since the last walk are looked for now, if a walk is not too dear.

        Args:
            device: its PCI address, or the name of its driver.
            nodes: the names of its device files, such as ``renderD128``.
            now: monotonic seconds, of the look before.
        """
        if not self.complete or not self._unsure.isdisjoint({device, *nodes}):
            return False
        if self._walked_at == now:
            return True
        if now - self._walked_at < self._cost / _SHARE:
            return False
        known = self._descriptors
        self._walk(now)
        return not self._denied and all(
            opened.keys() <= known.get(pid, {}).keys() for pid, opened in self._descriptors.items()
        )

    def search(self) -> None:
        """Somebody came: who has a GPU open is looked for with the next look."""
        self._walked_at = float("-inf")

    def forget(self) -> dict[str, dict[int, GpuUse]]:
        """No GPU works, so nobody uses one; whoever starts is looked for at once."""
        self._before.clear()
        self._walked_at = float("-inf")
        return {}

    def look(self, now: float, working: Mapping[str, float | None]) -> dict[str, dict[int, GpuUse]]:
        """What each process uses of each GPU.

        Args:
            now: monotonic seconds.
            working: the GPUs that may be at work, and how much by their own counter.
        """
        if now - self._walked_at >= self._pause:
            self._walk(now)
        users: dict[str, dict[int, GpuUse]] = {}
        before, self._before = self._before, {}
        self._unsure.clear()
        for pid, descriptors in sorted(self._descriptors.items()):
            self._of(pid, descriptors, now, before, users)
        explained = all(
            sum(use.percent or 0.0 for use in users.get(device, {}).values()) >= (usage or 0) / 2
            for device, usage in working.items()
        )
        if not explained:
            self._pause = max(_SOONEST_SECONDS, self._cost / _SHARE)
        elif None in working.values():
            self._pause = max(_BLIND_SECONDS, self._cost / _SHARE)
        return users

    def _of(
        self,
        pid: int,
        descriptors: Mapping[str, str],
        now: float,
        before: dict[tuple[str, str], tuple[float, Client]],
        users: dict[str, dict[int, GpuUse]],
    ) -> None:
        for descriptor, node in descriptors.items():
            try:
                content = self._files.read(f"/proc/{pid}/fdinfo/{descriptor}", keep=False)
            except AbsentError:  # it has closed it, or ended
                continue
            except SourceError:
                content = b""
            client = Client.parse(content)
            if client is None:
                self._unsure.add(node)
                continue
            # Numbers are unique within a device, at least (gpu/drm-usage-stats).
            device = client.device or client.driver
            key = (device, client.number)
            if key in self._before:
                continue
            earlier = before.get(key)
            if earlier is None or not client.tells_time:
                self._unsure.add(device)
            use = _use(client, earlier[1] if earlier else None, now - (earlier or (now,))[0])
            self._before[key] = (now, client)
            of_device = users.setdefault(device, {})
            use = GpuUse(use.percent, use.memory_bytes, use.encode_percent, use.decode_percent,
                         None, device)  # fmt: skip
            of_device[pid] = of_device[pid].plus(use) if pid in of_device else use

    def _walk(self, now: float) -> None:
        """Finds every process that has a GPU open."""
        began = time.thread_time()
        root = self._files.root
        found: dict[int, dict[str, str]] = {}
        computing: set[int] = set()
        denied = False
        for name in self._files.names("/proc"):
            if not name.isdecimal():
                continue
            directory = f"{root}/proc/{name}/fd"
            try:
                descriptors = os.listdir(directory)
            except PermissionError:
                denied = True
                continue
            except OSError:
                continue
            mine: dict[str, str] = {}
            for descriptor in descriptors:
                try:
                    target = os.readlink(f"{directory}/{descriptor}")  # noqa: PTH115  # hot
                except OSError:
                    continue
                if target.endswith(_COMPUTE):
                    computing.add(int(name))
                elif _DEVICES in target:
                    self._files.link(f"/proc/{name}/fd/{descriptor}")  # so that captures have it
                    mine[descriptor] = target.rpartition("/")[2]
            if mine:
                found[int(name)] = mine
        self._descriptors, self.computing = found, computing
        self._denied = denied
        self._cost = time.thread_time() - began
        self._walked_at = now
        self._pause = max(_LATEST_SECONDS, self._cost / _SHARE)


def _held(kinds: Mapping[str, int]) -> int:
    """Resident memory where the driver tells it apart from reserved."""
    for kind in ("resident", "memory", "total"):
        if kind in kinds:
            return kinds[kind]
    return 0


def _use(client: Client, before: Client | None, seconds: float) -> GpuUse:
    memory = client.memory_bytes
    if before is None or seconds <= 0:
        return GpuUse(memory_bytes=memory)
    shares: dict[str, float] = {}
    for engine in client.engines:
        shares[engine] = _growth(client.engines, before.engines, engine) / (seconds * 1e9)
    for engine in client.cycles.keys() & client.total_cycles.keys() - shares.keys():
        grown = _growth(client.cycles, before.cycles, engine)
        total = client.total_cycles[engine] - before.total_cycles.get(engine, 0)
        shares[engine] = grown / total if total > 0 else 0.0
    percent = {
        engine: min(100 * share / (client.capacity.get(engine) or 1), 100.0)
        for engine, share in shares.items()
    }
    if not percent:
        return GpuUse(memory_bytes=memory)
    return GpuUse(
        # Engines work side by side: a GPU is as busy as its busiest one.
        percent=max(percent.values()),
        memory_bytes=memory,
        encode_percent=_most(percent, _ENCODERS),
        decode_percent=_most(percent, _DECODERS),
    )


def _growth(values: dict[str, int], before: Mapping[str, int], name: str) -> int:
    """How much a counter grew; a smaller value than before is replaced by that before."""
    values[name] = max(values[name], before.get(name, 0))
    return values[name] - before.get(name, 0)


def _most(percent: Mapping[str, float], names: tuple[str, ...]) -> float | None:
    return max((share for engine, share in percent.items() if engine.startswith(names)),
               default=None)  # fmt: skip
