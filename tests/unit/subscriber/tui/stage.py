"""A screen without a broker, and a machine with a fan that has something to say."""

from __future__ import annotations

import json
import os
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from publisher.contract.model import json_schema
from publisher.contract.payload import rfc3339
from publisher.contract.topics import readings_of, registry
from publisher.subsystems import SUBSYSTEMS
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.tui.app import WatchApp

NOW = 1_800_000_000.0  # a Friday, 08:00 in Greenwich
SNAPSHOTS = Path(__file__).parent / "snapshots"
_MIB = 1 << 20


class Script:
    """A source that says what it is given."""

    def __init__(self, *items: Any) -> None:
        self.items = deque(items)
        self.asked: list[tuple[str, str]] = []

    def get(self, timeout: float | None = None) -> Any:
        return self.items.popleft() if self.items else None

    def command(self, prefix: str, word: str) -> None:
        self.asked.append((prefix, word))


class Stage:
    """A running screen.

    Attributes:
        now: what its clock says, in seconds since the epoch.
    """

    def __init__(self, app: WatchApp, script: Script, pilot: Pilot[None]) -> None:
        self.app = app
        self.script = script
        self.pilot = pilot

    async def say(self, *items: Any) -> None:
        self.script.items.extend(items)
        self.app.take_in()
        await self.settle()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def click(self, words: str) -> None:
        """Clicks the first place of the screen where the words are shown."""
        for row, line in enumerate(self.text.splitlines()):
            if words in line:
                await self.pilot.click(offset=(line.index(words) + 1, row))
                await self.settle()
                return
        raise AssertionError(f"{words!r} is nowhere on\n{self.text}")

    async def settle(self) -> None:
        for _ in range(1000):
            await self.pilot.pause()
            if not self.script.items:
                break
        for _ in range(3):
            await self.pilot.pause()
        self.app.draw()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        strips = self.app.screen._compositor.render_strips()  # noqa: SLF001  # no public way
        lines = ["".join(part.text for part in strip).rstrip() for strip in strips]
        return "\n".join(lines) + "\n"

    def shows(self, name: str) -> None:
        """Compares with the snapshot of that name; ``FANWHY_SNAPSHOTS=write`` makes it anew."""
        size = f"{self.app.size.width}x{self.app.size.height}"
        path = SNAPSHOTS / f"{name}-{size}.txt"
        if os.environ.get("FANWHY_SNAPSHOTS") == "write":
            path.write_text(self.text, encoding="utf-8")
        assert self.text == path.read_text(encoding="utf-8"), path.name


@cache
def schema() -> dict[str, Any]:
    """The catalogue of a daemon with all subsystems."""
    rows = registry({each.name: each.reading for each in SUBSYSTEMS})
    found: dict[str, Any] = json.loads(json.dumps(json_schema(readings_of(rows))))
    return found


def said(leaf: str, prefix: str = "host", *, at: float = NOW, **content: Any) -> Received:
    """A message of a host that is called as the end of its prefix; ``nas`` under the plain one."""
    host = "nas" if prefix == "host" else prefix.rpartition("/")[2]
    return Received(prefix, leaf, {"host": host, "time": rfc3339(at)} | content)


def consumer(label: str, group: str, kind: str, **amounts: float) -> dict[str, Any]:
    return {"label": label, "group": group, "kind": kind, "pid": 4711, "confidence": 0.9} | amounts


BUILD = consumer("Software build", "make -j8", "job", cpu_percent=640.0,
                 memory_bytes=3100 * _MIB, process_count=27)  # fmt: skip
RESTIC = consumer("Restic backup", "restic", "unit", cpu_percent=48.0, memory_bytes=410 * _MIB,
                  disk_read_bytes_per_second=92.0 * _MIB, process_count=1,
                  network_transmit_bytes_per_second=11.5 * _MIB)  # fmt: skip
