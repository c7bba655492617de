"""Discovery with a real Home Assistant: it is just there, and it stays there."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import Any

import pytest
from homeassistant.harness import NEWEST, House
from servers import wait_until

from publisher.homeassistant.naming import said

# Nothing happened yet, nobody pressed.
MAY_BE_UNKNOWN = ("event.nas_event", "sensor.nas_last_event", "button.nas_refresh")
OF_NOBODY = ("Nobody", "unknown", "unavailable")
HOUSE = {"settings": "[publishing]\nheartbeat_seconds = 20"}


def ours(house: House) -> dict[str, dict[str, Any]]:
    return {
        name: state
        for name, state in house.assistant.states().items()
        if name.partition(".")[2].startswith("nas_")
    }


def silent(house: House) -> list[str]:
    return sorted(
        name
        for name, state in ours(house).items()
        if state["state"] in ("unavailable", "unknown") and name not in MAY_BE_UNKNOWN
    )


def alive(house: House) -> bool:
    return len(ours(house)) >= 13 and not silent(house)


def settle(house: House, timeout: float = 15) -> None:
    try:
        wait_until(lambda: alive(house), timeout)
    except AssertionError:
        raise AssertionError(f"{len(ours(house))} entities; silent: {silent(house)}") from None


def test_every_enabled_entity_has_a_state(house: House) -> None:
    settle(house)
    states = ours(house)
    why = states["sensor.nas_why"]
    assert why["state"]
    assert why["attributes"]["evidence"]
    assert why["attributes"]["host_state"]
    assert states["sensor.nas_cpu_usage"]["attributes"]["unit_of_measurement"] == "%"
    memory = states["sensor.nas_fanwhy_memory"]["attributes"]
    assert (memory["device_class"], memory["unit_of_measurement"]) == ("data_size", "MiB")
    assert states["binary_sensor.nas_problem"]["state"] == "off"
    assert states["sensor.nas_last_boot"]["attributes"]["device_class"] == "timestamp"
    assert states["sensor.nas_fullest_file_system"]["attributes"]["mount_point"].startswith("/")


def test_the_dialog_of_why_shows_the_causes_and_what_was_measured(house: House) -> None:
    if house.release != NEWEST:
        pytest.skip("older releases show no members of a group")
    settle(house)
    members = ours(house)["sensor.nas_why"]["attributes"]["group_entities"]
    assert members[:3] == [f"sensor.nas_{place}_cause" for place in ("first", "second", "third")]
    assert {"sensor.nas_cpu_usage", "sensor.nas_cpu_temperature", "sensor.nas_fan"} <= set(members)


def test_states_and_events_are_told_in_words_and_kept_for_automations(house: House) -> None:
    names = ("sensor.nas_cause", "sensor.nas_state", "event.nas_event")
    known = {entry["entity_id"] for entry in house.assistant.registry().values()}
    assert known >= set(names)
    for name in names:
        house.assistant.ask("config/entity_registry/update", entity_id=name, disabled_by=None)
    house.assistant.stop()
    house.assistant.start()
    load = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        wait_until(lambda: ours(house).get(names[0], {}).get("attributes", {}).get("category"), 40)
        wait_until(lambda: ours(house)["event.nas_event"]["state"] != "unknown", 40)
        states = ours(house)
    finally:
        load.kill()
        load.wait()
    cause, state, event = (states[name] for name in names)
    assert cause["state"] == said(cause["attributes"]["category"])
    assert state["state"] == said(state["attributes"]["host_state"])
    assert event["attributes"]["event_type"] == said(event["attributes"]["event"])
    assert not re.search(r"[a-z]_[a-z]", cause["state"] + state["state"])


def test_the_culprit_has_a_name_and_says_how_to_stop_it(house: House) -> None:
    settle(house)
    load = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        wait_until(lambda: ours(house)["sensor.nas_culprit"]["state"] not in OF_NOBODY, 30)
        culprit = ours(house)["sensor.nas_culprit"]
    finally:
        load.kill()
        load.wait()
    attributes = culprit["attributes"]
    assert attributes["share_percent"] > 0
    assert attributes["resource"] == "cpu"
    assert attributes["since"]
    assert "to_stop" in attributes


def test_there_is_one_device_and_the_rest_is_there_but_disabled(house: House) -> None:
    (device,) = house.assistant.devices()
    assert device["name"] == "nas"
    assert device["sw_version"].startswith("fanwhy ")
    assert device["manufacturer"]
    assert device["model"]
    entries = house.assistant.registry().values()
    disabled = [entry for entry in entries if entry["disabled_by"] == "integration"]
    enabled = [entry for entry in entries if entry["disabled_by"] is None]
    assert len(disabled) > 60
    assert len(enabled) == len(ours(house))
    assert not [entry["entity_id"] for entry in entries if entry["entity_id"].endswith("_2")]


def test_everything_can_be_enabled(house: House) -> None:
    """What is disabled is right, too: all units and classes are accepted, nothing is said."""
    entries = house.assistant.registry()
    disabled = house.assistant.enable_everything()
    wait_until(lambda: len(ours(house)) == len(entries), 30)
    wait_until(lambda: not set(silent(house)) - disabled, 15)
    assert house.assistant.complaints() == []


def test_home_assistant_restarted(house: House) -> None:
    house.assistant.stop()
    house.assistant.start()
    before = house.assistant.registry()
    wait_until(lambda: "sensor.nas_why" in ours(house), 20)
    wait_until(lambda: ours(house)["sensor.nas_why"]["state"] not in ("unknown", "unavailable"))
    assert house.assistant.registry().keys() >= before.keys()


def test_broker_restarted_and_empty(house: House) -> None:
    house.broker.stop()
    wait_until(lambda: ours(house)["sensor.nas_why"]["state"] == "unavailable", 30)
    house.broker.start()
    wait_until(lambda: ours(house)["sensor.nas_why"]["state"] != "unavailable", 40)


def test_daemon_killed_and_back_under_the_same_names(house: House) -> None:
    before = {key: entry["entity_id"] for key, entry in house.assistant.registry().items()}
    house.daemon.kill()
    wait_until(lambda: ours(house)["sensor.nas_why"]["state"] == "unavailable", 30)
    house.daemon.start()
    wait_until(lambda: ours(house)["sensor.nas_why"]["state"] != "unavailable", 30)
    after = {key: entry["entity_id"] for key, entry in house.assistant.registry().items()}
    assert after == before


def test_a_disk_is_pulled(house: House) -> None:
    before = house.assistant.registry()
    disks = {key for key in before if "_disk_devices_" in key}
    assert disks
    house.machine.pull_disk("sdb")
    wait_until(lambda: before.keys() - house.assistant.registry().keys(), 60)
    after = house.assistant.registry()  # what first comes with a verdict may have come meanwhile
    gone = before.keys() - after.keys()
    assert gone < disks
    assert len({key.rpartition("_devices_")[2][:20] for key in gone}) == 1
    kept = before.keys() - gone
    assert {key: after[key]["entity_id"] for key in kept} == {
        key: before[key]["entity_id"] for key in kept
    }


def test_a_host_that_vanished_without_a_will_is_dead_by_age(house: House) -> None:
    house.daemon.signal(signal.SIGSTOP)  # nothing comes, and the connection still stands
    try:
        wait_until(lambda: ours(house)["sensor.nas_cpu_usage"]["state"] == "unavailable", 75)
    finally:
        house.daemon.signal(signal.SIGCONT)
    wait_until(lambda: ours(house)["sensor.nas_cpu_usage"]["state"] != "unavailable", 40)


def test_nothing_was_said_about_us(house: House) -> None:
    assert house.assistant.complaints() == []
