"""A metric is declared once, where its value is read; everything else is derived from here.

A *reading* is a frozen dataclass whose fields are made by the specifiers below::

    @reading
    class FanReading(Reading):
        \"\"\"One fan at one instant.\"\"\"

        speed_rpm: int | None = rpm(
            "Speed", "Tachometer speed; absent without a tachometer wire.", deadband=60
        )

``gauge`` and ``counter`` take any unit; the presets, such as ``rpm`` and ``percent``, are gauges
and counters of the units that are used often.

From that one declaration come the payload's key and rounding (``payload``), what counts as a
change (``change``), JSON Schema and AsyncAPI (``model``), Home Assistant's entity, the
terminal's column and the row in ``docs/topics.md``.

A number also has a range that it can be in: that of its unit (``publisher.contract.possible``),
unless its declaration gives a narrower or wider one. What a driver says beyond it is no value: a
reading leaves it out.

Readings are plain dataclasses, not pydantic models, so that the resident daemon need not load
pydantic (16 MB); ``publisher.contract.model`` derives the pydantic models for all the rest
(docs/adr/0002-readings-are-dataclasses.md).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypedDict, TypeVar, Unpack, dataclass_transform

from publisher.contract.possible import POSSIBLE, notice
from publisher.contract.units import Unit

__all__ = [
    "Field",
    "Kind",
    "Metric",
    "Reading",
    "Unit",
    "bytes_per_second",
    "celsius",
    "choice",
    "counter",
    "fields_of",
    "flag",
    "gauge",
    "group",
    "instances",
    "kilowatt_hours",
    "megahertz",
    "metric_of",
    "milliseconds",
    "per_second",
    "percent",
    "reading",
    "records",
    "rpm",
    "seconds",
    "size",
    "text",
    "timestamp",
    "watts",
]


_T = TypeVar("_T")


class Kind(StrEnum):
    """What a field holds, in OpenTelemetry's words where it has them."""

    GAUGE = "gauge"  # a number that goes up and down
    COUNTER = "counter"  # a number that only grows, also where its source starts at zero again
    FLAG = "flag"  # true or false
    CHOICE = "choice"  # one of a few known words
    TEXT = "text"  # words
    TIMESTAMP = "timestamp"  # RFC 3339, UTC
    INSTANCES = "instances"  # stable identity -> reading of one device
    RECORDS = "records"  # a ranked list of readings
    GROUP = "group"  # one reading inside another


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """All that is known of a field besides its name and type.

    Attributes:
        deadband: the smallest move of a number, in ``unit``, that is worth a message. ``None``: a
            change of this field alone sends nothing; the value rides along with the next message.
            Flags, choices and maps need none: every change of theirs is sent.
        members: of a ranking, that it is worth a message who is in it, besides who leads.
        deadband_percent: a move must also reach this share of the value last sent.
        precision: decimal places published; ``None`` leaves the number as it is.
        lowest: the least that it can be, in ``unit``; ``None``: there is no such bound.
        highest: the most that it can be.
        overshoot: how far beyond ``highest`` a quotient of two measurements may come out, and is
            then taken for it.
        headline: among the few numbers of ``host/overview``.
        enabled: shown by Home Assistant without the user switching it on.
        diagnostic: about the machine or about fanwhy rather than about its work.
        device_class: Home Assistant's class where the unit alone does not tell it (a battery).
        icon: Material Design icon for Home Assistant where no class gives one.
    """

    kind: Kind
    title: str
    description: str
    unit: Unit = Unit.COUNT
    precision: int | None = None
    deadband: float | None = None
    deadband_percent: float = 0.0
    lowest: float | None = None
    highest: float | None = None
    overshoot: float = 0.0
    options: tuple[str, ...] = ()
    headline: bool = False
    enabled: bool = False
    diagnostic: bool = False
    device_class: str | None = None
    icon: str | None = None
    of: type[Reading] | None = None
    members: bool = False

    @property
    def bounded(self) -> bool:
        """Whether there are values that it cannot have."""
        return self.lowest is not None or self.highest is not None

    def doubt(self, value: float) -> str:
        """Why this value cannot be; empty when it can."""
        most = None if self.highest is None else self.highest + self.overshoot
        # Written so that what is no number cannot be, either.
        if (self.lowest is None or value >= self.lowest) and (most is None or value <= most):
            return ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{value:,.10g}{unit} cannot be: {self.range}"

    @property
    def range(self) -> str:
        """What it can be, in words: ``-40 to 125 °C``, ``0 and more``; empty without bounds."""
        unit = f" {self.unit}" if self.unit else ""
        lowest, highest = self.lowest, self.highest
        if lowest is not None and highest is not None:
            return f"{_number(lowest)} to {_number(highest)}{unit}"
        if lowest is not None:
            return f"{_number(lowest)}{unit} and more"
        return "" if highest is None else f"{_number(highest)}{unit} at most"