JELLYFIN = consumer("Jellyfin", "jellyfin", "container", cpu_percent=12.5,
                    memory_bytes=700 * _MIB, process_count=2,
                    network_transmit_bytes_per_second=2.5 * _MIB)  # fmt: skip
HEADLINE = (
    "CPU usage high due to: Software build (make -j8), most of it, then Restic backup (restic)"
)
CAUSES = [
    {"category": "development", "label": "Software build", "kind": "job", "group": "make -j8",
     "resource": "cpu", "share_percent": 84, "cpu_percent": 640, "memory_bytes": 3100 * _MIB,
     "power_watts": 52.0, "process_count": 27, "since": rfc3339(NOW - 250), "active": True,
     "confidence": 0.95, "reason": "27 processes of make, cc1plus and ld", "pid": 4711,
     "pids": [4720, 4721], "usual": "as on 6 of the last 7 days",
     "to_stop": "kill -STOP -4711"},
    {"category": "backup", "label": "Restic backup", "kind": "unit", "group": "restic",
     "resource": "disk", "share_percent": 71, "cpu_percent": 48, "on_behalf_of": "borgmatic",
     "disk_bytes_per_second": 92.0 * _MIB, "since": rfc3339(NOW - 3700), "active": True,
     "confidence": 0.8, "reason": "reads most of what is read", "unit": "restic.service",
     "to_stop": "systemctl stop restic.service"},
]  # fmt: skip


def timeline(prefix: str = "host", *, until: float = NOW) -> Received:
    """The night before: a backup at three, an alert, an hour in which nobody watched."""
    began = NOW - 10 * 3600

    def at(minutes: float) -> str:
        return rfc3339(began + 60 * minutes)

    return said(
        "timeline", prefix, since=at(0), until=rfc3339(until), left_out=0,
        causes=[
            {"label": "Restic backup", "group": "restic", "category": "backup", "resource": "disk",
             "share_percent": 88, "began": at(298), "ended": at(324)},
            {"label": "Software build", "group": "make -j8", "category": "development",
             "resource": "cpu", "share_percent": 84, "began": rfc3339(NOW - 250)},
        ],
        states=[
            {"state": "quiet", "headline": "System load normal", "began": at(0), "ended": at(298)},
            {"state": "hot", "headline": "High disk I/O from Restic backup (restic)",
             "began": at(298), "ended": at(324)},
            {"state": "quiet", "headline": "System load normal", "began": at(324),
             "ended": at(420)},
            {"state": "quiet", "headline": "System load normal", "began": at(480),
             "ended": rfc3339(NOW - 250)},
            {"state": "busy", "headline": HEADLINE, "began": rfc3339(NOW - 250)},
        ],
        alerts=[
            {"alert": "temperature", "severity": "warning", "label": "CPU",
             "message": "CPU at 91 °C", "began": at(305), "ended": at(312)},
        ],
        gaps=[{"reason": "not_running", "began": at(420), "ended": at(480)}],
        series=[
            {"began": at(0), "step_seconds": 300.0,
             "cpu_percent": [3] * 60 + [60, 70, 64, 66, 58] + [4] * 55,
             "cpu_temperature_celsius": [41] * 60 + [80, 91, 88, 84, 70] + [42] * 55,
             "fan_speed_rpm": [600] * 60 + [1500, 1870, 1800, 1700, 1400] + [610] * 55},
        ],
    )  # fmt: skip


