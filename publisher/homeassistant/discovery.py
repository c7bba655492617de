"""Home Assistant's device discovery, derived from the declarations of the metrics.

Source: Home Assistant's documentation of MQTT discovery, and its ``mqtt`` component as of 2025.4
to 2026.11. ``classes`` knows classes and units, ``naming`` names and ids, and ``announcer`` decides
when all this is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.config.setting import setting
from publisher.contract import topics
from publisher.contract.messages import Message
from publisher.contract.metric import Field, Kind, Metric, Reading, fields_of, is_list
from publisher.contract.payload import encode
from publisher.contract.printable import LONGEST_NAME, shown
from publisher.contract.readings import EVENT_KINDS, InfoReading
from publisher.contract.topics import Topic, TopicAddresses
from publisher.homeassistant.classes import quantity, template
from publisher.homeassistant.naming import lower, names_of, quoted, slug, stable, title_of

HOMEPAGE = "https://github.com/fanwhy/fanwhy"
FORMS = ("one", "via_device", "child_devices")
_PROBLEM_STATES = ("hot", "pressure")
_NO_CAUSE = "none"
_NOBODY = "Nobody"
# What a person would hold in a hand, and so may be a device of its own.
_LONGEST_NAME = 80  # characters of a device, in what a person reads
_TANGIBLE = frozenset({"devices", "arrays", "interfaces", "supplies"})
Component = dict[str, Any]

# Home Assistant's own abbreviations (its ``mqtt/abbreviations.py``), for what every one of
# hundreds of components says.
_SHORT = {
    "command_topic": "cmd_t",
    "default_entity_id": "def_ent_id",
    "device_class": "dev_cla",
    "enabled_by_default": "en",
    "entity_category": "ent_cat",
    "expire_after": "exp_aft",
    "icon": "ic",
    "state_class": "stat_cla",
    "state_topic": "stat_t",
    "suggested_display_precision": "sug_dsp_prc",
    "unique_id": "uniq_id",
    "unit_of_measurement": "unit_of_meas",
    "value_template": "val_tpl",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """What Home Assistant is told."""

    enabled: bool = setting(
        True, "Announce this machine to Home Assistant; false withdraws what was announced."
    )
    discovery_prefix: str = setting(
        "homeassistant", "First level of discovery topics, as set in Home Assistant."
    )
    status_topic: str = setting(
        "homeassistant/status", "Where Home Assistant says that it has started."
    )
    picture: bool = setting(True, "Send a picture of the last 24 hours, at most every 15 minutes.")
    devices: str = setting(
        "one",
        "One device for the whole machine, or disks, GPUs and network cards as devices of their "
        "own below it: via_device, or child_devices for Home Assistant 2026.11 and newer.",
        options=FORMS,
    )


@dataclass(frozen=True, slots=True)
class Host:
    """Who is announced."""

    name: str
    machine_id: str
    info: InfoReading

    @property
    def node_id(self) -> str:
        return f"fanwhy_{slug(self.machine_id)[:16]}"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the machine that is a device of its own, when that is wanted."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity: where its value is found, and what Home Assistant is told of it.

    Attributes:
        key: names it for ever among those of this host.
        leaf: the topic its value comes on; ``None`` for a button.
        path: keys from the payload's root to its value; empty where it is made of several.
        readable: whether there is a value now.
        metric: what the value is declared to be.
        of: for one that is made of several fields, what of a payload its state and attributes
            follow from.
    """

    key: str
    leaf: str | None
    component: Component
    path: tuple[str, ...] = ()
    readable: bool = True
    part: Part | None = None
    metric: Metric | None = None
    of: Callable[[Mapping[str, Any]], Any] | None = None

    @property
    def enabled(self) -> bool:
        return bool(self.component.get("enabled_by_default", True))


