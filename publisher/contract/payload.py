"""Encodes readings, and tells how two of them differ: the two things the daemon does all day.

Both walk the declaration once per class, then run over a flat plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from publisher.contract.metric import Field, Kind, Metric, Reading, fields_of
from publisher.contract.printable import LONGEST_NAME, shown

SCHEMA_VERSION = 1

_BEYOND = 2.0**65  # what counts in 64 bits is less
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every payload says beside its readings."""

    host: str

    def wrap(self, body: Mapping[str, Any], moment: float) -> dict[str, Any]:
        """The payload for ``moment``, in seconds since the epoch."""
        return {
            "host": shown(self.host, LONGEST_NAME),
            "time": rfc3339(moment),
            "schema_version": SCHEMA_VERSION,
            **body,
        }


def rfc3339(moment: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    stamp = datetime.fromtimestamp(moment, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z"


def encode(payload: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8.

    Lone surrogates, which stand for undecodable bytes in names that came from the kernel, would
    be no valid UTF-8: they are written as replacement characters.
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def to_json(reading: Reading) -> dict[str, Any]:
    """The reading as JSON values: rounded as declared, what is not readable left out.

    A list or a map with nothing in it is readable: it is there, and empty.
    """
    body: dict[str, Any] = {}
    for field in fields_of(type(reading)):
        value = getattr(reading, field.name)
        if value is None:
            continue
        kind = field.metric.kind
        if kind is Kind.INSTANCES:
            body[field.name] = {
                shown(name, LONGEST_NAME): to_json(item) for name, item in value.items()
            }
        elif kind is Kind.RECORDS:
            body[field.name] = [to_json(item) for item in value]
        elif kind is Kind.GROUP:
            body[field.name] = to_json(value)
        elif (told := _rounded(value, field.metric.precision)) is not None:
            body[field.name] = told
    return body


def _rounded(value: Any, precision: int | None) -> Any:
    """The value as it is told; ``None`` for a number that is none, or is beyond every counter."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, int | float) and not -_BEYOND < value < _BEYOND:
        return None
    if isinstance(value, list | tuple):
        rounded = [_rounded(item, precision) for item in value]
        return None if None in rounded else rounded
    if precision is None:
        return value
    if isinstance(value, float):
        # round(x, 0) stays a float; a precision of 0 means a whole number.
        return round(value, precision) if precision else round(value)
    return value


class Change(IntEnum):
    """How much two readings differ: not worth a message, worth one soon, worth one at once."""

    NONE = 0
    VALUE = 1
    STATE = 2


def change(old: Reading | None, new: Reading | None) -> Change:
    """Compares the reading last sent with the newest one by the declared deadbands.

    A flag, a choice or a word that differs, a value that appeared or vanished, and a device that
    came or went are changes of state. A number that moved by at least its deadband, and a ranking
    with a new leader, or with others in it where that is declared, are changes of value.
    """
    if old is new:
        return Change.NONE
    if old is None or new is None:
        return Change.STATE
    worst = Change.NONE
    for field in _triggers(type(new)):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before is after:
            continue
        found = _difference(field, before, after)
        if found is Change.STATE:
            return found
        worst = max(worst, found)
    return worst


def _difference(field: Field, before: Any, after: Any) -> Change:
    metric = field.metric
    if metric.kind is Kind.INSTANCES:
        if before.keys() != after.keys():
            return Change.STATE
        return max((change(before[key], after[key]) for key in after), default=Change.NONE)
    if metric.kind is Kind.RECORDS:
        others = metric.members and set(map(_name, before or ())) != set(map(_name, after or ()))
        return Change.VALUE if others or _overtaken(before, after) else Change.NONE
    if metric.kind not in (Kind.GAUGE, Kind.COUNTER):
        return Change.NONE if before == after else Change.STATE
    if before is None or after is None:
        return Change.STATE
    if isinstance(after, list | tuple):
        if len(before) != len(after):
            return Change.STATE
        far = any(moved(metric, b, a) for b, a in zip(before, after, strict=True))
    else:
        far = moved(metric, before, after)
    return Change.VALUE if far else Change.NONE


def _overtaken(before: Sequence[Any] | None, after: Sequence[Any] | None) -> bool:
    """Whether a ranking has a new leader: two that take turns at the top are no news."""
    if not after:
        return False
    return not before or _name(before[0]) not in map(_name, after[:2])


def _name(record: Any) -> str | None:
    """What tells a record from others: two groups may do the same kind of work."""
    name: str | None = getattr(record, "group", None) or record.label
    return name


def moved(metric: Metric, before: float, after: float) -> bool:
    """Whether a number has gone as far as is worth a message."""
    distance = abs(after - before)
    return (
        distance > 0
        and distance >= (metric.deadband or 0.0)
        and distance >= abs(before) * metric.deadband_percent / 100
    )


_TRIGGERS: dict[type[Reading], tuple[Field, ...]] = {}


def _triggers(cls: type[Reading]) -> tuple[Field, ...]:
    """The fields whose change alone can be worth a message."""
    if cls not in _TRIGGERS:
        always = (Kind.FLAG, Kind.CHOICE, Kind.INSTANCES)
        _TRIGGERS[cls] = tuple(
            field
            for field in fields_of(cls)
            if field.metric.kind in always or field.metric.deadband is not None
        )
    return _TRIGGERS[cls]
