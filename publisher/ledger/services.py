"""Containers and units one by one, from window to window: those that work, and those that rest.

The ledger's accounts tell of those that worked. One that rests is up for as long as its main
process is in its control group; what is gone is kept by name for a week, so that it can be told
that it is down, also after fanwhy was started anew.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.printable import LONGEST_NAME, shown
from publisher.contract.readings import GroupKind, ServiceReading, ServicesReading
from publisher.errors import MALFORMED
from publisher.ledger.accounts import Account, Balance
from publisher.sources.files import KernelFiles

log = logging.getLogger(__name__)

_FILE: Final = "services.json"
_MOST: Final = {GroupKind.CONTAINER: 64, GroupKind.UNIT: 16}
_SMOOTHED_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 20.0
_KEPT_SECONDS: Final = 7 * 86400.0
_NOTED_SECONDS: Final = 3600.0
# What a unit must use to be one of the largest: of all processors, or memory.
_LARGE_PERCENT: Final = 1.0
_LARGE_BYTES: Final = 64 << 20


@dataclass(slots=True)
class _Service:
    """One of them.

    Attributes:
        seen: when it was last up, in seconds since the epoch.
        pid: its main process; ``None``: not known yet, or gone.
        anchor: the control group that holds all of it.
        percent: of all processors, smoothed.
    """

    kind: GroupKind
    seen: float
    label: str
    pid: int | None = None
    anchor: str = ""
    up: bool = False
    percent: float = 0.0
    memory: int | None = None


class Services:
    """Keeps them.

    Args:
        files: where control groups of processes are read.
        state_dir: where their names are kept; ``None`` keeps nothing.
    """

    def __init__(self, files: KernelFiles, state_dir: str | None) -> None:
        self._files = files
        self._path = Path(state_dir, _FILE) if state_dir else None
        self._known: dict[str, _Service] = {}
        self._look_at = self._note_at = float("-inf")
        self._changed = False
        self._recall()

    def follow(self, balance: Balance, now: float, wall: float) -> ServicesReading:
        """Takes in a window.

        Args:
            balance: who worked in it.
            now: monotonic seconds.
            wall: seconds since the epoch.
        """
        kept = math.exp(-balance.window_seconds / _SMOOTHED_SECONDS)
        for service in self._known.values():
            service.percent *= kept
        for account in balance.accounts:
            if account.place is not None and not account.group.own:
                self._take(account, balance, 1 - kept, wall)
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look(wall)
        if self._changed or now >= self._note_at:
            self._changed, self._note_at = False, now + _NOTED_SECONDS
            self._note()
        return ServicesReading(
            containers=self._readings(GroupKind.CONTAINER), units=self._readings(GroupKind.UNIT)
        )

    def _take(self, account: Account, balance: Balance, part: float, wall: float) -> None:
        place = account.place
        if place is None or place.inner:
            return  # what is inside a container is its own
        name = account.called or place.label if place.kind is GroupKind.CONTAINER else place.unit
        name = shown(name, LONGEST_NAME)
        percent = balance.percent(account.cpu_seconds) / balance.cores
        service = self._known.get(name)
        if service is None or service.kind is not place.kind:
            large = percent >= _LARGE_PERCENT or (account.memory_bytes or 0) >= _LARGE_BYTES
            many = sum(each.kind is place.kind for each in self._known.values())
            if many >= _MOST[place.kind] or (place.kind is GroupKind.UNIT and not large):
                return
            service = self._known[name] = _Service(place.kind, wall, account.group.label)
            self._changed = True
        service.percent += part * percent
        service.memory = account.memory_bytes
        service.pid, service.anchor = account.pid or service.pid, place.anchor
        service.up, service.seen = True, wall

    def _look(self, wall: float) -> None:
        """Whether those that rest are still there; forgets those that are long gone."""
        for name, service in list(self._known.items()):
            service.up = self._lives(service)
            if service.up:
                service.seen = wall
            elif not 0 <= wall - service.seen < _KEPT_SECONDS:
                del self._known[name]
                self._changed = True

    def _lives(self, service: _Service) -> bool:
        if service.pid is None:
            return False
        groups = self._files.hint(f"/proc/{service.pid}/cgroup")
        return any(line.partition(":")[2].partition(":")[2].startswith(service.anchor)
                   for line in groups.splitlines())  # fmt: skip

    def _readings(self, kind: GroupKind) -> dict[str, ServiceReading]:
        return {
            name: ServiceReading(
                label=service.label,
                up=service.up,
                cpu_percent=service.percent if service.up else 0.0,
                memory_bytes=service.memory if service.up else 0,
            )
            for name, service in sorted(self._known.items())
            if service.kind is kind
        }

    def _recall(self) -> None:
        if self._path is None:
            return
        try:
            for name, (kind, label, seen) in load_json(self._path).items():
                if len(self._known) < sum(_MOST.values()):
                    self._known[shown(str(name), LONGEST_NAME)] = _Service(
                        GroupKind(kind), float(seen), shown(str(label), LONGEST_NAME)
                    )
        except FileNotFoundError:
            pass
        except (OSError, *MALFORMED) as error:
            log.warning("%s cannot be used (%s): containers are looked for anew", self._path, error)

    def _note(self) -> None:
        if self._path is None:
            return
        content = {
            name: [str(service.kind), service.label, round(service.seen)]
            for name, service in self._known.items()
        }
        try:
            save(self._path, json.dumps(content, separators=(",", ":")))
        except OSError as error:
            log.warning("%s: names of containers are not kept: %s", self._path, error.strerror)