class Discovery:
    """What Home Assistant is shown of a host.

    Args:
        host: who this is.
        addresses: the topics of this host.
        rows: the topics; those whose values are entities are shown, in this order.
        settings: prefix and form.
        expire_seconds: age at which the values of a topic count as unknown. A host that died
            together with the broker that kept its will can only be told by age.
    """

    def __init__(
        self,
        host: Host,
        addresses: TopicAddresses,
        rows: Iterable[Topic],
        settings: HomeAssistantSettings,
        *,
        expire_seconds: Callable[[str], int],
    ) -> None:
        self._host = host
        self._topics = addresses
        shown = [row for row in rows if row.entities]
        self._contents = {row.leaf: row.reading for row in shown if row.reading}
        self._constant = frozenset(row.leaf for row in shown if row.constant)
        self._form = settings.devices
        self._picture = settings.picture
        self._expire_seconds = expire_seconds
        self._base_topic = f"{settings.discovery_prefix}/device/{host.node_id}"

    @property
    def leaves(self) -> Iterable[str]:
        """The topics that have entities."""
        return self._contents

    def shape(self, readings: Mapping[str, Reading]) -> int:
        """A number that differs when other entities are to be shown; costs a tenth of them."""
        found: list[Any] = []
        for leaf, cls in self._contents.items():
            reading = readings.get(leaf)
            found.append(reading is None)
            if reading is None:
                continue
            for field in fields_of(cls):
                value = getattr(reading, field.name)
                if field.metric.kind is Kind.INSTANCES and field.metric.of:
                    names = [inner.name for inner in fields_of(field.metric.of)]
                    for name, item in value.items():
                        found.append((name, getattr(item, "label", None)))
                        found.append(tuple(getattr(item, inner) is None for inner in names))
                else:
                    found.append(value is None)
        return hash(tuple(found))

    def entities(self, readings: Mapping[str, Reading]) -> Iterator[Entity]:
        """Every entity that this machine may have as it is now, readable or not."""
        taken: set[str] = set()
        for entity in self._all(readings):
            component = entity.component
            if component["default_entity_id"] in taken:  # two of a name: by what is unique
                platform, _, _ = component["default_entity_id"].partition(".")
                component["default_entity_id"] = f"{platform}.{slug(self._host.name)}_{entity.key}"
            taken.add(component["default_entity_id"])
            yield entity

    def _all(self, readings: Mapping[str, Reading]) -> Iterator[Entity]:
        for leaf, cls in self._contents.items():
            reading = readings.get(leaf)
            if reading is not None:
                yield from self._of_topic(leaf, cls, reading)
            elif leaf in self._constant:
                yield from self._of_topic(leaf, cls, cls())
        yield from self._special()

    def documents(self, entities: Iterable[Entity]) -> dict[str, dict[str, Any]]:
        """Discovery payloads by topic, the machine's own before those of its parts."""
        own: dict[str, Component] = {}
        below: dict[Part, dict[str, Component]] = {}
        for entity in entities:
            apart = self._form != "one" and entity.part is not None
            home = below.setdefault(entity.part, {}) if apart and entity.part else own
            home[entity.key] = _short(entity.component)
        if not own:
            return {}
        document = self._document(self._device(), own)
        if self._form == "child_devices":
            document["child_devices"] = [
                {"ids": [f"{self._host.node_id}_{part.id}"], "name": part.name, "cmps": components}
                for part, components in below.items()
            ]
            return {f"{self._base_topic}/config": document}
        found = {f"{self._base_topic}/config": document}
        for part, components in below.items():
            device = {
                "ids": [f"{self._host.node_id}_{part.id}"],
                "name": f"{self._host.name} {part.name}",
                "via_device": self._host.node_id,
            }
            found[f"{self._base_topic}/{part.id}/config"] = self._document(device, components)
        return found

    def message(self, topic: str, document: Mapping[str, Any] | None) -> Message:
        """A discovery message; without a document the device is withdrawn."""
        payload = b"" if document is None else encode(document)
        return Message(topic=topic, payload=payload, qos=1, retain=True)

    # -- entities -------------------------------------------------------------------------------

    def _of_topic(self, leaf: str, cls: type[Reading], reading: Reading) -> Iterator[Entity]:
        for field in fields_of(cls):
            metric = field.metric
            if metric.kind is Kind.INSTANCES and metric.of and leaf != topics.INFO:
                yield from self._of_instances(leaf, field, metric.of, getattr(reading, field.name))
            elif _is_entity(field):
                value = f"value_json.{field.name}"
                key = f"{leaf}_{field.name}"
                yield Entity(
                    key=key,
                    leaf=leaf,
                    path=(field.name,),
                    metric=metric,
                    readable=leaf in self._constant or getattr(reading, field.name) is not None,
                    component=self._sensor(leaf, field, key, value, title_of(leaf, metric.title)),
                )

    def _of_instances(
        self, leaf: str, outer: Field, cls: type[Reading], items: Mapping[str, Reading]
    ) -> Iterator[Entity]:
        names = {each: shown(name, _LONGEST_NAME) for each, name in names_of(items).items()}
        for identity, item in items.items():
            part = None
            told = shown(identity, LONGEST_NAME)  # as the payload has it
            if outer.name in _TANGIBLE:
                part = Part(f"{leaf}_{stable(identity)}", names[identity])
            for field in fields_of(cls):
                if not _is_entity(field) or field.name == "label":
                    continue
                key = f"{leaf}_{outer.name}_{stable(identity)}_{field.name}"
                items_path = f"(value_json.{outer.name} | default({{}}))"
                value = f"({items_path}[{quoted(told)}] | default({{}})).{field.name}"
                title = field.metric.title
                entity_id = f"{leaf}_{slug(names[identity])}_{slug(title)}"
                if part is None or self._form == "one":
                    title = f"{names[identity]} {lower(title)}"
                yield Entity(
                    key=key,
                    leaf=leaf,
                    path=(outer.name, told, field.name),
                    metric=field.metric,
                    readable=getattr(item, field.name) is not None,
                    component=self._sensor(leaf, field, key, value, title, entity_id=entity_id),
                    part=part,
                )

    def _sensor(
        self, leaf: str, field: Field, key: str, value: str, name: str, *, entity_id: str = ""
    ) -> Component:
        metric = field.metric
        platform = "binary_sensor" if metric.kind is Kind.FLAG else "sensor"
        component = self._base(platform, key, name, leaf, entity_id=entity_id)
        if metric.kind is Kind.FLAG:
            component |= {"payload_on": "True", "payload_off": "False"}
        component["value_template"] = template(metric, value)
        component |= quantity(metric)
        if metric.device_class:
            component["device_class"] = metric.device_class
        if metric.icon:
            component["icon"] = metric.icon
        if metric.diagnostic or leaf == topics.INFO:
            component["entity_category"] = "diagnostic"
        if not metric.enabled:
            component["enabled_by_default"] = False
        if leaf != topics.INFO:
            component["expire_after"] = self._expire_seconds(leaf)
        if key == f"{topics.EXPLANATION}_cause":  # at rest that is known, too
            component["value_template"] = f"{{{{ {value} | default('{_NO_CAUSE}') }}}}"
            component["options"] = [*component["options"], _NO_CAUSE]
        if key == f"{topics.EXPLANATION}_headline":
            component["json_attributes_topic"] = component["state_topic"]
            component["json_attributes_template"] = _ATTRIBUTES
        return component

    def _special(self) -> Iterator[Entity]:
        """What is more, or less, than one value of one reading."""
        states = ", ".join(f"'{state}'" for state in _PROBLEM_STATES)
        yield Entity(
            key="problem",
            leaf=topics.EXPLANATION,
            of=lambda body: body.get("state") in _PROBLEM_STATES,
            component=self._base("binary_sensor", "problem", "Problem", topics.EXPLANATION)
            | {
                "device_class": "problem",
                "value_template": f"{{{{ 'ON' if value_json.state in ({states}) else 'OFF' }}}}",
                "expire_after": self._expire_seconds(topics.EXPLANATION),
            },
        )
        yield Entity(
            key="culprit",
            leaf=topics.EXPLANATION,
            of=_culprit,
            component=self._base("sensor", "culprit", "Culprit", topics.EXPLANATION)
            | {
                "value_template": _CULPRIT,
                "json_attributes_topic": self._topics.of(topics.EXPLANATION),
                "json_attributes_template": _CULPRIT_ATTRIBUTES,
                "expire_after": self._expire_seconds(topics.EXPLANATION),
                "icon": "mdi:target-account",
            },
        )
        yield Entity(
            key="event",
            leaf=topics.EVENT,
            component=self._base("event", "event", "Event", topics.EVENT)
            | {
                "event_types": list(EVENT_KINDS),
                "value_template": _EVENT,
                "icon": "mdi:timeline-alert-outline",
            },
        )
        if self._picture:
            yield Entity(
                key="picture",
                leaf=topics.PICTURE,
                component=self._base("image", "picture", "Last 24 hours", None)
                | {
                    "image_topic": self._topics.of(topics.PICTURE),
                    "content_type": "image/svg+xml",
                },
            )
        yield Entity(
            key="refresh",
            leaf=None,
            component=self._base("button", "refresh", "Refresh", None)
            | {
                "command_topic": self._topics.of(topics.COMMAND),
                "payload_press": "refresh",
                "entity_category": "diagnostic",
                "icon": "mdi:refresh",
            },
        )

    def _base(
        self, platform: str, key: str, name: str, leaf: str | None, *, entity_id: str = ""
    ) -> Component:
        component: Component = {
            "p": platform,
            "unique_id": f"{self._host.node_id}_{key}",
            "default_entity_id": f"{platform}.{slug(self._host.name)}_{entity_id or slug(name)}",
            "name": name,
        }
        if leaf:
            component["state_topic"] = self._topics.of(leaf)
        return component

    def _device(self) -> dict[str, Any]:
        info = self._host.info
        device = {
            "ids": [self._host.node_id],
            "name": self._host.name,
            "mf": info.manufacturer or "fanwhy",
            "mdl": info.model or info.cpu_model,
            "sw": f"fanwhy {info.fanwhy_version}" if info.fanwhy_version else None,
        }
        return {
            key: shown(value, LONGEST_NAME) if isinstance(value, str) else value
            for key, value in device.items()
            if value
        }

    def _document(self, device: Mapping[str, Any], components: Any) -> dict[str, Any]:
        return {
            "dev": device,
            "o": {"name": "fanwhy", "sw": self._host.info.fanwhy_version or "", "url": HOMEPAGE},
            "avty_t": self._topics.of(topics.STATUS),
            "qos": 1,
            "cmps": components,
        }


