"""Home Assistant's device discovery, derived from the declarations of the metrics.

Source: Home Assistant's documentation of MQTT discovery and of its sensor device classes, as of
2025.4 to 2026.11. ``DEVICE_CLASSES`` is the only table here; everything else follows from what a
metric is declared to be. docs/home-assistant.md tells users what they get.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.schema import topics
from publisher.schema.message import Message
from publisher.schema.messages import EVENT_KINDS, InfoReading
from publisher.schema.metric import Field, Kind, Metric, Reading, Unit, fields_of, is_list
from publisher.schema.payload import encode
from publisher.schema.setting import setting
from publisher.schema.topics import Topics

HOMEPAGE = "https://github.com/fanwhy/fanwhy"

# What Home Assistant calls a quantity in this unit. Units that are missing here have no class:
# a percentage is anything, and rpm must not be called a frequency, which is in hertz.
DEVICE_CLASSES: Mapping[Unit, str] = {
    Unit.CELSIUS: "temperature",
    Unit.MEGAHERTZ: "frequency",
    Unit.BYTES: "data_size",
    Unit.BYTES_PER_SECOND: "data_rate",
    Unit.MEGABITS_PER_SECOND: "data_rate",
    Unit.WATTS: "power",
    Unit.JOULES: "energy",
    Unit.KILOWATT_HOURS: "energy",
    Unit.VOLTS: "voltage",
    Unit.AMPERES: "current",
    Unit.SECONDS: "duration",
    Unit.MILLISECONDS: "duration",
    Unit.DECIBEL_MILLIWATTS: "signal_strength",
}
_PROBLEM_STATES = ("hot", "pressure")
# Topics whose fields are no entities: the overview repeats others, the rest is not a state.
_LEFT_OUT = frozenset({topics.OVERVIEW, topics.CATALOGUE, topics.EVENT})
_ACRONYMS = frozenset({"cpu", "gpu"})
_PLAIN = re.compile(r"[^a-z0-9]+")
Component = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """What Home Assistant is told."""

    enabled: bool = setting(True, "Announce this machine to Home Assistant.")
    discovery_prefix: str = setting(
        "homeassistant", "First level of discovery topics, as set in Home Assistant."
    )
    status_topic: str = setting(
        "homeassistant/status", "Where Home Assistant says that it has started."
    )
    child_devices: bool = setting(
        False,
        "Announce disks, GPUs and the like as devices of their own, below this machine's; "
        "needs Home Assistant 2026.11.",
    )


@dataclass(frozen=True, slots=True)
class Host:
    """Who is announced."""

    name: str
    machine_id: str
    info: InfoReading

    @property
    def object_id(self) -> str:
        return f"fanwhy_{self.machine_id[:16]}"


class Discovery:
    """The device that Home Assistant is shown, and how it changes.

    Args:
        host: who this is.
        addresses: the topics of this host.
        contents: the reading of every topic, by leaf.
        settings: prefix and form.
        expire_seconds: age at which a value counts as unknown; ``None`` where the broker itself
            forgets old messages (MQTT 5).
    """

    def __init__(
        self,
        host: Host,
        addresses: Topics,
        contents: Mapping[str, type[Reading]],
        settings: HomeAssistantSettings,
        *,
        expire_seconds: int | None = None,
    ) -> None:
        self._host = host
        self._topics = addresses
        self._contents = contents
        self._expire_seconds = expire_seconds
        self.topic = f"{settings.discovery_prefix}/device/{host.object_id}/config"
        self._announced: dict[str, str] = {}

    def recall(self, payload: bytes) -> None:
        """Takes in what an earlier run left retained, so that what is gone can be withdrawn."""
        try:
            components = json.loads(payload)["cmps"]
            for key, component in components.items():
                self._announced.setdefault(str(key), str(component["p"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # withdrawn, or none of ours

    def announce(self, readings: Mapping[str, Reading]) -> list[Message]:
        """The messages that bring Home Assistant up to date, in order.

        A component that is gone must be named once as empty before it is left out; otherwise
        Home Assistant keeps it.
        """
        components = self.components(readings)
        gone = {
            key: {"p": platform}
            for key, platform in self._announced.items()
            if key not in components
        }
        self._announced = {key: component["p"] for key, component in components.items()}
        messages = [self._message(components | gone)] if gone else []
        return [*messages, self._message(components)]

    def withdraw(self) -> Message:
        """Removes the device."""
        self._announced = {}
        return Message(topic=self.topic, payload=b"", qos=1, retain=True)

    def components(self, readings: Mapping[str, Reading]) -> dict[str, Component]:
        """Every entity of this machine as it is now, by an id that never changes its meaning."""
        found: dict[str, Component] = {}
        for leaf, cls in self._contents.items():
            reading = readings.get(leaf)
            if leaf in _LEFT_OUT or reading is None:
                continue
            found.update(self._of_topic(leaf, cls, reading))
        found.update(self._special())
        return found

    # -- components -----------------------------------------------------------------------------

    def _of_topic(
        self, leaf: str, cls: type[Reading], reading: Reading
    ) -> Iterator[tuple[str, Component]]:
        for field in fields_of(cls):
            metric = field.metric
            if metric.kind is Kind.INSTANCES and metric.of and leaf != topics.INFO:
                for name in getattr(reading, field.name):
                    yield from self._of_instance(leaf, field, metric.of, name)
            elif _is_entity(field) and getattr(reading, field.name) is not None:
                key = f"{leaf}_{field.name}"
                path = f"value_json.{field.name}"
                yield key, self._sensor(leaf, field, key, path, _title(leaf, metric.title))

    def _of_instance(
        self, leaf: str, outer: Field, cls: type[Reading], name: str
    ) -> Iterator[tuple[str, Component]]:
        slug = _slug(name)
        for field in fields_of(cls):
            if not _is_entity(field):
                continue
            key = f"{leaf}_{outer.name}_{slug}_{field.name}"
            devices = f"(value_json.{outer.name} | default({{}}))"
            path = f"({devices}[{_quoted(name)}] | default({{}})).{field.name}"
            title = f"{_title(leaf, outer.metric.title)} {name} {field.metric.title.lower()}"
            yield key, self._sensor(leaf, field, key, path, title)

    def _sensor(self, leaf: str, field: Field, key: str, path: str, name: str) -> Component:
        metric = field.metric
        platform = "binary_sensor" if metric.kind is Kind.FLAG else "sensor"
        component: Component = self._base(platform, key, name, leaf)
        if metric.kind is Kind.FLAG:
            component["value_template"] = f"{{{{ 'ON' if {path} | default(false) else 'OFF' }}}}"
        else:
            component["value_template"] = f"{{{{ {path} | default('None') }}}}"
            component |= _quantity(metric)
        if metric.device_class:
            component["device_class"] = metric.device_class
        if metric.icon:
            component["icon"] = metric.icon
        if metric.diagnostic:
            component["entity_category"] = "diagnostic"
        if not metric.enabled:
            component["enabled_by_default"] = False
        if self._expire_seconds and leaf != topics.INFO:
            component["expire_after"] = self._expire_seconds
        if key == f"{topics.EXPLANATION}_headline":
            component["json_attributes_topic"] = component["state_topic"]
            component["json_attributes_template"] = _ATTRIBUTES
        return component

    def _special(self) -> dict[str, Component]:
        """What is more than one value of one reading."""
        states = ", ".join(f"'{state}'" for state in _PROBLEM_STATES)
        problem = self._base("binary_sensor", "problem", "Problem", topics.EXPLANATION) | {
            "device_class": "problem",
            "value_template": f"{{{{ 'ON' if value_json.state in ({states}) else 'OFF' }}}}",
        }
        if self._expire_seconds:
            problem["expire_after"] = self._expire_seconds
        event = self._base("event", "event", "Event", topics.EVENT) | {
            "event_types": list(EVENT_KINDS),
            "value_template": _EVENT,
            "icon": "mdi:timeline-alert-outline",
        }
        refresh = self._base("button", "refresh", "Refresh", None) | {
            "command_topic": self._topics.of(topics.COMMAND),
            "payload_press": "refresh",
            "entity_category": "diagnostic",
            "icon": "mdi:refresh",
        }
        return {"problem": problem, "event": event, "refresh": refresh}

    def _base(self, platform: str, key: str, name: str, leaf: str | None) -> Component:
        component: Component = {
            "p": platform,
            "unique_id": f"{self._host.object_id}_{key}",
            "default_entity_id": f"{platform}.{_slug(self._host.name)}_{_slug(name)}",
            "name": name,
        }
        if leaf:
            component["state_topic"] = self._topics.of(leaf)
        return component

    def _message(self, components: Mapping[str, Component]) -> Message:
        info = self._host.info
        device = {
            "ids": [self._host.object_id],
            "name": self._host.name,
            "mf": "fanwhy",
            "mdl": info.cpu_model,
            "sw": info.operating_system,
        }
        config = {
            "dev": {key: value for key, value in device.items() if value},
            "o": {"name": "fanwhy", "sw": info.fanwhy_version, "url": HOMEPAGE},
            "avty_t": self._topics.of(topics.STATUS),
            "qos": 1,
            "cmps": components,
        }
        return Message(topic=self.topic, payload=encode(config), qos=1, retain=True)


_ATTRIBUTES = (
    "{{ {'state': value_json.state | default(none), 'since': value_json.since | default(none), "
    "'causes': value_json.causes | default([]), "
    "'evidence': value_json.evidence | default({})} | tojson }}"
)
_EVENT = (
    "{{ {'event_type': value_json.event, 'message': value_json.message | default(none), "
    "'label': value_json.label | default(none), 'category': value_json.category | default(none), "
    "'duration_seconds': value_json.duration_seconds | default(none), "
    "'id': value_json.id | default(none)} | tojson }}"
)


def _is_entity(field: Field) -> bool:
    """Single values are entities; lists and nested readings are for those who read the topic."""
    nested = (Kind.INSTANCES, Kind.RECORDS, Kind.GROUP)
    return field.metric.kind not in nested and not is_list(field.type)


def _quantity(metric: Metric) -> Component:
    """Unit, class and statistics of a sensor."""
    found: Component = {}
    if metric.kind is Kind.CHOICE:
        return {"device_class": "enum", "options": list(metric.options)}
    if metric.kind is Kind.TIMESTAMP:
        return {"device_class": "timestamp"}
    if metric.kind not in (Kind.GAUGE, Kind.COUNTER):
        return {}
    found["state_class"] = "total_increasing" if metric.kind is Kind.COUNTER else "measurement"
    if metric.unit:
        found["unit_of_measurement"] = str(metric.unit)
    if metric.unit in DEVICE_CLASSES:
        found["device_class"] = DEVICE_CLASSES[metric.unit]
    if metric.precision is not None:
        found["suggested_display_precision"] = metric.precision
    if found.get("device_class") == "energy" and metric.kind is Kind.GAUGE:
        del found["state_class"]  # energy that is no meter reading has no statistics of its own
    return found


def _title(leaf: str, title: str) -> str:
    if leaf in (topics.EXPLANATION, topics.INFO):
        return title
    if leaf == topics.SELF:
        return f"fanwhy {title}" if title.isupper() else f"fanwhy {title.lower()}"
    prefix = leaf.upper() if leaf in _ACRONYMS else leaf.capitalize()
    return f"{prefix} {title if title[:2].isupper() else title[0].lower() + title[1:]}"


def _slug(text: str) -> str:
    return _PLAIN.sub("_", text.lower()).strip("_") or "x"


def _quoted(text: str) -> str:
    """A Jinja string literal: names of devices are not ours, so all but plain ones is escaped."""
    return (
        "'"
        + "".join(
            character
            if character.isascii() and (character.isalnum() or character in " _./:-")
            else f"\\U{ord(character):08x}"
            for character in text
        )
        + "'"
    )
