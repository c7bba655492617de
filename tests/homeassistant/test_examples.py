"""The dashboards and blueprints that we ship, loaded and used by a real Home Assistant.

Each blueprint is executed: something happens on the machine, and what a phone would show is read.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.harness import DASHBOARDS, EXAMPLES, House
from servers import wait_until

from publisher.contract.payload import Envelope, encode, to_json
from publisher.contract.readings import EventReading

LOGBOOK = (EXAMPLES / "logbook.yaml").read_text()
HOUSE = {"configuration": f"{DASHBOARDS}\nautomation: !include automations.yaml\n{LOGBOOK}"}
EVENT = {"event": "sensor.nas_last_event"}
WHY = {"why": "sensor.nas_why"}
BLUEPRINTS: dict[str, dict[str, Any]] = {
    "hot": {**WHY, "temperature": "sensor.nas_cpu_temperature", "limit": 85, "minutes": 0},
    "loud_fan": {**WHY, "fan": "sensor.nas_fan", "limit": 2000, "minutes": 0},
    "disk": EVENT,
    "array_degraded": EVENT,
    "unusual_hour": EVENT,
    "suspected_miner": EVENT,
    "backup_ended": EVENT,
    "silent": {**WHY, "minutes": 0},
}
RENAMED = "Cellar"


def state(house: House, name: str) -> str:
    return str(house.assistant.states().get(name, {}).get("state", "absent"))


def is_on(house: House, name: str) -> bool:
    return state(house, name) == "on"


def automate(house: House, blueprints: dict[str, dict[str, Any]]) -> None:
    """Has Home Assistant run these and no others; each one's action notifies its user."""
    shown = {"title": "{{ title }}", "message": "{{ message }}"}
    automations = [
        {
            "id": name,
            "alias": name,
            "use_blueprint": {
                "path": f"fanwhy/{name}.yaml",
                "input": {
                    **inputs,
                    "action": [
                        {
                            "action": "persistent_notification.create",
                            "data": {**shown, "notification_id": name},
                        }
                    ],
                },
            },
        }
        for name, inputs in blueprints.items()
    ]
    path = house.assistant.config / "automations.yaml"
    path.write_text(json.dumps(automations))
    house.assistant.call("automation/reload", {})
    for name in blueprints:
        wait_until(functools.partial(is_on, house, f"automation.{name}"), 20)


def told(house: House, name: str) -> tuple[str, str] | None:
    """Title and text of a notification; ``None`` before it is there."""
    found = house.assistant.ask("persistent_notification/get")
    return next(
        ((each["title"], each["message"]) for each in found if each["notification_id"] == name),
        None,
    )


def text_of(house: House, name: str, timeout: float = 60) -> str:
    wait_until(lambda: told(house, name), timeout, f"{name} says nothing")
    title, message = told(house, name) or ("", "")
    assert title == RENAMED
    return message


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%H:%M:%S")


@pytest.fixture(scope="module")
def ready(house: House) -> House:
    wait_until(lambda: state(house, "sensor.nas_why") not in ("absent", "unavailable"), 60)
    (device,) = house.assistant.devices()
    house.assistant.ask(
        "config/device_registry/update", device_id=device["id"], name_by_user=RENAMED
    )
    automate(house, BLUEPRINTS)
    return house


