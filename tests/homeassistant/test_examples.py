"""The dashboards and blueprints that we ship, loaded and used by a real Home Assistant."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from homeassistant.harness import DASHBOARDS, EXAMPLES, House
from servers import wait_until

HOUSE = {
    "configuration": DASHBOARDS
    + """
input_boolean: {ended: {}, miner: {}, loud: {}}
automation:
  - alias: ended
    use_blueprint:
      path: fanwhy/backup_ended.yaml
      input: {event: event.nas_event,
              action: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.ended}}]}
  - alias: miner
    use_blueprint:
      path: fanwhy/suspected_miner.yaml
      input: {event: event.nas_event,
              action: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.miner}}]}
  - alias: loud
    use_blueprint:
      path: fanwhy/loud_fan.yaml
      input: {fan: sensor.nas_fan, why: sensor.nas_why, limit: 100, minutes: 0,
              action: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.loud}}]}
"""
}


def state(house: House, name: str) -> str:
    return str(house.assistant.states().get(name, {}).get("state", "absent"))


@pytest.fixture
def ready(house: House) -> House:
    wait_until(lambda: state(house, "sensor.nas_why") not in ("absent", "unavailable"), 30)
    return house


@pytest.mark.parametrize("name", ["host", "fleet"])
def test_a_dashboard_loads_and_names_entities_that_are_there(ready: House, name: str) -> None:
    dashboard = ready.assistant.ask("lovelace/config", url_path=f"fanwhy-{name}")
    assert dashboard["views"]
    text = Path(EXAMPLES, f"dashboard-{name}.yaml").read_text()
    named = set(re.findall(r"\b(?:sensor|binary_sensor|event|button)\.nas_[a-z_]+", text))
    assert named <= ready.assistant.states().keys()
    for card in re.findall(r"content: \|\n((?:(?: {8,}.*)?\n)+)", text):
        words = ready.assistant.render(card)
        assert "None" not in words.replace("None.", "")
        assert state(ready, "sensor.nas_why") in words or "None." in words


def tell(house: House, **event: object) -> None:
    subprocess.run(
        ["mosquitto_pub", "-p", str(house.broker.port), "-t", "host/event", "-m",
         json.dumps({"id": "x", "message": "m", **event})],
        check=True,
    )  # fmt: skip


def test_a_backup_ends(ready: House) -> None:
    assert state(ready, "automation.ended") == "on"
    tell(ready, event="cause_ended", category="development", duration_seconds=60)
    tell(ready, event="cause_began", category="backup")
    tell(ready, event="cause_ended", category="backup", duration_seconds=60)
    wait_until(lambda: state(ready, "input_boolean.ended") == "on")
    assert state(ready, "input_boolean.miner") == "off"


def test_a_miner_is_suspected(ready: House) -> None:
    tell(ready, event="alert_raised", alert="cryptomining", label="xmrig")
    wait_until(lambda: state(ready, "input_boolean.miner") == "on")


def test_the_fan_is_loud(ready: House) -> None:
    speed = float(state(ready, "sensor.nas_fan"))
    assert speed > 100
    fans = list(ready.machine.root.glob("sys/devices/**/fan*_input"))
    for fan in fans:
        fan.write_text("0\n")
    wait_until(lambda: float(state(ready, "sensor.nas_fan")) < 100, 40)
    fans[0].write_text("2400\n")
    wait_until(lambda: state(ready, "input_boolean.loud") == "on", 40)


def test_nothing_was_said_about_us(ready: House) -> None:
    # An automation that is there before the entity that it names: no user's is.
    said = [line for line in ready.assistant.complaints() if "unknown entity" not in line]
    assert said == []
