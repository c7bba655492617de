"""A real browser before the real page: Debian's Chromium, a mosquitto, hosts that speak."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from servers import REPOSITORY, Mosquitto, Server, free_port, wait_until

from publisher.contract.metric import Reading, Unit, gauge, instances, reading
from publisher.contract.model import json_schema
from publisher.contract.payload import Envelope, rfc3339, to_json
from publisher.contract.readings import (
    CauseReading,
    EvidenceReading,
    ExplanationReading,
    HealthReading,
    InfoReading,
    RejectedReading,
)
from publisher.contract.timeline import (
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)

HOUR = 3600.0
expect.set_options(timeout=15_000)
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
# What the browser says of an answer that a test has asked for, or of a server that it has ended.
EXPECTED = (
    "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE_CHUNKED", "status of 403", "status of 404",
)  # fmt: skip


@reading
class BellReading(Reading):
    """One bell."""

    supply_volts: float | None = gauge("Supply", "Voltage.", unit=Unit.VOLTS, precision=2)


@reading
class DoorbellReading(Reading):
    """A subsystem that nobody has heard of."""

    rings: int | None = gauge("Rings today", "Times it rang.", headline=True)
    bells: dict[str, BellReading] = instances(BellReading, "Bells", "All of them.")


CATALOGUE = json_schema(
    {"doorbell": DoorbellReading, "explanation": ExplanationReading, "info": InfoReading}
)


class WebPage(Server):
    """``fanwhy-sub web`` with an archive or without."""

    def __init__(self, directory: Path, broker: str, configuration: str = "") -> None:
        super().__init__(directory / "web.log")
        self.port = free_port()
        self.state = directory / "web-state"
        self.config = directory / "web.toml"
        self.config.write_text(f'[broker]\nurl = "{broker}"\n{configuration}')
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
        self.environment = {**kept, "STATE_DIRECTORY": str(self.state), "TZ": "UTC"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def command(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """``fanwhy-sub web`` with more words."""
        return subprocess.run(
            [sys.executable, "-m", "subscriber_cli", "web", *words],
            cwd=REPOSITORY, env=self.environment, input=given, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    def start(self) -> WebPage:
        command = [sys.executable, "-m", "subscriber_cli", "web", "--config", str(self.config)]
        self.launch([*command, "--port", str(self.port)], cwd=REPOSITORY, env=self.environment)
        self.wait_for_ports(self.port)
        return self


class Host:
    """A machine that says what a test wants."""

    def __init__(self, broker: Mosquitto, name: str = "nas") -> None:
        self.name = name
        self.prefix = f"host/{name}"
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.will_set(f"{self.prefix}/status", "offline", 1, retain=True)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self.put("catalogue", CATALOGUE)
        self.raw("status", b"online")

    def raw(self, leaf: str, payload: bytes) -> None:
        wait_until(self._client.is_connected, 30)
        sent = self._client.publish(f"{self.prefix}/{leaf}", payload, 1, retain=leaf != "event")
        sent.wait_for_publish(10)

    def put(self, leaf: str, content: Any) -> None:
        if isinstance(content, Reading):
            content = to_json(content)
        document = Envelope(self.name).wrap(content, time.time())
        self.raw(leaf, json.dumps(document).encode())

    def explain(self, headline: str, *causes: CauseReading, **more: Any) -> None:
        now = time.time()
        told: dict[str, Any] = {
            "state": "hot", "since": rfc3339(now - 600), "quiet_in_seconds": 300.0,
            "evidence": EvidenceReading(fan_speed_rpm=2100, cpu_temperature_celsius=78.0),
            "rejected": (RejectedReading(label="Jellyfin", reason="used 2 % of a core"),),
        }  # fmt: skip
        self.put("explanation", ExplanationReading(headline=headline, causes=causes, **told | more))

    def stop(self, *, orderly: bool = True) -> None:
        if not orderly:  # its will is told
            sock = self._client.socket()
            if sock is not None:
                sock.close()
        self._client.loop_stop()
        self._client.disconnect()


BACKUP = CauseReading(
    label="Backup", name="Backup (restic)", category="backup", group="restic", resource="cpu",
    share_percent=81.0, cpu_percent=160.0, active=True, pid=4711,
    reason="uses much of the CPU time",
    to_stop="systemctl stop restic", on_behalf_of="nightly.timer",
)  # fmt: skip


def a_night(now: float) -> TimelineReading:
    """Twelve hours: a backup from ten to eight hours ago, a build from four to three."""

    def span(began: float, ended: float) -> dict[str, Any]:
        return {"began": rfc3339(now - began * HOUR), "ended": rfc3339(now - ended * HOUR)}

    return TimelineReading(
        since=rfc3339(now - 12 * HOUR),
        until=rfc3339(now),
        states=(
            PastStateReading(state="quiet", headline="System load normal", **span(12, 10)),
            PastStateReading(state="hot", headline="Hot from the nightly backup", **span(10, 8)),
            PastStateReading(state="quiet", headline="System load normal", **span(8, 4)),
            PastStateReading(state="busy", headline="Busy with a build", **span(4, 3)),
            PastStateReading(state="quiet", headline="System load normal", **span(3, 0)),
        ),
        causes=(
            PastCauseReading(label="Backup", group="restic", resource="cpu", share_percent=80.0,
                             **span(10, 8)),
            PastCauseReading(label="Software build", group="make", resource="cpu",
                             share_percent=95.0, **span(4, 3)),
        ),
        series=(
            SeriesReading(
                began=rfc3339(now - 12 * HOUR), step_seconds=1800.0,
                cpu_temperature_celsius=[40.0 + 30 * (4 <= index < 8) for index in range(24)],
                fan_speed_rpm=[700.0 + 1400 * (4 <= index < 9) for index in range(24)],
                power_watts=[12.0 + 40 * (4 <= index < 8) for index in range(24)],
            ),
        ),
    )  # fmt: skip


def lived_in(host: Host) -> None:
    """Has a host say all that a page can show."""
    denied = HealthReading(state="denied", reason="root alone may read it", remedy="add CAP_X")
    host.put("info", InfoReading(operating_system="Debian", senses={"power.rapl": denied}))
    host.put("timeline", a_night(time.time()))
    bells = {"front": BellReading(supply_volts=3.01)}
    host.put("doorbell", DoorbellReading(rings=3, bells=bells))
    host.explain("CPU usage high due to: Backup (restic)", BACKUP)
    host.put("event", {"id": "1", "event": "cause_began", "message": "Backup (restic) began"})


@dataclass  # without slots: playwright hangs something onto it
class Seen:
    """What a browser has complained about, and whom it has asked."""

    complaints: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def note(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(
            known in message.text for known in EXPECTED
        ):
            self.complaints.append(message.text)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "no browser; `make test` says how to install one"
    with sync_playwright() as playwright:
        # As root the browser's own sandbox does not start.
        options = ["--no-sandbox", "--disable-gpu"] if os.geteuid() == 0 else ["--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@dataclass
class Home:
    """A broker, a machine, and the page that shows it."""

    broker: Mosquitto
    nas: Host
    web: WebPage


def make_home(directory: Path) -> Iterator[Home]:
    broker = Mosquitto(directory).start()
    web = WebPage(directory, broker.url).start()
    nas = Host(broker)
    lived_in(nas)
    yield Home(broker, nas, web)
    nas.stop()
    assert web.running, web.log.read_text()
    assert web.end() == 0
    broker.kill()
    assert "Traceback" not in web.log.read_text()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """One that a test may do with as it likes."""
    yield from make_home(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One that several tests look at; each leaves it as it was."""
    yield from make_home(tmp_path_factory.mktemp("home"))


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Opens the page; in the end nothing was complained about, and nobody else was asked."""
    seen, allowed = Seen(), set[str]()
    contexts = []

    def make(web: WebPage, path: str = "", **options: Any) -> Page:
        allowed.add(f"127.0.0.1:{web.port}")
        size = {"width": 1280, "height": 900}
        context = chromium.new_context(**({"viewport": size, "timezone_id": "UTC"} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        seen.note(page)
        page.goto(web.url + path, wait_until="commit")
        return page

    yield make
    for context in contexts:
        context.close()
    assert seen.complaints == []
    assert seen.asked <= allowed
