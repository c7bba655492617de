"""The daemon's wiring, without a broker: what one part does wrong stays with that part."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339
from publisher.contract.readings import InfoReading
from publisher.daemon.app import App
from publisher.daemon.launch import Launch
from publisher.daemon.settings import Settings
from publisher.publishing.policy import PublishingSettings
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.memory import MemoryReading


class Quiet:
    """Stands where the broker's side would be."""

    messages_sent = payload_sent_bytes = connections = 0
    fails = False

    def update(self, *_: object) -> None:
        if self.fails:
            raise ValueError("whatever")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = Settings(root=str(tmp_path), publishing=PublishingSettings(min_interval_seconds=2))
    launch = Launch(settings=settings, catalogue=b"{}", identity=InfoReading())
    made = App(launch, home=str(tmp_path / "state"))
    made._announcer = made._session = Quiet()  # type: ignore[assignment]
    yield made
    made._runner.close()
    made._ledger.close()


def said(app: App, readings: dict[str, Reading], now: float) -> dict[str, Any]:
    app._guarded("publishing", app._publish_all, readings, None, now)
    return {message.topic: json.loads(message.payload or b"null") for message in app._outbox.take()
            if message.topic != "host/status"}  # fmt: skip


def test_a_number_that_json_has_not_silences_nobody_else(app: App) -> None:
    wrong: dict[str, Reading] = {"cpu": CpuReading(usage_percent=float("nan")),
                                 "memory": MemoryReading(used_percent=5.0)}  # fmt: skip
    assert said(app, wrong, 0.0).keys() == {"host/memory", "host/self", "host/info"}
    assert app._runner.health["publishing.cpu"].state == "failing"
    right: dict[str, Reading] = {"cpu": CpuReading(usage_percent=1.0)}
    assert said(app, right, 10.0)["host/cpu"]["usage_percent"] == 1.0
    assert app._runner.health["publishing.cpu"].state == "ok"


def test_discovery_that_stumbles_silences_nobody(app: App) -> None:
    app._announcer.fails = True  # type: ignore[attr-defined]
    assert "host/memory" in said(app, {"memory": MemoryReading(used_percent=5.0)}, 0.0)
    assert app._runner.health["discovery"].state == "failing"


def test_the_overview_is_sent_less_often_than_what_it_repeats(app: App) -> None:
    counts = {"host/cpu": 0, "host/overview": 0}
    for second in range(60):
        readings: dict[str, Reading] = {"cpu": CpuReading(usage_percent=50.0 * (second % 2))}
        for topic in said(app, readings, float(second)).keys() & counts.keys():
            counts[topic] += 1
    assert counts == {"host/cpu": 20, "host/overview": 12}


def test_times_follow_a_clock_that_is_set_late(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("btime 1780000000\n")
    app._sample()
    started, late = app._started, 86400.0 * 30
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + late)
    app._sample()
    (info,) = [json.loads(m.payload or b"") for m in app._outbox.take() if m.topic == "host/info"]
    assert info["boot_time"] == "2026-05-28T20:26:40.000Z"
    assert info["started"] == rfc3339(app._started)
    assert abs(app._started - started - late) < 1