class Hints(TypedDict, total=False):
    """What any field may say besides its kind and unit; ``Metric`` tells what each one means."""

    headline: bool
    enabled: bool
    diagnostic: bool
    device_class: str | None
    icon: str | None


class Numeric(Hints, total=False):
    """What a number may say besides."""

    deadband: float | None
    deadband_percent: float
    lowest: float | None
    highest: float | None
    overshoot: float


# Percents are quotients of what is measured at two moments.
_PERCENT_OVERSHOOT = 10.0


def gauge(
    title: str,
    description: str,
    *,
    unit: Unit = Unit.COUNT,
    precision: int | None = None,
    **hints: Unpack[Numeric],
) -> Any:
    """A number that goes up and down; the field's type may be a number or a list of numbers."""
    _bound(unit, hints)
    return _field(
        Metric(
            kind=Kind.GAUGE,
            title=title,
            description=description,
            unit=unit,
            precision=precision,
            **hints,
        )
    )


def percent(title: str, description: str, *, precision: int = 0, **hints: Unpack[Numeric]) -> Any:
    """A gauge from 0 to 100; where it can be more, as in percent of one core, it says so."""
    hints.setdefault("overshoot", _PERCENT_OVERSHOOT)
    return gauge(title, description, unit=Unit.PERCENT, precision=precision, **hints)


def celsius(title: str, description: str, *, precision: int = 0, **hints: Unpack[Numeric]) -> Any:
    """A temperature, or a difference of two."""
    return gauge(title, description, unit=Unit.CELSIUS, precision=precision, **hints)


def watts(title: str, description: str, *, precision: int = 1, **hints: Unpack[Numeric]) -> Any:
    """Power."""
    return gauge(title, description, unit=Unit.WATTS, precision=precision, **hints)


