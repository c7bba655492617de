"""ZFS pools: whole or not, what their devices met, how far a scrub is.

Sources: ``/proc/spl/kstat/zfs/<pool>/state`` (OpenZFS) and ``zpool status``, which alone knows
scrubs, devices and errors. Since OpenZFS 2.4 that question wakes disks that sleep
(openzfs/zfs#18247), so a pool is asked after only while its own disks are at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from publisher.errors import AbsentError, SourceError
from publisher.sources import block
from publisher.sources.children import Child, find
from publisher.subsystems.base import Rates, Subsystem
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.pool_disks import disks_at, pool_disks
from publisher.subsystems.disk.zpool import (
    FAILING,
    WORKING,
    PoolStatus,
    statuses,
    statuses_of_text,
)

_FOLDER = "/proc/spl/kstat/zfs"
_STATES = {"ONLINE": "ok", "DEGRADED": "degraded", "OFFLINE": "inactive"}
_GONE = ("FAULTED", "REMOVED", "UNAVAIL")
_PERIOD = 60.0
_PATIENCE = 30.0
# A disk that served a request so lately does not sleep: no timer is as short.
_LATELY = 60.0
_JSON = ("status", "-j", "--json-int")
_TEXT = ("status", "-p", "-P", "-L")
_PLAIN = ("status",)
# How `zpool` ends when it does not know an option, and what it is asked then: it speaks JSON since
# 2.3, and tells numbers and paths since 0.8.
_USAGE = 2
_OLDER = {_JSON: _TEXT, _TEXT: _PLAIN}


class Pools:
    """Every pool that is imported."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._child: Child | None = None
        self._question: tuple[str, ...] = _JSON
        self._asked = float("-inf")
        self._told: dict[str, PoolStatus] = {}
        self._states: Mapping[str, str] = {}
        self._changed = False
        self._rates = Rates()
        self._known: list[str] = []
        self._disks: Sequence[block.BlockDisk] = ()
        self._worked: dict[str, float] = {}
        self._members: Mapping[str, AbstractSet[str]] = {}
        self._members_of: object = None

    def watch(self, disks: Sequence[block.BlockDisk]) -> None:
        """The disks that there are now."""
        self._disks = disks
        self._members_of = None

    def attend(self, now: float, at_work: Iterable[str]) -> None:
        """Notes which disks are at work, and takes the answer of ``zpool`` when it comes."""
        if not self._known and self._child is None:
            return
        for name in at_work:
            self._worked[name] = now
        if self._child is None:
            return
        answer = self._child.poll()
        if answer is not None:
            self._child = None
            self._subsystem.part("zfs_scrub", lambda: self._take(answer, now))
        elif now - self._asked > _PATIENCE:
            self._child.kill()

    def read(self, now: float) -> dict[str, ArrayReading]:
        files = self._files
        pools = [name for name in files.names(_FOLDER) if files.exists(f"{_FOLDER}/{name}/state")]
        self._known = pools
        self._told = {name: told for name, told in self._told.items() if name in pools}
        states = {pool: files.hint(f"{_FOLDER}/{pool}/state") for pool in pools}
        # What a pool lacks must be known by the time that people are told.
        self._changed |= states != self._states
        self._states = states
        due_again = self._changed or now - self._asked >= _PERIOD
        if pools and files.live and not self._child and due_again:
            due = [pool for pool in pools if self._awake(pool, states, now)]
            if due:
                self._subsystem.part("zfs_scrub", lambda: self._ask(due, now))
        return {f"zfs-{pool}": self._reading(pool, states[pool]) for pool in pools}

    def close(self) -> None:
        if self._child:
            self._child.leave()

    def _awake(self, pool: str, states: Mapping[str, str], now: float) -> bool:
        """Whether no disk of a pool sleeps.

        Disks without platters may rest or not, they do not sleep. Of a pool that has lost a disk
        one that works will do: the lost one never will.
        """
        lately = {name for name, when in self._worked.items() if now - when < _LATELY}
        if not lately:
            return False
        files = self._files
        current = (tuple(states), tuple(files.names("/sys/class/block")))
        if self._members_of != current:
            self._members = pool_disks(files, self._disks, list(states))
            self._members_of = current
        told = self._told.get(pool)
        paths = [path for path, _ in told.devices] if told else []
        known = self._members.get(pool) or disks_at(files, paths)
        members = known or self._members.get("") or set()
        spinning = {disk.name for disk in self._disks if disk.spins and disk.name in members}
        if spinning and (states[pool] == "ONLINE" or not known):
            return spinning <= lately
        return bool((spinning or members) & lately)

    def _ask(self, due: list[str], now: float) -> None:
        self._asked, self._changed = now, False
        program = find("zpool")
        if program is None:
            raise AbsentError("no `zpool` to ask for scrubs", remedy="install zfsutils")
        names = [] if due == self._known else due
        self._child = Child([program, *self._question, *names])

    def _take(self, answer: tuple[int, bytes], now: float) -> None:
        asked_json = self._question == _JSON
        if answer[0] != 0:
            self._told.clear()
            if answer[0] == _USAGE:
                self._question = _OLDER.get(self._question, self._question)
            raise SourceError(f"ended with status {answer[0]}", path="zpool status")
        self._told |= (statuses if asked_json else statuses_of_text)(answer[1])
        for pool, told in self._told.items():
            if scan := told.scan:
                scan.speed = self._rates.per_second(
                    pool, scan.issued if scan.running else None, now
                )

    def _reading(self, pool: str, state: str) -> ArrayReading:
        told = self._told.get(pool)
        scan = told.scan if told else None
        running = scan if scan and scan.running else None
        speed = running.speed if running else None
        left = running.total - running.issued if running else 0
        devices = told.devices if told else ()
        errors = told.errors if told else None
        words = [word for _, word in devices]
        lost = told.lost if told else {}
        return ArrayReading(
            label=pool,
            kind="zfs",
            state=_state(state, [] if self._changed else words),
            devices_total=len(devices) or None,
            devices_working=words.count(WORKING) if devices else None,
            devices_failing=words.count(FAILING) if devices else None,
            spares_lost=lost.get("spares"),
            caches_lost=lost.get("caches"),
            logs_lost=lost.get("logs"),
            specials_lost=lost.get("specials"),
            errors=scan.errors if errors is None and scan else errors,
            activity=None if scan is None else scan.activity if running else "idle",
            progress_percent=min(100 * running.issued / running.total, 100.0)
            if running and running.total
            else None,
            speed_bytes_per_second=speed,
            remaining_seconds=round(left / speed) if speed and left > 0 else None,
        )


def _state(word: str, devices: Sequence[str]) -> str | None:
    """The state of a pool, by ZFS's word for it and for each of its devices.

    A pool may call itself online while one of its disks has failed
    (https://github.com/Napsty/check_zpools/pull/22).
    """
    if not word:
        return None
    if word == "ONLINE" and any(device in _GONE for device in devices):
        return "degraded"
    # A pool of one disk has nothing to make up for it.
    return "failing" if devices == [FAILING] else _STATES.get(word, "failed")
