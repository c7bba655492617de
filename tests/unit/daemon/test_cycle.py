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
from publisher.contract.readings import EventReading, ExplanationReading, InfoReading
from publisher.daemon.cycle import Cycle, Life
from publisher.daemon.launch import Launch
from publisher.daemon.presence import Presence
from publisher.daemon.self_metrics import SelfMetrics
from publisher.daemon.settings import Settings
from publisher.daemon.timeline import Timeline
from publisher.daemon.timeline_store import recall
from publisher.daemon.unfinished import Unfinished
from publisher.explain.explainer import Explainer
from publisher.mqtt.journal import Journal
from publisher.pipeline import Sample
from publisher.sources.files import KernelFiles
from publisher.subsystems.runner import SubsystemSettings


class Nobody:
    """Gets no commands."""

    def refresh(self) -> None: ...

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None: ...

    def prefix_taken(self, name: str) -> None: ...

    def prefix_shared(self, name: str) -> None: ...

    def twin_lives(self, since: str) -> None: ...

    def twin_came(self) -> None: ...

    def broker_state(self, *, connected: bool, words: str) -> None: ...


def cycle_of(settings: Settings, state: Path) -> Cycle:
    launch = Launch(settings=settings, catalogue=b"{}", identity=InfoReading())
    presence = Presence(launch, Journal(None), Nobody(), call=lambda _: None, boot_id="1")
    life = Life(
        state_dir=str(state),
        explainer=Explainer(settings.explain),
        timeline=Timeline(),
        self_metrics=SelfMetrics(KernelFiles()),
        unfinished=Unfinished(str(state)),
    )
    return Cycle(launch, life, presence)


@pytest.fixture
def cycle(tmp_path: Path) -> Iterator[Cycle]:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu 1 1 1 1 1 1 1 0 0 0\nbtime 1780000000\n")
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal: 2048 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n"
    )
    made = cycle_of(Settings(root=str(tmp_path)), tmp_path / "state")
    yield made
    made.pipeline.close()


def waiting(cycle: Cycle) -> dict[str, Message]:
    return {message.topic: message for message in cycle.presence.outbox.take()}


def info(messages: dict[str, Message]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(messages["host/info"].payload)
    return body


def test_the_first_sample_opens_the_books_and_is_not_sent(cycle: Cycle) -> None:
    cycle.sample()
    assert waiting(cycle) == {}
    cycle.sample()
    assert {"host/memory", "host/overview", "host/info", "host/self"} <= waiting(cycle).keys()


def test_discovery_that_stumbles_silences_nobody(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("whatever")

    monkeypatch.setattr(cycle.presence.announcer, "update", stumble)
    cycle.sample()
    cycle.sample()
    messages = waiting(cycle)
    assert "host/memory" in messages
    assert info(messages)["senses"]["discovery"]["state"] == "failing"


def test_times_follow_a_clock_that_is_set_late(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle.sample()
    real, late = time.time, 86400.0 * 30
    monkeypatch.setattr(time, "time", lambda: real() + late)
    cycle.sample()
    said = info(waiting(cycle))
    assert said["boot_time"] == "2026-05-28T20:26:40.000Z"
    started = datetime.fromisoformat(said["started"]).timestamp()
    assert abs(started - time.time()) < 60


def test_what_is_switched_off_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(root=str(tmp_path), senses=SubsystemSettings(disabled=("gpu",)))
    cycle = cycle_of(settings, tmp_path)
    cycle.announce()
    messages = waiting(cycle)
    cycle.pipeline.close()
    assert messages["host/gpu"].payload == b""
    assert messages["host/catalogue"].payload == b"{}"
    assert "host/picture" not in messages


def test_what_was_is_told_and_kept(
    tmp_path: Path, cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = ExplanationReading(state="busy", headline="CPU usage high due to: make")
    sample = Sample(now=time.monotonic(), wall=time.time(), readings={}, verdict=verdict)
    monkeypatch.setattr(cycle.pipeline, "sample", lambda: sample)
    cycle.sample()
    told = json.loads(waiting(cycle)["host/timeline"].payload)
    assert [state["headline"] for state in told["states"]] == [verdict.headline]
    (kept,) = recall(str(tmp_path / "state")).states
    assert kept.headline == verdict.headline
    cycle.sample()
    assert "host/timeline" not in waiting(cycle)
    cycle.announce()  # of a new configuration, on a broker that may know nothing
    cycle.sample()
    assert "host/timeline" in waiting(cycle)
    cycle.end_explanations(tell=True)
    (last,) = json.loads(waiting(cycle)["host/timeline"].payload)["states"]
    assert "ended" in last


def test_all_that_looks_quiet_at_the_start_is_not_told_as_quiet(tmp_path: Path) -> None:
    busy = EventReading(id="r-4", event="state_changed", state="busy", previous_state="quiet")
    Unfinished(str(tmp_path)).note([busy])
    cycle = cycle_of(Settings(root="/"), tmp_path)
    told: list[int] = []
    for number in range(4):
        cycle.sample()
        if any(b'"r-4-end"' in each.payload for each in cycle.presence.outbox.take()):
            told.append(number)
    cycle.pipeline.close()
    assert told in ([3], [])  # a machine that is busy meanwhile says so instead