def size(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """An amount of memory or storage, in bytes."""
    return gauge(title, description, unit=Unit.BYTES, precision=0, **hints)


def bytes_per_second(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """A flow of data."""
    return gauge(title, description, unit=Unit.BYTES_PER_SECOND, precision=0, **hints)


def per_second(
    title: str, description: str, *, precision: int = 1, **hints: Unpack[Numeric]
) -> Any:
    """How often something happens, in times a second."""
    return gauge(title, description, unit=Unit.PER_SECOND, precision=precision, **hints)


def megahertz(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """The speed of a clock."""
    return gauge(title, description, unit=Unit.MEGAHERTZ, precision=0, **hints)


def rpm(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """The speed of a fan, in turns a minute."""
    return gauge(title, description, unit=Unit.RPM, precision=0, **hints)


def seconds(
    title: str, description: str, *, precision: int | None = 0, **hints: Unpack[Numeric]
) -> Any:
    """A span of time."""
    return gauge(title, description, unit=Unit.SECONDS, precision=precision, **hints)


def milliseconds(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """A short span of time."""
    return gauge(title, description, unit=Unit.MILLISECONDS, precision=2, **hints)


def counter(
    title: str,
    description: str,
    *,
    unit: Unit = Unit.COUNT,
    precision: int | None = None,
    **hints: Unpack[Numeric],
) -> Any:
    """A number that only grows: published, it is never below what it once was.

    Its source may start again; ``publisher.publishing.totals`` makes up for that.
    """
    hints.setdefault("lowest", 0)
    _bound(unit, hints)
    return _field(
        Metric(
            kind=Kind.COUNTER,
            title=title,
            description=description,
            unit=unit,
            precision=precision,
            **hints,
        )
    )


def kilowatt_hours(title: str, description: str, **hints: Unpack[Numeric]) -> Any:
    """A count of energy, as electricity meters show it."""
    return counter(title, description, unit=Unit.KILOWATT_HOURS, precision=3, **hints)


def flag(title: str, description: str, **hints: Unpack[Hints]) -> Any:
    """True or false; every change is sent at once."""
    return _field(Metric(kind=Kind.FLAG, title=title, description=description, **hints))


def choice(
    title: str, description: str, *, options: tuple[str, ...], **hints: Unpack[Hints]
) -> Any:
    """One of ``options``; every change is sent at once."""
    return _field(
        Metric(kind=Kind.CHOICE, title=title, description=description, options=options, **hints)
    )


def text(title: str, description: str, *, triggers: bool = True, **hints: Unpack[Hints]) -> Any:
    """Words; every change is sent at once, unless ``triggers`` is false."""
    deadband = 0.0 if triggers else None
    return _field(
        Metric(kind=Kind.TEXT, title=title, description=description, deadband=deadband, **hints)
    )


def timestamp(title: str, description: str, **hints: Unpack[Hints]) -> Any:
    """A moment as RFC 3339 text in UTC; it rides along with other changes."""
    return _field(Metric(kind=Kind.TIMESTAMP, title=title, description=description, **hints))


def instances(of: type[Reading], title: str, description: str, **hints: Unpack[Hints]) -> Any:
    """A mapping from stable identity to the reading of one device; ``{}`` when there is none."""
    metric = Metric(kind=Kind.INSTANCES, title=title, description=description, of=of, **hints)
    return field(default_factory=dict, metadata={"metric": metric})


def records(
    of: type[Reading],
    title: str,
    description: str,
    *,
    triggers: bool = True,
    members: bool = False,
    default: tuple[()] | None = (),
    **hints: Unpack[Hints],
) -> Any:
    """A ranked list of readings, each with a ``label``.

    Args:
        of: the reading in the list.
        title: what people call it.
        description: what it means.
        triggers: a new leader is worth a message.
        members: so is whoever comes or goes.
        default: ``()`` is published as an empty list; ``None``, for what may not be known yet,
            as nothing.
        **hints: as for any field.
    """
    metric = Metric(
        kind=Kind.RECORDS,
        title=title,
        description=description,
        deadband=0.0 if triggers else None,
        members=members,
        of=of,
        **hints,
    )
    return field(default=default, metadata={"metric": metric})


def group(of: type[Reading], title: str, description: str, **hints: Unpack[Hints]) -> Any:
    """One reading inside another; it rides along with other changes."""
    metric = Metric(kind=Kind.GROUP, title=title, description=description, of=of, **hints)
    return field(default=None, metadata={"metric": metric})


def _bound(unit: Unit, hints: Numeric) -> None:
    """Fills in the bounds of the unit where a declaration gives none of its own."""
    lowest, highest = POSSIBLE.get(unit, (None, None))
    hints.setdefault("lowest", lowest)
    hints.setdefault("highest", highest)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.0e}"


def _field(metric: Metric) -> Any:
    return field(default=None, metadata={"metric": metric})


# No field specifiers are named: type checkers then take what they return for defaults, which is
# what they are. Every field of every reading may be absent.
@dataclass_transform(kw_only_default=True, frozen_default=True)
def reading(cls: type[_T]) -> type[_T]:
    """Makes a class of declared fields a frozen, slotted dataclass."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


class Reading:
    """Typed values of one device, or one topic, at one instant. ``None`` means: not readable.

    A number that cannot be by its metric's range is not in there: it becomes ``None``.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        bounds = _BOUNDS.get(type(self))
        if bounds is None:
            bounds = _BOUNDS[type(self)] = Bounds(type(self))
        bounds.hold(self)


@dataclass(frozen=True, slots=True)
class Field:
    """A declared field: its key in the payload, what it is, and its Python type."""

    name: str
    metric: Metric
    type: Any


class Bounds:
    """What the numbers of one class of readings can be."""

    def __init__(self, cls: type[Reading]) -> None:
        bounded = [each for each in fields_of(cls) if each.metric.bounded]
        single = [each for each in bounded if not is_list(each.type)]
        self._lists = [each for each in bounded if is_list(each.type)]
        self._limits = [
            (
                -_INFINITE if each.metric.lowest is None else each.metric.lowest,
                _INFINITE if each.metric.highest is None else each.metric.highest,
                each,
            )
            for each in single
        ]
        # It makes a tuple of two names and more only.
        filling = ("__class__", "__class__")
        self._values = attrgetter(*(each.name for each in single), *filling)

    def hold(self, reading: Reading) -> None:
        """Leaves out of a new reading what cannot be, and tells why."""
        for value, (lowest, highest, declared) in zip(
            self._values(reading), self._limits, strict=False
        ):
            if value is not None and not lowest <= value <= highest:
                _mend(reading, declared, declared.metric.doubt(value), declared.metric.highest)
        for declared in self._lists:
            values = getattr(reading, declared.name)
            if not values:
                continue
            metric, most = declared.metric, max(values)
            doubt = metric.doubt(min(values)) or metric.doubt(most)
            highest = _INFINITE if metric.highest is None else metric.highest
            if doubt or most > highest:
                _mend(reading, declared, doubt, [min(value, highest) for value in values])


_INFINITE = float("inf")
_BOUNDS: dict[type[Reading], Bounds] = {}


def _mend(reading: Reading, declared: Field, doubt: str, value: Any) -> None:
    """Leaves a doubtful value out; puts the bound in the place of one just beyond it."""
    object.__setattr__(reading, declared.name, None if doubt else value)
    if doubt:
        notice(reading, declared.name, doubt)


_FIELDS: dict[type[Reading], tuple[Field, ...]] = {}


def fields_of(cls: type[Reading]) -> tuple[Field, ...]:
    """The declared fields of a reading, in order of declaration."""
    if cls not in _FIELDS:
        _FIELDS[cls] = _declared(cls)
    return _FIELDS[cls]


def metric_of(cls: type[Reading], name: str) -> Metric:
    """The declaration of one field of a reading."""
    return next(field.metric for field in fields_of(cls) if field.name == name)


def _declared(cls: type[Reading]) -> tuple[Field, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        Field(
            name=item.name, metric=_metric_in(cls, item.metadata, item.name), type=hints[item.name]
        )
        for item in fields(cls)  # type: ignore[arg-type]  # every Reading is a dataclass
    )


def may_be_absent(annotation: Any) -> bool:
    """Whether a field's type has ``None`` in it."""
    return type(None) in typing.get_args(annotation)


def is_list(annotation: Any) -> bool:
    """Whether a field's type is a list of numbers rather than one number."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return any(is_list(arm) for arm in typing.get_args(annotation))
    return typing.get_origin(annotation) in (list, tuple)


def _metric_in(cls: type[Reading], metadata: Mapping[str, Any], name: str) -> Metric:
    metric = metadata.get("metric", MISSING)
    if not isinstance(metric, Metric):
        raise TypeError(f"{cls.__name__}.{name} is not declared with a field specifier")
    return metric
