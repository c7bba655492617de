"""Home Assistant's device discovery, derived from the declarations of the metrics.

Source: Home Assistant's documentation of MQTT discovery, and its ``mqtt`` component as of 2025.4
to 2026.11. ``classes`` knows classes and units, ``naming`` names and ids, and ``announcer`` decides
when all this is said.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.contract import topics
from publisher.contract.messages import Message
from publisher.contract.metric import Field, Kind, Metric, Reading, fields_of, is_list
from publisher.contract.payload import encode
from publisher.contract.printable import LONGEST_NAME, shown
from publisher.contract.readings import (
    EVENT_KINDS,
    InfoReading,
    KindEnergyReading,
    WorkEnergyReading,
    overview_key,
)
from publisher.contract.topics import Topic, TopicAddresses
from publisher.homeassistant.classes import quantity, template
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.homeassistant.naming import lower, names_of, quoted, said, slug, stable, title_of
from publisher.homeassistant.templates import (
    ATTRIBUTES_OF,
    CAUSE,
    CULPRIT,
    CULPRIT_ATTRIBUTES,
    EVENT,
    INSTALLED,
    LAST_EVENT,
    LAST_EVENT_ATTRIBUTES,
    LATEST,
    NO_CAUSE,
    PROBLEM,
    PROBLEM_STATES,
    QUIET,
    cause_of,
    is_told,
)

HOMEPAGE = "https://github.com/fanwhy/fanwhy"
_CAUSES = ("First cause", "Second cause", "Third cause")
# Home Assistant keeps the last event over its own restart for as long as this.
_EVENT_SECONDS = 30 * 86400
# What begins again at midnight, which is no fall: an older fanwhy's last half hour may be missing.
_TODAY = "today_kilowatt_hours"
_OF_THE_DAY = {
    "state_class": "total",
    "last_reset_value_template": "{{ value_json.since }}",
}
# What stands beside the causes in the dialog of *Why*, as far as it is shown at all.
_EVIDENCE = ("cpu", "memory", "thermal", "gpu", "power")
# What a person would hold in a hand, and so may be a device of its own.
_LONGEST_NAME = 80  # characters of a device, in what a person reads
_TANGIBLE = frozenset({"devices", "arrays", "interfaces", "supplies"})
Component = dict[str, Any]
# Home Assistant knows them by the letters of ISO 4217.
_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN"}

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
    "group": "grp",
    "state_class": "stat_cla",
    "state_topic": "stat_t",
    "suggested_display_precision": "sug_dsp_prc",
    "unique_id": "uniq_id",
    "unit_of_measurement": "unit_of_meas",
    "value_template": "val_tpl",
}


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
        home: the topic whose reading has it, where the value comes on another.
        path: keys from the payload's root to its value; empty where it is made of several.
        readable: whether there is a value now.
        metric: what the value is declared to be.
        of: for one that is made of several fields, what of a payload its state and attributes
            follow from.
    """

    key: str
    leaf: str | None
    component: Component
    home: str | None = None
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
        price_per_kwh: what a kilowatt-hour costs, in ``currency``; 0 tells no money.
    """

    def __init__(
        self,
        host: Host,
        addresses: TopicAddresses,
        rows: Iterable[Topic],
        settings: HomeAssistantSettings,
        *,
        expire_seconds: Callable[[str], int],
        price_per_kwh: float = 0.0,
        currency: str = "",
    ) -> None:
        self._host = host
        self._topics = addresses
        shown = [row for row in rows if row.entities]
        self._contents = {row.leaf: row.reading for row in shown if row.reading}
        self._constant = frozenset(row.leaf for row in shown if row.constant)
        self._form = settings.devices
        self._picture = settings.picture
        self._page = settings.page
        self._price, self._currency = price_per_kwh, _CURRENCIES.get(currency, currency)
        self._update_topic = settings.update_topic
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
        found = list(self._all(readings))
        _gather(found)
        for entity in found:
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
        energy = readings.get(topics.ENERGY)
        if isinstance(energy, WorkEnergyReading) and self._price:
            yield from self._money(energy)
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
                key = f"{leaf}_{field.name}"
                # What the overview repeats is calm there: each change is a row in a database.
                on, name = leaf, field.name
                if metric.headline:
                    on, name = topics.OVERVIEW, overview_key(leaf, field)
                title = title_of(leaf, metric.title)
                yield Entity(
                    key=key,
                    leaf=on,
                    home=leaf,
                    path=(name,),
                    metric=metric,
                    readable=leaf in self._constant or getattr(reading, field.name) is not None,
                    component=self._sensor(leaf, field, key, f"value_json.{name}", title, on=on),
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
        self,
        leaf: str,
        field: Field,
        key: str,
        value: str,
        name: str,
        *,
        entity_id: str = "",
        on: str = "",
    ) -> Component:
        metric = field.metric
        platform = "binary_sensor" if metric.kind is Kind.FLAG else "sensor"
        component = self._base(platform, key, name, on or leaf, entity_id=entity_id)
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
            component["expire_after"] = self._expire_seconds(on or leaf)
        attributes = ATTRIBUTES_OF.get(key)
        if attributes:
            component["json_attributes_topic"] = component["state_topic"]
            component["json_attributes_template"] = attributes
        if leaf == topics.ENERGY and field.name == _TODAY:
            component |= _OF_THE_DAY
        if key == f"{topics.EXPLANATION}_cause":  # at rest that is known, too
            component["value_template"] = component["value_template"].replace("'None'", QUIET)
            component["options"] = [*component["options"], NO_CAUSE]
        return component

    def _money(self, energy: WorkEnergyReading) -> Iterator[Entity]:
        """What the energy has cost, at the price of now."""
        leaf = topics.ENERGY
        fields = {field.name: field for field in fields_of(KindEnergyReading)}
        for kind, item in energy.kinds.items():
            for name, title in (("energy_kilowatt_hours", "cost"), (_TODAY, "cost today")):
                key = f"{leaf}_kinds_{stable(kind)}_{slug(title)}"
                path = ("kinds", shown(kind, LONGEST_NAME), name)
                value = f"((value_json.kinds | default({{}}))[{quoted(path[1])}] | default({{}}))"
                component = self._base("sensor", key, f"{item.label} {title}", leaf) | {
                    "value_template": f"{{{{ ({value}.{name} * {self._price}) | round(2) "
                    f"if {value}.{name} is defined else 'None' }}}}",
                    "device_class": "monetary",
                    "unit_of_measurement": self._currency,
                    "expire_after": self._expire_seconds(leaf),
                    "suggested_display_precision": 2,
                    "enabled_by_default": False,
                }
                component |= _OF_THE_DAY if name == _TODAY else {"state_class": "total"}
                yield Entity(
                    key=key, leaf=leaf, path=path, metric=fields[name].metric, component=component
                )

    def _special(self) -> Iterator[Entity]:
        """What is more, or less, than one value of one reading."""
        yield self._told(
            "binary_sensor",
            "problem",
            "Problem",
            of=lambda body: body.get("state") in PROBLEM_STATES,
            device_class="problem",
            value_template=PROBLEM,
        )
        yield self._told(
            "sensor",
            "culprit",
            "Culprit",
            of=lambda body: cause_of(body, 0),
            value_template=CULPRIT,
            json_attributes_topic=self._topics.of(topics.OVERVIEW),
            json_attributes_template=CULPRIT_ATTRIBUTES,
            icon="mdi:target-account",
        )
        for place, name in enumerate(_CAUSES):
            yield self._told(
                "sensor",
                f"cause_{place + 1}",
                name,
                of=functools.partial(cause_of, place=place),
                value_template=CAUSE % place,
                icon=f"mdi:numeric-{place + 1}-circle-outline",
            )
        yield Entity(
            key="last_event",
            leaf=topics.EVENT,
            of=is_told,
            component=self._base("sensor", "last_event", "Last event", topics.EVENT)
            | {
                "value_template": LAST_EVENT,
                "json_attributes_topic": self._topics.of(topics.EVENT),
                "json_attributes_template": LAST_EVENT_ATTRIBUTES,
                "expire_after": _EVENT_SECONDS,
                "icon": "mdi:timeline-text-outline",
            },
        )
        yield Entity(
            key="event",
            leaf=topics.EVENT,
            component=self._base("event", "event", "Event", topics.EVENT)
            | {
                "event_types": [said(kind) for kind in EVENT_KINDS],
                "value_template": EVENT,
                # For automations alone: in the log of activity it would say everything twice.
                "enabled_by_default": False,
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
        if self._update_topic:
            yield Entity(
                key="update",
                leaf=topics.INFO,
                component=self._base("update", "update", "fanwhy", topics.INFO)
                | {
                    "value_template": INSTALLED,
                    "latest_version_topic": self._update_topic,
                    "latest_version_template": LATEST,
                    "release_url": f"{HOMEPAGE}/releases",
                    "title": "fanwhy",
                },
                of=lambda body: body.get("fanwhy_version"),
            )

    def _told(
        self,
        platform: str,
        key: str,
        name: str,
        *,
        of: Callable[[Mapping[str, Any]], Any],
        **component: Any,
    ) -> Entity:
        """What the overview says of the verdict."""
        leaf = topics.OVERVIEW
        return Entity(
            key=key,
            leaf=leaf,
            home=topics.EXPLANATION,
            of=of,
            component=self._base(platform, key, name, leaf)
            | {"expire_after": self._expire_seconds(leaf), **component},
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
            "cu": self._page,
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


def _gather(entities: list[Entity]) -> None:
    """Has Home Assistant (2026.5 and newer) show causes and evidence in the dialog of *Why*."""
    why = next((each for each in entities if each.key == f"{topics.EXPLANATION}_headline"), None)
    if why is None:
        return
    members = [each for each in entities if each.key.startswith("cause_")]
    members += [
        each
        for each in entities
        if each.leaf == topics.OVERVIEW and each.home in _EVIDENCE and each.enabled
    ]
    why.component["group"] = [each.component["unique_id"] for each in members]


def _is_entity(field: Field) -> bool:
    """Single values are entities; lists and nested readings are for those who read the topic."""
    nested = (Kind.INSTANCES, Kind.RECORDS, Kind.GROUP)
    return field.metric.kind not in nested and not is_list(field.type)


def _short(component: Component) -> Component:
    return {_SHORT.get(key, key): value for key, value in component.items()}
