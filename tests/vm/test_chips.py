"""Real drivers, real chips by their registers, real systemd: what the daemon makes of them."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from vm.log import Log

from publisher.cli.replay import EXPECTED, replay

# A minute of emulation takes a few; one boot serves all of these.
pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

_THERMAL = "host/thermal"
_LM75 = "lm75-i2c-stub-48/temp1"
_MAX6650 = "max6650-i2c-stub-1b/fan1"
_SECONDS = 3.0


def _first(log: Log, after: float) -> dict[str, Any]:
    payload = log.between(_THERMAL, after)[0].payload
    assert isinstance(payload, dict)
    return payload


def test_what_was_written_into_the_chips_is_published(log: Log) -> None:
    thermal = _first(log, log.mark("start").moment)

    assert thermal["temperatures"][_LM75]["temperature_celsius"] == 50
    assert thermal["temperatures"]["adt7475-i2c-stub-2e/temp1"]["temperature_celsius"] == 42
    assert thermal["temperatures"]["adt7475-i2c-stub-2e/temp2"]["temperature_celsius"] == 31
    assert thermal["fans"][_MAX6650]["speed_rpm"] == 12_000
    assert thermal["fans"]["adt7475-i2c-stub-2e/fan1"]["speed_rpm"] == pytest.approx(1140, abs=2)
    assert thermal["fans"]["adt7475-i2c-stub-2e/fan1"]["duty_percent"] == 50
    assert thermal["fan_speed_rpm"] == 12_000


def test_a_change_is_followed_within_three_seconds(log: Log) -> None:
    delays: dict[str, float] = {}
    for mark in log.marks:
        if mark.words[0] != "set":
            continue
        _, chip, value = mark.words
        for sent in log.between(_THERMAL, mark.moment):
            temperatures, fans = sent.payload.get("temperatures", {}), sent.payload.get("fans", {})
            seen = (
                temperatures.get(_LM75, {}).get("temperature_celsius")
                if chip == "lm75"
                else fans.get(_MAX6650, {}).get("speed_rpm")
            )
            if seen == int(value):
                delays[f"{chip} {value} at {mark.moment:.0f}"] = sent.moment - mark.moment
                break

    assert len(delays) == sum(mark.words[0] == "set" for mark in log.marks), delays
    assert max(delays.values()) <= _SECONDS, delays


def test_loading_the_drivers_in_another_order_changes_no_identity(log: Log) -> None:
    reload = log.mark("reload").moment
    before = log.between(_THERMAL, 0, reload)[-1].payload
    after = log.between(_THERMAL, log.mark("reloaded").moment)[-1].payload
    _, was, now, *chips = log.mark("reloaded").words

    assert was != now, "the bus was to get another number"
    assert chips[:3] == ["adt7475", "max6650", "lm75"]
    assert log.mark("hwmon").words[1:4] == ["lm75", "max6650", "adt7475"]
    assert before["temperatures"].keys() == after["temperatures"].keys()
    assert before["fans"].keys() == after["fans"].keys()


def test_a_resync_is_reported_with_its_progress(log: Log) -> None:
    start, end = log.mark("array").moment, log.mark("volumes").moment
    arrays = [
        array
        for sent in log.between("host/disk", start, end)
        for array in sent.payload.get("arrays", {}).values()
    ]
    syncing = [array for array in arrays if array.get("activity") == "resync"]
    progress = [array["progress_percent"] for array in syncing]

    assert syncing[0]["level"] == "raid1"
    assert progress == sorted(progress)
    assert len(set(progress)) > 1
    assert all(0 <= share <= 100 for share in progress)
    assert syncing[0]["speed_bytes_per_second"] > 0
    assert arrays[-1]["activity"] == "idle"


def _arrays(log: Log, start: float, end: float) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for sent in log.between("host/disk", start, end):
        arrays = sent.payload.get("arrays", {})
    return arrays


def _alerts(log: Log, start: float, end: float) -> list[str]:
    return [
        sent.payload["message"]
        for sent in log.between("host/event", start, end)
        if sent.payload["event"] == "alert_raised"
    ]


def test_lvms_pool_that_fills_up_is_told(log: Log) -> None:
    start, end = log.mark("volumes").moment, log.mark("lost").moment
    arrays = _arrays(log, start, end)

    assert arrays["lvm-home-pool"]["label"] == "home/pool"
    assert arrays["lvm-home-pool"]["level"] == "thin-pool"
    assert arrays["lvm-home-pool"]["used_percent"] == pytest.approx(95, abs=1.5)
    assert arrays["lvm-home-mirror"]["state"] == "ok"
    assert arrays["lvm-home-mirror"]["devices_working"] == 2
    assert any("Thin pool home/pool is nearly full" in words for words in _alerts(log, start, end))


def test_lvms_mirror_that_loses_a_disk_is_told(log: Log) -> None:
    start, end = log.mark("lost").moment, log.mark("unit").moment
    mirror = _arrays(log, start, end)["lvm-home-mirror"]

    assert (mirror["state"], mirror["devices_working"]) == ("degraded", 1)
    assert "Volume home/mirror lacks a disk" in _alerts(log, start, end)


def test_a_unit_that_works_is_named_as_a_unit(log: Log) -> None:
    causes = [
        cause
        for sent in log.between(
            "host/explanation", log.mark("unit").moment, log.mark("calm").moment
        )
        for cause in sent.payload.get("causes", [])
    ]

    assert log.mark("cgroups").words[1] == "cgroup2fs"
    assert any(cause["kind"] == "unit" and cause["cpu_percent"] > 60 for cause in causes)


def test_it_ends_as_it_should(log: Log) -> None:
    last = [sent for sent in log.messages if sent.topic == "host/status"][-1]

    assert log.mark("stopped").words[1] == "0"
    assert log.mark("stopped").moment - log.mark("stop").moment < 5
    assert last.payload == "offline"
    assert not any("Traceback" in line for line in log.daemon), log.daemon


def test_its_capture_gives_the_same_in_a_replay(log: Log, tmp_path: Path) -> None:
    content = io.BytesIO(base64.b64decode(log.capture))
    with tarfile.open(fileobj=content) as archive:
        archive.extractall(tmp_path, filter="tar")
    case = tmp_path / "captured"
    expected = json.loads((case / EXPECTED).read_text())

    assert replay(case, ["cpu", "memory", "thermal"])["thermal"] == expected["thermal"]
    assert expected["thermal"]["temperatures"][_LM75]["temperature_celsius"] == 66
    assert "fanwhy-vm" not in (case / EXPECTED).read_text()
