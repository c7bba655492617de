"""Brokers that hand Home Assistant nothing retained: we speak when it is born.

RabbitMQ gives it to nobody who asks with a wildcard, and mosquitto can be told to keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from homeassistant.harness import (
    Broker,
    Daemon,
    HomeAssistant,
    Machine,
    RabbitMq,
    Withholding,
    environment,
    releases,
)
from servers import wait_until

ENTITIES = (
    "why", "culprit", "first_cause", "cpu_usage", "memory_usage", "fan", "fanwhy_cpu",
    "fanwhy_memory",
)  # fmt: skip


class MakeHome(Protocol):
    """Makes a house around a broker."""

    def __call__(
        self, broker: Broker | RabbitMq, port: int | None = None, protocol: str = "5"
    ) -> tuple[Daemon, HomeAssistant]: ...


@pytest.fixture(params=releases())
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeHome]:
    """Makes a house around a broker: ``home(broker)``, ``home(broker, port, protocol="3.1.1")``."""
    made: list[tuple[Broker | RabbitMq, Daemon, HomeAssistant]] = []

    def make(
        broker: Broker | RabbitMq, port: int | None = None, protocol: str = "5"
    ) -> tuple[Daemon, HomeAssistant]:
        daemon = Daemon(tmp_path, broker, Machine(tmp_path).root)
        root = environment(request.param)
        assistant = HomeAssistant(root, port or broker.port, protocol=protocol)
        made.append((broker, daemon, assistant))
        broker.start()
        daemon.start()
        return daemon, assistant

    yield make
    for broker, daemon, assistant in made:
        assistant.close()
        daemon.kill()
        broker.close()


def everything(assistant: HomeAssistant) -> bool:
    states = assistant.states()
    return all(
        states.get(f"sensor.nas_{name}", {}).get("state") not in (None, "unknown", "unavailable")
        for name in ENTITIES
    )


def restart(assistant: HomeAssistant) -> None:
    assistant.stop()
    assistant.start()
    wait_until(lambda: everything(assistant), 15)


def test_a_proxy_that_withholds(home: MakeHome, tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    between = Withholding(broker.port)
    _, assistant = home(broker, between.port)
    assistant.start()
    wait_until(lambda: everything(assistant), 15)
    withheld = between.withheld
    restart(assistant)
    between.close()
    assert between.withheld > withheld
    assert assistant.complaints() == []


def test_a_mosquitto_that_keeps_nothing(home: MakeHome, tmp_path: Path) -> None:
    daemon, assistant = home(Broker(tmp_path, "retain_available false"))
    assistant.start()
    wait_until(lambda: everything(assistant), 15)
    restart(assistant)
    assert daemon.log.read_text().count("no retained messages") == 1
    assert assistant.complaints() == []


def test_rabbitmq(home: MakeHome, tmp_path: Path) -> None:
    broker = RabbitMq(tmp_path)
    _, assistant = home(broker, protocol="3.1.1")
    assistant.start()
    wait_until(lambda: everything(assistant), 15)
    restart(assistant)
    broker.stop()
    wait_until(lambda: assistant.states()["sensor.nas_why"]["state"] == "unavailable")
    broker.start()
    wait_until(lambda: everything(assistant), 15)
    assert assistant.complaints() == []
