"""The Telegraf configuration that we ship, held to the rules of Telegraf's JSON parser.

Telegraf is in none of the package indexes that the tests may use, so its rules are written down
here. Source: its documentation of ``inputs.mqtt_consumer`` and of the data format ``json``: objects
and lists are flattened, the parts of the path joined by ``_``; numbers become fields, strings and
booleans only where ``json_string_fields`` names them; ``tag_keys`` become tags; of a topic with as
many levels as a ``topic_parsing`` says, its level named ``measurement`` is the measurement.
"""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.payload import Envelope, rfc3339, to_json
from publisher.contract.readings import (
    CauseReading,
    EnergyReading,
    ExplanationReading,
    RejectedReading,
)
from publisher.subsystems.registry import all_topics

_FILE = Path(__file__).resolve().parents[2] / "examples/telegraf/fanwhy.conf"
_GO_LAYOUT = "2006-01-02T15:04:05Z07:00"  # RFC 3339; a fraction of a second is taken as well


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    (found,) = tomllib.loads(_FILE.read_text())["inputs"]["mqtt_consumer"]
    return dict(found)


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        name = f"{path}_{key}".strip("_")
        if isinstance(item, dict | list):
            yield from flattened(item, name)
        elif item is not None:
            yield name, item


def fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def taken(configuration: dict[str, Any], topic: str, payload: bytes) -> tuple[str, Any, Any]:
    """Measurement, tags and fields that Telegraf makes of a message."""
    levels = topic.split("/")
    measurement = "mqtt_consumer"
    for parsing in configuration["topic_parsing"]:
        wanted = parsing["topic"].split("/")
        if len(wanted) == len(levels) and all(
            one in ("+", other) for one, other in zip(wanted, levels, strict=True)
        ):
            measurement = levels[parsing["measurement"].split("/").index("measurement")]
    document = json.loads(payload)
    tags = {key: document.pop(key) for key in configuration["tag_keys"]}
    datetime.fromisoformat(document.pop(configuration["json_time_key"]))
    fields = {
        name: value
        for name, value in flattened(document)
        if not fits(name, configuration["fieldexclude"])
        and (
            fits(name, configuration["json_string_fields"])
            if isinstance(value, str | bool)
            else True
        )
    }
    return measurement, tags, fields


def message(reading: Any) -> bytes:
    return json.dumps(Envelope("nas").wrap(to_json(reading), 1_800_000_000.5)).encode()


def test_a_verdict_becomes_fields_that_say_who_it_was(configuration: dict[str, Any]) -> None:
    verdict = ExplanationReading(
        state="hot", headline="CPU hot due to: Restic backup", since=rfc3339(1_800_000_000),
        causes=(
            CauseReading(name="Restic backup", category="backup", resource="cpu",
                         share_percent=80, pid=4711, pids=(4711, 4712)),
        ),
        rejected=(RejectedReading(label="cron", reason="did too little"),),
        energy=(EnergyReading(label="Restic backup", today_joules=3.6e6),),
    )  # fmt: skip
    measurement, tags, fields = taken(configuration, "host/nas/explanation", message(verdict))
    assert (measurement, tags) == ("explanation", {"host": "nas"})
    assert fields == {
        "state": "hot",
        "headline": "CPU hot due to: Restic backup",
        "causes_0_name": "Restic backup",
        "causes_0_category": "backup",
        "causes_0_resource": "cpu",
        "causes_0_share_percent": 80,
        "energy_0_label": "Restic backup",
        "energy_0_today_joules": 3600000,
    }


@pytest.mark.parametrize("topic", ["host/thermal", "host/nas/thermal"])
def test_devices_become_fields_under_their_identity(
    configuration: dict[str, Any], topic: str
) -> None:
    payload = json.dumps({
        "host": "nas", "time": "2026-11-30T03:12:00.000Z", "schema_version": 1,
        "cpu_temperature_celsius": 78, "throttling": False,
        "fans": {"nct6798 CPU fan": {"speed_rpm": 2100}},
    }).encode()  # fmt: skip
    assert taken(configuration, topic, payload) == (
        "thermal", {"host": "nas"},
        {"cpu_temperature_celsius": 78, "fans_nct6798 CPU fan_speed_rpm": 2100},
    )  # fmt: skip


def test_every_topic_of_measurements_is_listened_to(configuration: dict[str, Any]) -> None:
    measured = {row.leaf for row in all_topics().values() if row.subsystem}
    listened = {topic.rpartition("/")[2] for topic in configuration["topics"]}
    assert listened == measured | {"explanation", "self"}
    assert configuration["json_time_format"] == _GO_LAYOUT
