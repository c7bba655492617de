"""Entities that an older program announced one by one become parts of the device."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from homeassistant.harness import Broker, Daemon, HomeAssistant, Machine, environment, releases
from servers import wait_until

Parts = tuple[Broker, Daemon, HomeAssistant]


@pytest.fixture(params=releases())
def parts(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Parts]:
    broker = Broker(tmp_path).start()
    daemon = Daemon(tmp_path, broker, Machine(tmp_path).root)
    assistant = HomeAssistant(environment(request.param), broker.port)
    yield broker, daemon, assistant
    assistant.close()
    daemon.kill()
    broker.stop()


def test_an_entity_of_its_own_keeps_its_id(parts: Parts) -> None:
    broker, daemon, assistant = parts
    (topic, document), *_ = json.loads(
        daemon.command("homeassistant", "preview", "--json").stdout
    ).items()
    usage = document["cmps"]["cpu_usage_percent"]
    node_id = topic.split("/")[-2]
    single = f"homeassistant/sensor/{node_id}/processors/config"
    old = {
        "unique_id": usage["uniq_id"],
        "name": "Processors",
        "state_topic": "old/processors",
        "device": {"identifiers": document["dev"]["ids"], "name": "old"},
        "origin": {"name": "old"},
    }
    publish = ["mosquitto_pub", "-p", str(broker.port), "-r", "-q", "1", "-t", single, "-m"]
    subprocess.run([*publish, json.dumps(old)], check=True)
    assistant.start()
    wait_until(lambda: usage["uniq_id"] in assistant.registry(), 20)
    named = assistant.registry()[usage["uniq_id"]]["entity_id"]
    assert "processors" in named
    before = assistant.registry()[usage["uniq_id"]]["id"]

    daemon.start()
    wait_until(lambda: len(assistant.registry()) > 60, 40)
    entry = assistant.registry()[usage["uniq_id"]]
    assert (entry["entity_id"], entry["id"]) == (named, before)
    wait_until(lambda: assistant.states()[named]["state"] not in ("unknown", "unavailable"))
    # The old topic is cleared, which takes nothing away.
    read = ["mosquitto_sub", "-p", str(broker.port), "-t", single, "-W", "1"]
    wait_until(lambda: not subprocess.run(read, capture_output=True, check=False).stdout, 20)
    assert assistant.registry()[usage["uniq_id"]]["id"] == before
    assert assistant.states()[named]["attributes"]["unit_of_measurement"] == "%"
    (device,) = assistant.devices()
    assert device["name"] == "nas"
    assert assistant.complaints() == []
