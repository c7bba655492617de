"""Home Assistant's discovery: what is said, that it would be accepted, and when it is said."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.messages import Message, Request
from publisher.contract.metric import Reading, fields_of, gauge, instances, is_list, reading, text
from publisher.contract.readings import (
    EVENT_KINDS,
    ExplanationReading,
    InfoReading,
    KindEnergyReading,
    SelfReading,
    ToldCauseReading,
    WorkEnergyReading,
)
from publisher.contract.topics import TopicAddresses, registry
from publisher.contract.units import Unit
from publisher.homeassistant.announcer import SPACING_SECONDS, Announcer
from publisher.homeassistant.classes import ENTITY_CLASSES
from publisher.homeassistant.discovery import Discovery, Host
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.homeassistant.naming import said
from publisher.homeassistant.recorder import RecorderEstimate
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.disk.disk import DeviceReading, DiskReading

CLASSES = tomllib.loads(
    (Path(__file__).parents[2] / "fixtures/homeassistant/classes.toml").read_text()
)
# Source: homeassistant/components/mqtt/abbreviations.py, 2026.11.0.
LONG = {
    "dev_cla": "device_class",
    "stat_cla": "state_class",
    "unit_of_meas": "unit_of_measurement",
    "ent_cat": "entity_category",
    "uniq_id": "unique_id",
    "def_ent_id": "default_entity_id",
    "sug_dsp_prc": "suggested_display_precision",
    "exp_aft": "expire_after",
    "grp": "group",
}
HOST = Host("nas", "0123456789abcdef0123", InfoReading(fanwhy_version="1", cpu_model="Z80"))


def discovery(contents: dict[str, type[Reading]], **settings: object) -> Discovery:
    rows = registry({leaf: cls for leaf, cls in contents.items() if leaf not in registry({})})
    return Discovery(
        HOST,
        TopicAddresses("host"),
        [replace(rows[leaf], reading=cls) for leaf, cls in contents.items()],
        HomeAssistantSettings(**settings),  # type: ignore[arg-type]
        expire_seconds=lambda _: 900,
    )


def full(cls: type[Reading], names: tuple[str, ...] = ("one-1", "one_1")) -> Reading:
    """A reading with everything there; values do not matter here, that they are there does."""
    values: dict[str, object] = {}
    for field in fields_of(cls):
        of = field.metric.of
        if field.metric.kind.value == "instances" and of:
            values[field.name] = {name: full(of) for name in names}
        elif field.metric.bounded:
            values[field.name] = [1] if is_list(field.type) else 1
        elif not of:
            values[field.name] = "same"
    return cls(**values)


CONTENTS: dict[str, type[Reading]] = {cls.name: cls.reading for cls in SUBSYSTEMS} | {
    "explanation": ExplanationReading,
    "info": InfoReading,
    "self": SelfReading,
}


def everything() -> dict[str, dict[str, Any]]:
    readings = {leaf: full(cls) for leaf, cls in CONTENTS.items()}
    found = discovery(CONTENTS)
    (document,) = found.documents(found.entities(readings)).values()
    return {
        key: {LONG.get(name, name): value for name, value in component.items()}
        for key, component in document["cmps"].items()
    }


@pytest.mark.parametrize(("key", "component"), everything().items())
def test_whatever_is_declared_would_be_accepted(key: str, component: dict[str, Any]) -> None:
    kind = component.get("device_class")
    unit = component.get("unit_of_measurement")
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", key)
    assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", component["default_entity_id"])
    assert component["name"]
    assert "nas" not in component["name"].split()
    assert component.get("entity_category") in (None, "diagnostic")
    match component["p"]:
        case "sensor" if kind == "enum":
            assert component["options"]
            assert "state_class" not in component
        case "sensor" if kind == "timestamp":
            assert unit is None
        case "sensor" if kind:
            assert unit in CLASSES["units"][kind]
            assert component.get("state_class") in [*CLASSES["state_classes"][kind], None]
        case "sensor":
            assert component.get("state_class") in (None, "measurement", "total_increasing")
        case "binary_sensor":
            assert kind is None or kind in CLASSES["binary"]
            assert unit is None
        case platform:
            assert platform in ("event", "button", "image")


def test_ids_are_unique_even_where_names_look_alike() -> None:
    components = everything().values()
    assert len({item["unique_id"] for item in components}) == len(components)
    assert len({item["default_entity_id"] for item in components}) == len(components)


def test_every_unit_with_a_class_fits_it() -> None:
    for unit, shown in ENTITY_CLASSES.items():
        assert (shown.unit or str(unit)) in CLASSES["units"][shown.device_class]


USUAL = {
    "sensor.nas_why", "sensor.nas_culprit", "sensor.nas_first_cause", "sensor.nas_second_cause",
    "sensor.nas_third_cause", "sensor.nas_last_event", "binary_sensor.nas_problem",
    "image.nas_last_24_hours", "button.nas_refresh", "sensor.nas_cpu_usage",
    "sensor.nas_memory_usage", "sensor.nas_cpu_temperature", "sensor.nas_fan",
    "sensor.nas_load_average_5_min", "sensor.nas_swap_usage", "sensor.nas_fullest_file_system",
    "sensor.nas_network_receiving", "sensor.nas_network_transmitting", "sensor.nas_last_boot",
    "sensor.nas_fanwhy_cpu", "sensor.nas_fanwhy_memory",
}  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "more"),
    [
        ({"gpu", "power"}, set()),
        ({"gpu"}, {"sensor.nas_cpu_power", "sensor.nas_system_power"}),
        ({"power"}, {"sensor.nas_gpu_usage", "sensor.nas_gpu_temperature"}),
    ],
)
def test_a_score_is_enabled_on_a_usual_host(missing: set[str], more: set[str]) -> None:
    """One disk, one file system, one card, one fan; all else is there, and disabled."""
    readings = {leaf: full(cls, ("one",)) for leaf, cls in CONTENTS.items() if leaf not in missing}
    entities = list(discovery(CONTENTS).entities(readings))
    enabled = {entity.component["default_entity_id"] for entity in entities if entity.enabled}
    assert enabled == USUAL | more
    assert len(USUAL) == 21
    assert len(entities) > 100


def test_people_read_words_and_no_two_options_are_the_same() -> None:
    for key, component in everything().items():
        for options in (component.get("options", ()), component.get("event_types", ())):
            assert len(set(options)) == len(options), key
            for option in options:
                assert option[0].isupper(), (key, option)
                assert "_" not in option
                assert option not in ("None", "Unknown", "Unavailable")
    assert everything()["event"]["event_types"] == [said(kind) for kind in EVENT_KINDS]
    assert "Remote access" in everything()["explanation_cause"]["options"]


def test_no_name_holds_what_nobody_reads() -> None:
    disks = {f"wwn-0x5000c500a1b2c3{end}": DeviceReading(label="same") for end in ("d4", "e5")}
    found = discovery({"disk": DiskReading}).entities({"disk": DiskReading(devices=disks)})
    names = {entity.component["name"] for entity in found}
    assert {"same C3D4 reads", "same C3E5 reads"} <= names
    assert not [name for name in names if "wwn" in name or "5000c5" in name]


def test_the_dialog_of_why_shows_causes_and_what_was_measured() -> None:
    components = everything()
    members = components["explanation_headline"]["group"]
    keys = {item["unique_id"]: key for key, item in components.items()}
    assert [keys[member] for member in members][:3] == ["cause_1", "cause_2", "cause_3"]
    assert {keys[member] for member in members[3:]} >= {"cpu_usage_percent", "memory_used_percent"}
    assert all(components[keys[member]].get("en") is not False for member in members)


def test_money_where_a_price_is_set_and_what_begins_at_midnight_says_so() -> None:
    kinds = {"backup": KindEnergyReading(label="Backup", energy_kilowatt_hours=2.0)}
    readings = {"energy": WorkEnergyReading(kinds=kinds)}
    plain = list(discovery({"energy": WorkEnergyReading}).entities(readings))
    assert not [each for each in plain if each.component.get("device_class") == "monetary"]
    rows = registry({})
    priced = Discovery(
        HOST, TopicAddresses("host"), [rows["energy"]], HomeAssistantSettings(),
        expire_seconds=lambda _: 900, price_per_kwh=0.3, currency="€",
    )  # fmt: skip
    found = list(priced.entities(readings))
    by_name = {each.component["name"]: each.component for each in found}
    assert by_name["Backup energy"]["state_class"] == "total_increasing"
    assert by_name["Backup energy today"]["last_reset_value_template"]
    cost = by_name["Backup cost"]
    assert (cost["device_class"], cost["unit_of_measurement"]) == ("monetary", "EUR")
    assert cost["state_class"] == "total"
    assert "last_reset_value_template" in by_name["Backup cost today"]


def test_a_link_and_an_update_where_they_are_wanted() -> None:
    assert {"update", "cu"}.isdisjoint(everything())
    found = discovery(CONTENTS, page="https://nas/", update_topic="fanwhy/newest")
    (document,) = found.documents(found.entities({})).values()
    assert document["dev"]["cu"] == "https://nas/"
    assert document["cmps"]["update"]["latest_version_topic"] == "fanwhy/newest"


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": "nas"},
        {"page": "javascript:alert(1)"},
        {"page": "http://"},
        {"update_topic": "a/#"},
    ],
)
def test_what_home_assistant_would_refuse_is_refused_here(wrong: dict[str, str]) -> None:
    assert list(HomeAssistantSettings(**wrong).problems())  # type: ignore[arg-type]
    assert not list(HomeAssistantSettings(page="http://nas:8080/x?y").problems())


# -- announcing ----------------------------------------------------------------------------------


@reading
class Disk(Reading):
    label: str | None = text("Label", "Its name.")
    size_bytes: int | None = gauge("Size", "How big it is.", unit=Unit.BYTES, enabled=True)
    wear_percent: float | None = gauge("Wear", "How worn it is.", unit=Unit.PERCENT)


@reading
class Disks(Reading):
    devices: dict[str, Disk] = instances(Disk, "Disks", "Each of them.")


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.repeats = 0

    def put(self, message: Message) -> None:
        self.messages.append(message)

    def repeat(self, *, without: Collection[str]) -> None:
        self.repeats += 1


class Stage:
    """An announcer, a clock and what it said, as (second, topic, payload)."""

    def __init__(self, **settings: object) -> None:
        self.now = 0.0
        self.sink = Sink()
        self.reachable = True
        self.readings: dict[str, Reading] = {
            "disk": Disks(devices={"a": disk("a"), "b": disk("b")})
        }
        self.absent: list[str] = []
        self.said: list[tuple[float, str, dict[str, Any] | None]] = []
        made = HomeAssistantSettings(**settings)  # type: ignore[arg-type]
        contents: dict[str, type[Reading]] = {"disk": Disks}
        self.announcer = Announcer(
            HOST, discovery(contents, **settings), made, self.sink,
            reachable=lambda: self.reachable, jitter=lambda: 0.5,
        )  # fmt: skip

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            self.announcer.update(self.readings, self.absent, self.now)
            self.announcer.tick(self.now)
            for message in self.sink.messages:
                body = json.loads(message.payload) if message.payload else None
                self.said.append((self.now, message.topic, body))
            self.sink.messages.clear()

    def hear(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        return self.announcer.heard(Request(topic=topic, payload=payload, retain=retain), self.now)

    def components(self, index: int) -> dict[str, Any]:
        """Those of a document that was said; -1 is the last one."""
        components = self.document(index)["cmps"]
        assert isinstance(components, dict)
        return components

    def document(self, index: int) -> dict[str, Any]:
        body = self.said[index][2]
        assert body
        return body


def disk(label: str) -> Disk:
    return Disk(label=label, size_bytes=1, wear_percent=1.0)


def key(name: str, field: str = "size_bytes") -> str:
    found = discovery({"disk": Disks}).entities({"disk": Disks(devices={name: disk(name)})})
    return next(item.key for item in found if item.key.endswith(field))


OWN = "homeassistant/device/fanwhy_0123456789abcdef/config"


def test_said_once_and_then_the_states() -> None:
    stage = Stage()
    stage.run(60)
    assert [topic for _, topic, _ in stage.said] == [OWN]
    assert stage.sink.repeats == 1


def test_on_birth_again_and_not_on_a_birth_of_long_ago() -> None:
    stage = Stage()
    stage.run(30)
    stage.hear("homeassistant/status", b"online", retain=True)
    stage.run(30)
    assert len(stage.said) == 1
    stage.hear("homeassistant/status", b"offline")
    stage.hear("homeassistant/status", b"online")
    stage.hear("homeassistant/status", b"online")
    began = stage.now
    stage.run(30)
    assert len(stage.said) == 2
    assert stage.said[-1][0] - began >= 1
    assert stage.sink.repeats == 2


def test_what_is_gone_is_named_once_as_empty_and_then_left_out() -> None:
    stage = Stage()
    stage.run(30)
    stage.readings = {"disk": Disks(devices={"a": disk("a")})}
    stage.run(60)
    _, (first, _, _), (second, _, _) = stage.said
    stub, final = stage.components(1), stage.components(2)
    assert stub[key("b")] == {"p": "sensor"}
    assert key("b") not in final
    assert stub[key("a")] == final[key("a")]
    assert second - first >= SPACING_SECONDS


def test_a_value_that_is_missing_for_a_while_keeps_its_entity() -> None:
    stage = Stage()
    stage.run(30)
    stage.readings = {"disk": Disks(devices={"a": Disk(label="a"), "b": disk("b")})}
    stage.run(60)
    assert len(stage.said) == 1


def test_a_sense_that_fails_keeps_its_entities_and_one_that_is_absent_does_not() -> None:
    stage = Stage()
    stage.run(30)
    stage.readings = {}
    stage.run(60)
    assert len(stage.said) == 1
    stage.absent = ["disk"]
    stage.run(60)
    assert key("a") not in stage.components(-1)


def test_what_an_earlier_run_left_is_withdrawn() -> None:
    stage = Stage()
    left = {"cmps": {"old_thing": {"p": "sensor", "uniq_id": "x"}}}
    stage.run(1)
    assert stage.hear(OWN, json.dumps(left).encode(), retain=True)
    stage.run(60)
    assert stage.components(0)["old_thing"] == {"p": "sensor"}
    assert "old_thing" not in stage.components(-1)


def test_single_entities_migrate() -> None:
    stage = Stage()
    stage.run(1)
    single = "homeassistant/sensor/fanwhy_0123456789abcdef/cpu/config"
    assert stage.hear(single, b'{"unique_id": "fanwhy_0123456789abcdef_cpu"}', retain=True)
    stage.run(60)
    assert [(topic, body) for _, topic, body in stage.said if topic == single] == [
        (single, {"migrate_discovery": True}),
        (single, None),
    ]
    assert [topic for _, topic, _ in stage.said] == [single, OWN, single]


def test_births_without_end_are_answered_now_and_then() -> None:
    stage = Stage()
    stage.run(30)
    for _ in range(240):
        stage.hear("homeassistant/status", b"online")
        stage.run(0.5)
    assert 8 <= stage.sink.repeats <= 13


def test_foreign_entities_without_end_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.run(1)
    node = "fanwhy_0123456789abcdef"
    for number in range(2000):
        stage.hear(f"homeassistant/sensor/{node}/x{number}/config", b"{}", retain=True)
        stage.hear(f"homeassistant/device/{node}/x{number}/config", b"{}", retain=True)
        if not number % 100:
            stage.run(5)
    stage.run(120)
    topics = {topic for _, topic, _ in stage.said}
    assert len([topic for topic in topics if "/sensor/" in topic]) == 500
    assert len([topic for topic in topics if "/device/" in topic]) <= 17
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_switched_off_it_withdraws() -> None:
    stage = Stage(enabled=False)
    stage.run(1)
    stage.hear(OWN, b'{"cmps": {"a": {"p": "sensor"}}}', retain=True)
    stage.run(60)
    assert [(topic, body) for _, topic, body in stage.said] == [(OWN, None)]


def test_nothing_is_said_while_nobody_listens() -> None:
    stage = Stage()
    stage.reachable = False
    stage.run(60)
    assert stage.said == []


def test_nobody_is_kept_awake_by_what_cannot_be_said_yet() -> None:
    stage = Stage()
    stage.hear("homeassistant/status", b"online")  # before what an earlier run left was heard
    assert stage.announcer.due > stage.now + 1
    stage.run(60)
    stage.reachable = False
    stage.hear("homeassistant/status", b"online")
    stage.run(60)
    assert stage.announcer.due == float("inf")
    stage.reachable = True
    assert stage.announcer.due <= stage.now


def test_parts_as_devices_come_after_the_machine() -> None:
    stage = Stage(devices="via_device")
    stage.run(60)
    assert stage.said[0][1] == OWN
    assert len(stage.said) == 3
    assert {stage.document(index)["dev"]["via_device"] for index in (1, 2)} == {HOST.node_id}
    moments = [moment for moment, _, _ in stage.said]
    assert min(b - a for a, b in pairwise(moments)) >= SPACING_SECONDS


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{}", b'{"cmps": 3}', b"null"])
def test_strange_payloads_do_no_harm(payload: bytes) -> None:
    stage = Stage()
    stage.run(1)
    stage.hear(OWN, payload, retain=True)
    stage.hear("homeassistant/status", payload)
    stage.run(30)
    assert key("a") in stage.components(-1)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_json_has_not_are_not_repeated(value: str) -> None:
    stage = Stage()
    stage.readings = {}  # silent, so that what an earlier run left would stay
    stage.run(1)
    left = f'{{"cmps": {{"disk_gone": {{"p": "sensor", "v": {value}}}}}}}'
    stage.hear(OWN, left.encode(), retain=True)
    stage.run(30)
    assert "disk_gone" not in stage.components(-1)


# -- the recorder --------------------------------------------------------------------------------


def test_rows_count_changes_as_home_assistant_sees_them() -> None:
    found = discovery({"disk": Disks, "explanation": ExplanationReading})
    rows = RecorderEstimate(found.entities({"disk": Disks(devices={"a": disk("a")})}))
    for size in (1 << 20, (1 << 20) + 5, 9 << 20):  # the second is the same in MiB
        rows.heard("disk", json.dumps({"devices": {"a": {"size_bytes": size}}}).encode())
    assert rows.counts[key("a")] == 1
    assert key("a", "wear_percent") not in rows.counts
    assert rows.a_day(60)[key("a")] == 1440


def test_a_culprit_is_a_row_when_he_is_another() -> None:
    rows = RecorderEstimate(discovery({}).entities({}))
    for share, name in ((81.0, "xz"), (81.0, "xz"), (52.0, "xz"), (52.0, "Borg backup"), (0, "")):
        causes = [{"name": name, "share_percent": share}] if name else []
        rows.heard("overview", json.dumps({"culprit": name, "causes": causes}).encode())
    assert rows.counts["culprit"] == 3
    for odd in ('{"causes": 3}', '{"causes": ["x"]}', '{"causes": [{"share_percent": "x"}]}'):
        rows.heard("overview", odd.encode())


def test_another_sentence_is_no_row_of_what_it_does_not_tell() -> None:
    contents: dict[str, type[Reading]] = {"disk": DiskReading, "explanation": ExplanationReading}
    rows = RecorderEstimate(discovery(contents).entities({"disk": DiskReading(fullest_percent=1)}))
    for sentence in ("a", "b"):
        body = {"disk_fullest_percent": 80.0, "headline": sentence, "causes": [{"name": sentence}]}
        rows.heard("overview", json.dumps(body).encode())
    assert (rows.counts["disk_fullest_percent"], rows.counts["explanation_headline"]) == (0, 1)


def test_each_event_and_picture_is_a_row_but_the_one_that_was_there() -> None:
    rows = RecorderEstimate(discovery({}).entities({}))
    rows.heard("picture", b"<svg/>", retain=True)
    for _ in range(3):
        rows.heard("picture", b"<svg/>")
        rows.heard("event", b'{"event": "alert_raised"}')
        rows.heard("event", b'{"event": "cause_began", "category": "development"}')
        rows.heard("event", b'{"event": "cause_ended", "category": "media", "duration_seconds": 5}')
        rows.heard("event", b'{"event": "state_changed", "state": "busy"}')
    none = {"problem": 0, "culprit": 0, "cause_1": 0, "cause_2": 0, "cause_3": 0}
    assert rows.counts == {"last_event": 3, "picture": 3, **none}


def test_causes_are_declared_with_what_the_attributes_show() -> None:
    assert {"label", "category", "reason"} <= {field.name for field in fields_of(ToldCauseReading)}