def machine(prefix: str = "host", **changes: dict[str, Any]) -> list[Any]:
    """All that one host says; ``changes`` by topic."""
    content: dict[str, dict[str, Any]] = {
        "cpu": {"usage_percent": 87.4, "per_core_percent": [100, 75, 90, 85, 10, 20, 30, 40],
                "load_average": [8.1, 4.0, 2.0], "pressure_some_percent": 31.5,
                "top": [BUILD, RESTIC, JELLYFIN]},
        "memory": {"used_percent": 61.2, "total_bytes": 32 << 30, "used_bytes": 19 << 30,
                   "swap_used_bytes": 0, "top": [BUILD, JELLYFIN, RESTIC]},
        "disk": {"busy_percent": 71.0, "fullest_percent": 93.5,
                 "read_bytes_per_second": 92.0 * _MIB, "write_bytes_per_second": 0,
                 "devices": {"disk-1": {"label": "sda", "busy_percent": 71.0}},
                 "filesystems": {"disk-1": {"label": "/srv", "used_percent": 93.5}},
                 "arrays": {}, "top": [RESTIC]},
        "network": {"receive_bytes_per_second": 4096, "transmit_bytes_per_second": 14.0 * _MIB,
                    "interfaces": {"pci-1": {"label": "eth0", "state": "up"}},
                    "top": [RESTIC, JELLYFIN]},
        "thermal": {"cpu_temperature_celsius": 88.0, "fan_speed_rpm": 2100,
                    "fans": {"nct6798/fan2": {"label": "CPU fan", "speed_rpm": 2100}},
                    "temperatures": {"k10temp": {"label": "Tctl", "temperature_celsius": 88.0}}},
        "power": {"cpu_power_watts": 61.4, "meters": {}, "supplies": {}},
        "explanation": {
            "state": "hot", "headline": HEADLINE, "causes": CAUSES, "since": rfc3339(NOW - 250),
            "evidence": {"cpu_percent": 87.4, "fan_speed_rpm": 2100, "power_watts": 61,
                         "cpu_temperature_celsius": 88.0},
            "rejected": [{"label": "Jellyfin", "category": "media",
                          "reason": "uses 2 % of the CPU time"}],
        },
        "info": {"operating_system": "Debian GNU/Linux 12", "cpu_model": "AMD Ryzen 7 5700G",
                 "senses": {"gpu": {"state": "absent", "reason": "no GPU"}}},
        "self": {"cpu_percent": 0.12, "memory_bytes": 25 * _MIB},
    }  # fmt: skip
    found = [said(leaf, prefix, **(body | changes.get(leaf, {}))) for leaf, body in content.items()]
    return [
        Received(prefix, "catalogue", schema()),
        Received(prefix, "status", OnlineStatus.ONLINE),
        *found,
    ]


def event(number: int, message: str, **more: Any) -> Received:
    """Something happened, so many seconds ago."""
    content = {"id": f"e{number}", "event": "cause_began", "message": message} | more
    return said("event", at=NOW - number, **content)


def fleet() -> list[Any]:
    """Sixty hosts: seven busy, one hot, one cooling, two offline, one stale."""
    found: list[Any] = [Received("host/h00", "catalogue", schema())]
    for number in range(60):
        prefix = f"host/h{number:02}"
        state, headline, at = "quiet", "System load normal", NOW - number
        causes: list[dict[str, Any]] = []
        if 10 <= number < 17:
            state, headline = "busy", f"CPU usage high due to: Software build (make -j{number})"
            causes = [{"label": "Software build", "active": True}]
        elif number == 33:
            state, headline = "hot", "CPU usage high due to: Video transcoding (ffmpeg)"
        elif number == 40:
            state, headline = "cooling", "Fan still cooling after Software build"
        elif number == 50:
            at = NOW - 4000
        evidence = {"cpu_temperature_celsius": 40 + number % 9, "fan_speed_rpm": 600 + number,
                    "power_watts": 20 + number}  # fmt: skip
        offline = number in (5, 6)
        found += [
            Received(prefix, "catalogue", schema()),
            Received(prefix, "status", OnlineStatus.OFFLINE if offline else OnlineStatus.ONLINE),
            said("explanation", prefix, at=at, state=state, headline=headline, evidence=evidence,
                 since=rfc3339(NOW - 600), causes=causes),
        ]  # fmt: skip
    # Clocks are told apart by what is not retained; all of these are kept by the broker.
    return [Received(each.prefix, each.leaf, each.content, retained=True) for each in found]
