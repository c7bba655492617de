"""GPUs of the kernel's own graphics drivers (DRM): amdgpu, i915, xe, nouveau, panfrost, msm, v3d.

Values come from the driver's files in sysfs (kernel documentation, gpu/amdgpu/thermal,
ABI/testing/sysfs-driver-intel-i915-hwmon, sysfs-driver-intel-xe-hwmon, and the drivers' sources)
and its sensor chip (``drm_cards``); who uses the GPU comes from ``fdinfo`` (``drm_clients``).
Not every driver's own counter is believed (``drm_doubts``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from publisher.errors import SourceError
from publisher.sources import gpu_use as gpu
from publisher.sources.bounded import Bounded
from publisher.sources.drm_cards import CLASS, Card, card_of
from publisher.sources.drm_clients import Clients
from publisher.sources.drm_doubts import Doubts
from publisher.sources.files import KernelFiles
from publisher.sources.gpu_use import GpuLook, GpuUse

_CARD = re.compile(r"card\d+")
# They draw on somebody else's hardware, or on none; NVIDIA's own driver is asked through NVML.
_NO_ENGINE = {"nvidia", "ast", "mgag200", "bochs-drm", "virtio-pci", "vmwgfx", "qxl", "vkms",
              "vgem", "simple-framebuffer", "hyperv_drm", "cirrus", "gud", "udl",
              "evdi"}  # fmt: skip
# A partition of an AMD accelerator, which is told as a whole (gpu/amdgpu, amdgpu_xcp).
_PARTITION = "amdgpu_xcp"
_DISPLAY_CLASS = "0x03"
_RESCAN_SECONDS = 30.0
_DEADLINE = 1.5  # seconds for one card: two may hang while a third is told


class Cards:
    """All GPUs of DRM drivers, looked for again now and then.

    Args:
        files: kernel files.
        clock: monotonic seconds.
    """

    def __init__(self, files: KernelFiles, clock: Callable[[], float]) -> None:
        self._files = files
        self._clock = clock
        self._cards: dict[str, Card] = {}
        self._names: list[str] | None = None
        self._looked_at = float("-inf")
        self._workers: dict[str, Bounded] = {}
        self._states: dict[str, str] = {}
        self.clients = Clients(files)
        self._doubts = Doubts(files, self.clients)

    def look(self, *, skip: Sequence[str] = ()) -> dict[str, GpuLook]:
        """One look at every GPU, by PCI address, else by the name of its device.

        Args:
            skip: addresses that somebody else looks after.
        """
        now = self._clock()
        self._find(now)
        cards = {name: card for name, card in self._cards.items() if name not in skip}
        alone = len(cards) + len(skip) == 1
        looks: dict[str, GpuLook] = {}
        for name, card in cards.items():
            # One that slept is asked no more than whether it still does.
            inline = alone or self._states.get(name, gpu.ACTIVE) in (gpu.ASLEEP, gpu.RESTING)
            looks[name] = self._look_at(name, card, now, inline=inline)
            self._states[name] = looks[name].facts["state"]
        active = [name for name, look in looks.items() if look.facts["state"] == gpu.ACTIVE]
        # Not a 0 by its own counter, so somebody may be at work.
        working = {
            name: looks[name].facts.get("usage_percent")
            for name in active
            if looks[name].facts.get("usage_percent") != 0
        }
        doubts = self._doubts
        if working and all(doubts.calm(cards[name], working[name], now) for name in working):
            for name in working:
                looks[name] = doubts.as_before(cards[name], looks[name], now)
        else:
            expected = {
                name: doubts.expected(cards[name], usage, now) for name, usage in working.items()
            }
            users = self.clients.look(now, expected) if working else self.clients.forget()
            for name in working:
                looks[name] = self._with_users(name, looks[name], users, now)
                doubts.keep(cards[name], looks[name], now)
        for identity in active:
            cards[identity].rest.note(now, idle=looks[identity].facts.get("usage_percent") == 0)
            cards[identity].rest.let_go()
        return looks

    def close(self) -> None:
        """Ends the threads; one that is stuck in a driver is left behind."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _look_at(self, identity: str, card: Card, now: float, *, inline: bool) -> GpuLook:
        """One card; what is wrong with it takes no other down.

        A driver whose GPU does not come back from a reset may never answer: where there are
        others, each is asked in a thread of its own.
        """
        try:
            if inline:
                return GpuLook(card.look(now), failure=card.failure)
            worker = self._workers.get(identity)
            if worker is None:
                worker = Bounded(f"gpu-{identity}", f"{card.driver}'s GPU", _DEADLINE, self._clock)
                self._workers[identity] = worker
            return GpuLook(worker.run(lambda: card.look(now)), failure=card.failure)
        except SourceError as error:
            return GpuLook(card.known | {"state": gpu.UNREACHABLE}, failure=error)

    def _with_users(
        self,
        identity: str,
        look: GpuLook,
        users: Mapping[str, Mapping[int, GpuUse]],
        now: float,
    ) -> GpuLook:
        card, facts, failure = self._cards[identity], dict(look.facts), look.failure
        # A device that is not on PCI is known to its clients by its driver alone.
        known_as = identity if users.get(identity) else card.driver
        of_it = dict(users.get(known_as, {}))
        explained = sum(use.percent or 0.0 for use in of_it.values())
        usage = facts.get("usage_percent")
        doubt = self._doubts.doubt(card, known_as, explained, usage, now)
        if doubt is not None:
            facts.pop("usage_percent", None)
            if self.clients.complete:
                facts["usage_percent"] = min(explained, 100.0)
            failure = failure or self._doubts.reason(card, doubt, now)
        elif card.driver == "amdgpu":
            of_it = _with_compute(of_it, self.clients.computing, usage)
        done = card.used_by(facts, of_it, complete=self.clients.complete)
        if doubt is not None and not self.clients.complete:
            done.facts.pop("usage_percent", None)  # that of some users is not that of all
        if "usage_percent" not in done.facts and failure is None:
            failure = card.untold()
        return replace(done, failure=failure)

    def without_driver(self) -> list[str]:
        """What is known of display adapters that no driver of ours looks after, in words."""
        found = []
        for address in self._files.names(gpu.PCI_DEVICES):
            device = f"{gpu.PCI_DEVICES}/{address}"
            try:
                if not self._files.text(f"{device}/class", keep=False).startswith(_DISPLAY_CLASS):
                    continue
                vendor = int(self._files.text(f"{device}/vendor", keep=False), 16)
            except (SourceError, ValueError):
                continue
            name = gpu.vendor_name(vendor)
            driver = _driver(self._files, device)
            if driver == "vfio-pci":
                found.append(f"{address} is given to a virtual machine")
            elif name and not driver:
                found.append(f"the {name} GPU {address} has no driver")
        return found

    def _find(self, now: float) -> None:
        gone = any(not self._files.exists(card.device) for card in self._cards.values())
        if self._names is not None and not gone and now - self._looked_at < _RESCAN_SECONDS:
            return
        self._looked_at = now
        names = [name for name in self._files.names(CLASS) if _CARD.fullmatch(name)]
        if names == self._names and not gone:
            return
        self._names = names
        cards: dict[str, Card] = {}
        for name in names:
            device = self._files.link(f"{CLASS}/{name}/device")
            if device is None:
                continue
            driver = _driver(self._files, device)
            if device.rpartition("/")[2].startswith(_PARTITION):
                continue
            # Without a render node it can only show pictures.
            nodes = self._files.names(f"{device}/drm")
            if driver in _NO_ENGINE or not any(node.startswith("renderD") for node in nodes):
                continue
            identity = device.rpartition("/")[2]
            cards[identity] = self._cards.get(identity) or card_of(
                self._files, name, device, driver
            )
        for identity in self._cards.keys() - cards.keys():
            self._states.pop(identity, None)
            self._doubts.forget(self._cards[identity])
            if worker := self._workers.pop(identity, None):
                worker.close()
        self._cards = cards


def _with_compute(
    users: dict[int, GpuUse], computing: set[int], usage: float | None
) -> dict[int, GpuUse]:
    """Charges the work that no engine time explains to the one user who computes, if it is one.

    What ROCm's queues do is in nobody's engine time (amdgpu counts its contexts there).
    """
    suspects = computing & users.keys()
    rest = (usage or 0.0) - sum(use.percent or 0.0 for use in users.values())
    if len(suspects) != 1 or rest <= 0:
        return users
    (pid,) = suspects
    return users | {pid: replace(users[pid], percent=(users[pid].percent or 0.0) + rest)}


def _driver(files: KernelFiles, device: str) -> str:
    path = files.link(f"{device}/driver")
    return path.rpartition("/")[2] if path else ""
