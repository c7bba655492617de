"""What Prometheus is answered: names, units, labels, and nothing that it could not read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from publisher.contract.model import json_schema
from publisher.contract.readings import CauseReading, EnergyReading, ExplanationReading
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import all_topics
from subscriber_cli.metrics.exposition import exposition
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.fleet import Fleet

_ROOT = Path(__file__).resolve().parents[4]
NOW = 1_800_000_000.0
LABELS = {"host": "nas", "prefix": "host/nas"}

Say = Callable[..., Received]
Sample = tuple[dict[str, str], float]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(json_schema(readings_of(all_topics()))))
    return found


@pytest.fixture
def fleet(schema: dict[str, Any], say: Say) -> Fleet:
    """One machine that has most of what there is to measure."""
    it = Fleet(sparklines=False)
    readings: dict[str, Any] = {
        "catalogue": schema,
        "cpu": {"usage_percent": 87.5, "per_core_percent": [100, 75], "frequency_mhz": 2600},
        "memory": {"used_percent": 40, "oom_kills": 3, "top": [{"label": "x", "cpu_percent": 5}]},
        "thermal": {"cpu_temperature_celsius": 78, "fan_speed_rpm": 2100,
                    "fans": {"nct6798/CPU fan": {"speed_rpm": 2100, "label": "CPU fan"}}},
        "power": {"cpu_power_watts": 65, "system_power_watts": 90, "cpu_energy_kilowatt_hours": 2},
        "disk": {"filesystems": {"uuid": {"label": "/", "used_percent": 45, "state": "ok"}}},
    }  # fmt: skip
    for leaf, content in readings.items():
        it.apply(say(leaf, {"host": "nas", **content}, prefix="host/nas"), NOW)
    explanation = ExplanationReading(
        state="busy", causes=(
            CauseReading(name="Restic backup", category="backup", resource="cpu", cpu_percent=150),
        ), energy=(EnergyReading(label="Restic backup", today_joules=7.2e6),),
    )  # fmt: skip
    it.apply(say("explanation", explanation, prefix="host/nas"), NOW)
    it.apply(say("status", OnlineStatus.ONLINE, prefix="host/nas"), NOW)
    return it


def read(fleet: Fleet, now: float = NOW) -> dict[str, list[Sample]]:
    """The series by name, as Prometheus' own reader takes them."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(exposition(fleet, now)):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        ("fanwhy_host_up", {}, 1),
        ("fanwhy_cpu_usage_ratio", {}, 0.875),
        ("fanwhy_cpu_frequency_hertz", {}, 2.6e9),
        ("fanwhy_memory_oom_kills_total", {}, 3),
        ("fanwhy_power_system_power_watts", {}, 90),
        ("fanwhy_explanation_state", {"state": "busy"}, 1),
        ("fanwhy_disk_filesystems_used_ratio", {"id": "uuid", "name": "/"}, 0.45),
        ("fanwhy_thermal_fans_speed_rpm", {"id": "nct6798/CPU fan", "name": "CPU fan"}, 2100),
        ("fanwhy_explanation_causes_cpu_ratio",
         {"name": "Restic backup", "category": "backup", "resource": "cpu"}, 1.5),
        ("fanwhy_explanation_energy_today_joules", {"label": "Restic backup"}, 7.2e6),
    ],
)  # fmt: skip
def test_a_value_has_the_name_and_the_unit_that_prometheus_wants(
    fleet: Fleet, name: str, more: dict[str, str], value: float
) -> None:
    (found,) = [each for labels, each in read(fleet)[name] if labels == LABELS | more]
    assert found == pytest.approx(value)


def test_a_list_of_numbers_is_numbered(fleet: Fleet) -> None:
    values = read(fleet)["fanwhy_cpu_per_core_ratio"]
    assert values == [(LABELS | {"index": "0"}, 1.0), (LABELS | {"index": "1"}, 0.75)]


def test_lists_that_change_all_the_time_are_left_out(fleet: Fleet) -> None:
    assert not [name for name in read(fleet) if "_top_" in name]


def test_of_a_machine_that_is_gone_nothing_is_told_but_that(fleet: Fleet, say: Say) -> None:
    assert set(read(fleet, NOW + 1000)) == {"fanwhy_host_up"}
    fleet.apply(say("status", OnlineStatus.OFFLINE, prefix="host/nas"), NOW)
    assert read(fleet) == {"fanwhy_host_up": [(LABELS, 0.0)]}


def test_names_from_outside_are_labels_and_no_lines(fleet: Fleet, say: Say) -> None:
    evil = 'x"} 1\nfanwhy_host_up{host="forged"} 1\n# \\'
    content = {"host": evil, "filesystems": {evil: {"label": evil, "used_percent": 1, evil: 2}}}
    fleet.apply(say("disk", content, prefix="host/evil"), NOW)
    fleet.apply(say("status", OnlineStatus.ONLINE, prefix="host/evil"), NOW)
    found = read(fleet)
    assert {labels["host"] for labels, _ in found["fanwhy_host_up"]} >= {"nas"}
    assert not [labels for labels, _ in found["fanwhy_host_up"] if labels["host"] == "forged"]
    assert all(re.fullmatch(r"[a-zA-Z0-9_]+", name) for name in found)


def test_one_host_cannot_fill_the_answer(fleet: Fleet, say: Say) -> None:
    many = {f"disk{number}": {"busy_percent": 1, "size_bytes": 2} for number in range(900)}
    for leaf in ("disk", "disk2", "disk3", "disk4", "disk5"):
        fleet.apply(say(leaf, {"host": "x", "devices": many}, prefix="host/x"), NOW)
    fleet.apply(say("status", OnlineStatus.ONLINE, prefix="host/x"), NOW)
    answer = exposition(fleet, NOW)
    assert answer.count('prefix="host/x"') == 5000


def test_the_dashboard_asks_for_what_is_there(fleet: Fleet) -> None:
    dashboard = json.loads((_ROOT / "examples/grafana/dashboard.json").read_text())
    asked = re.findall(r"fanwhy_\w+", json.dumps(dashboard["panels"]))

    assert len(dashboard["panels"]) >= 9
    assert set(asked) <= set(read(fleet))


def test_the_dashboard_is_laid_out_without_overlaps() -> None:
    dashboard = json.loads((_ROOT / "examples/grafana/dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