@contextlib.contextmanager
def work(folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of that name that keeps a core busy."""
    program = folder / name
    shutil.copy("/usr/bin/yes", program)
    process = subprocess.Popen(
        ["nice", "-n", "-10", program], stdout=subprocess.DEVNULL, start_new_session=True
    )  # whatever else the machine does
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("name", ["host", "fleet", "graphs"])
def test_a_dashboard_loads_and_finds_the_host(ready: House, name: str) -> None:
    dashboard = ready.assistant.ask("lovelace/config", url_path=f"fanwhy-{name}")
    assert dashboard["views"]
    text = Path(EXAMPLES, f"dashboard-{name}.yaml").read_text()
    named = set(re.findall(r"\b(?:sensor|binary_sensor|event|button|image)\.nas_[a-z0-9_]+", text))
    assert named <= ready.assistant.states().keys()
    if name != "graphs":
        assert named == set(), "it names no host"
    cards = [
        card["content"]
        for section in dashboard["views"][0]["sections"]
        for card in section["cards"]
        if card["type"] == "markdown"
    ]
    assert cards
    for card in cards:
        words = ready.assistant.render(card)
        assert state(ready, "sensor.nas_why") in words
        assert not re.search(r"\bNone\b|unknown|Undefined", words), words
        if name != "graphs":
            assert f"[{RENAMED}](/config/devices/device/" in words
            assert "°C" in words
            assert "rpm" in words


def tell(house: House, **event: Any) -> None:
    payload = encode(Envelope("nas").wrap(to_json(EventReading(**event)), time.time()))
    command = ["mosquitto_pub", "-p", str(house.broker.port), "-t", "host/event", "-q", "1", "-s"]
    subprocess.run(command, input=payload, check=True)


@pytest.mark.parametrize(
    ("name", "alert", "message"),
    [
        ("disk", "disk_full", "The disk /srv is nearly full: 96 %"),
        ("array_degraded", "raid_degraded", "The array md0 has lost a disk"),
        ("unusual_hour", "unusual", "restic works at an unusual hour"),
    ],
)
def test_an_alert_is_told_in_its_own_words(
    ready: House, name: str, alert: str, message: str
) -> None:
    tell(ready, id=f"{name}-0", event="alert_cleared", alert=alert, message=f"Over: {message}")
    tell(ready, id=f"{name}-1", event="alert_raised", alert=alert, message=message)
    assert text_of(ready, name) == message


def test_heat_and_noise_are_told_with_the_reason(ready: House) -> None:
    sensors = [
        path
        for path in ready.machine.root.glob("sys/devices/**/temp*_input")
        if (path.parent / "name").read_text().strip() == "coretemp"
    ]
    fans = list(ready.machine.root.glob("sys/devices/**/fan*_input"))
    for path in sensors:
        path.write_text("91000\n")
    for path in fans:
        path.write_text("2400\n")
    assert re.fullmatch(r"91 °C\. \S.*", text_of(ready, "hot", 90))
    assert re.fullmatch(r"Fan at 2400 rpm\. \S.*", text_of(ready, "loud_fan"))


def test_a_backup_that_did_not_run_is_told_and_one_that_ran_is_not(ready: House) -> None:
    automate(ready, {"backup_missed": {**EVENT, "at": soon(6), "hours": 12}})
    assert text_of(ready, "backup_missed") == "No backup has ended in the last 12 hours"
    ready.assistant.call("persistent_notification/dismiss_all", {})
    tell(ready, id="ran", event="cause_ended", category="backup", message="restic ended")
    at = time.time() + 6
    automate(ready, {"backup_missed": {**EVENT, "at": soon(6), "hours": 12}})
    wait_until(lambda: time.time() > at + 3, 30)
    assert told(ready, "backup_missed") is None


def test_a_miner_is_suspected_and_the_end_of_a_backup_told(ready: House, tmp_path: Path) -> None:
    automate(ready, BLUEPRINTS)
    with work(tmp_path, "xmrig"):
        assert "XMRig" in text_of(ready, "suspected_miner", 60)
    with work(tmp_path, "restic"):
        wait_until(
            lambda: "restic" in str(ready.assistant.states()["sensor.nas_why"]).lower(),
            60,
            "restic is not named",
        )
        time.sleep(10)  # brief ones are not told where many come and go
    wait_until(lambda: "restic" in str(told(ready, "backup_ended")).lower(), 60)
    ended = text_of(ready, "backup_ended").lower()
    assert re.fullmatch(r".*restic.* took (\d+ min|less than a minute)", ended)


def test_a_day_is_summed_up(ready: House) -> None:
    automate(ready, {"daily_summary": {**WHY, "topic": "host/timeline", "at": soon(6)}})
    message = text_of(ready, "daily_summary")
    assert re.fullmatch(r"(?s).*(\d min|\d h|under a minute).*\. Now: \S.*", message), message


def test_each_thing_is_told_once_in_the_log_of_activity(ready: House) -> None:
    message = "The disk /mnt/once is nearly full"
    began = datetime.now(UTC) - timedelta(seconds=1)
    tell(ready, id="once", event="alert_raised", alert="disk_full", message=message)
    wait_until(lambda: state(ready, "sensor.nas_last_event") == message)

    def lines() -> list[str]:
        entries = ready.assistant.ask("logbook/get_events", start_time=began.isoformat())
        return [str(entry) for entry in entries if ".nas_" in entry.get("entity_id", "")]

    wait_until(lines, 20)
    assert len([line for line in lines() if message in line]) == 1
    assert not [line for line in lines() if "event.nas" in line or "_cause" in line]


def test_a_host_that_is_silent_is_told(ready: House) -> None:
    automate(ready, {"silent": BLUEPRINTS["silent"]})
    ready.daemon.kill()
    assert re.fullmatch(r"Silent since \d\d:\d\d\. Before that: \S.*", text_of(ready, "silent", 60))
    words = ready.assistant.render(
        ready.assistant.ask("lovelace/config", url_path="fanwhy-fleet")["views"][0]["sections"][0][
            "cards"
        ][1]["content"]
    )
    assert "| Silent |" in words


def test_nothing_was_said_about_us(ready: House) -> None:
    assert ready.assistant.complaints() == []
