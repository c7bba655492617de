"""The daemon under one configuration, without a broker: what one part does wrong stays there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.messages import Message
from publisher.contract.readings import InfoReading
from publisher.daemon.launch import Launch
from publisher.daemon.presence import Presence
from publisher.daemon.run import Life, Run
from publisher.daemon.settings import Settings
from publisher.daemon.timeline import Timeline
from publisher.explain.explainer import Explainer
from publisher.mqtt.journal import Journal
from publisher.subsystems.runner import SensesSettings


class Nobody:
    """Gets no commands."""

    def refresh(self) -> None: ...

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None: ...

    def alone(self) -> None: ...

    def not_alone(self, name: str) -> None: ...


def run_of(settings: Settings, state: Path) -> Run:
    launch = Launch(settings=settings, catalogue=b"{}", identity=InfoReading())
    presence = Presence(launch, Journal(None), Nobody(), call=lambda _: None, boot_id="1")
    life = Life(
        state_dir=str(state), explainer=Explainer(settings.explain), timeline=Timeline.open(None)
    )
    return Run(launch, life, presence)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu 1 1 1 1 1 1 1 0 0 0\nbtime 1780000000\n")
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal: 2048 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n"
    )
    made = run_of(Settings(root=str(tmp_path)), tmp_path / "state")
    yield made
    made.pipeline.close()


def waiting(run: Run) -> dict[str, Message]:
    return {message.topic: message for message in run.presence.outbox.take()}


def info(messages: dict[str, Message]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(messages["host/info"].payload)
    return body


def test_the_first_sample_opens_the_books_and_is_not_sent(run: Run) -> None:
    run.sample()
    assert waiting(run) == {}
    run.sample()
    assert {"host/memory", "host/overview", "host/info", "host/self"} <= waiting(run).keys()


def test_discovery_that_stumbles_silences_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("whatever")

    monkeypatch.setattr(run.presence.announcer, "update", stumble)
    run.sample()
    run.sample()
    messages = waiting(run)
    assert "host/memory" in messages
    assert info(messages)["senses"]["discovery"]["state"] == "failing"


def test_times_follow_a_clock_that_is_set_late(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.sample()
    real, late = time.time, 86400.0 * 30
    monkeypatch.setattr(time, "time", lambda: real() + late)
    run.sample()
    said = info(waiting(run))
    assert said["boot_time"] == "2026-05-28T20:26:40.000Z"
    started = datetime.fromisoformat(said["started"]).timestamp()
    assert abs(started - time.time()) < 60


def test_what_is_switched_off_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(root=str(tmp_path), senses=SensesSettings(disabled=("gpu",)))
    run = run_of(settings, tmp_path)
    run.announce()
    messages = waiting(run)
    run.pipeline.close()
    assert messages["host/gpu"].payload == b""
    assert messages["host/catalogue"].payload == b"{}"
    assert "host/picture" not in messages