# The causes and the evidence, a few of them; where even these are long, the state must do: Home
# Assistant's database takes no more than 16,384 bytes of attributes. One called "state" it drops.
# What only programs go by is on the topic alone.
_ATTRIBUTES = (
    "{% set ns = namespace(causes=[]) %}"
    "{% for cause in (value_json.causes | default([]))[:5] %}"
    "{% set ns.causes = ns.causes + [dict(cause.items() "
    "| rejectattr(0, 'in', ['pids', 'cgroup', 'container_id']))] %}"
    "{% endfor %}"
    "{% set all = {'host_state': value_json.state | default(none), "
    "'since': value_json.since | default(none), "
    "'hint': value_json.hint | default(none), "
    "'causes': ns.causes, "
    "'evidence': value_json.evidence | default({})} | tojson %}"
    "{{ all if all | length < 5000 else {'host_state': value_json.state | default(none), "
    "'since': value_json.since | default(none)} | tojson }}"
)
# What is told of the culprit besides its name; a number would be a row in the database whenever it
# moves, so that the share is told in tens.
_OF_CULPRIT = (
    "resource",
    "category",
    "since",
    "on_behalf_of",
    "usual",
    "reason",
    "unit",
    "to_stop",
)
_FIRST = "{% set first = (value_json.causes | default([]) | first) | default({}) %}"
_CULPRIT = f"{_FIRST}{{{{ (first.name | default('{_NOBODY}'))[:255] }}}}"
_SHARE = "(first.share_percent / 10) | round | int * 10"
_CULPRIT_ATTRIBUTES = (
    f"{_FIRST}{{{{ {{'share_percent': {_SHARE} if first.share_percent is defined else none, "
    + ", ".join(f"'{name}': first.{name} | default(none)" for name in _OF_CULPRIT)
    + "} | tojson }}"
)


def _culprit(body: Mapping[str, Any]) -> Any:
    """What the templates above take out of a payload."""
    causes = body.get("causes")
    first = causes[0] if isinstance(causes, list) and causes else {}
    if not isinstance(first, dict):
        return None
    share = first.get("share_percent")
    tens = round(share / 10) if isinstance(share, int | float) else None
    return [first.get("name"), tens, *(first.get(name) for name in _OF_CULPRIT)]


_EVENT = (
    "{{ {'event_type': value_json.event, 'message': value_json.message | default(none), "
    "'label': value_json.label | default(none), 'category': value_json.category | default(none), "
    "'alert': value_json.alert | default(none), 'severity': value_json.severity | default(none), "
    "'duration_seconds': value_json.duration_seconds | default(none), "
    "'id': value_json.id | default(none)} | tojson }}"
)


def _is_entity(field: Field) -> bool:
    """Single values are entities; lists and nested readings are for those who read the topic."""
    nested = (Kind.INSTANCES, Kind.RECORDS, Kind.GROUP)
    return field.metric.kind not in nested and not is_list(field.type)


def _short(component: Component) -> Component:
    return {_SHORT.get(key, key): value for key, value in component.items()}
