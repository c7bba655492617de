"""Readings back from JSON of unknown origin: what is not as declared is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from publisher.contract.metric import Field, Kind, Reading, fields_of, is_list
from publisher.contract.printable import LONGEST_NAME, shown

_R = TypeVar("_R", bound=Reading)

_MOST: Final = 2000  # of one list
_LONGEST: Final = 1000  # characters of one text


def read(cls: type[_R], document: Mapping[str, Any]) -> _R:
    """The reading in a payload; its texts are safe to show."""
    found = {
        declared.name: value
        for declared in fields_of(cls)
        if (value := _value(declared, document.get(declared.name))) is not None
    }
    return cls(**found)


def _value(declared: Field, raw: Any) -> Any:
    metric = declared.metric
    match metric.kind:
        case Kind.RECORDS if metric.of and isinstance(raw, list):
            return tuple(read(metric.of, item) for item in raw[:_MOST] if isinstance(item, dict))
        case Kind.GROUP if metric.of and isinstance(raw, dict):
            return read(metric.of, raw)
        case Kind.INSTANCES if metric.of and isinstance(raw, dict):
            named = [(name, item) for name, item in raw.items() if isinstance(item, dict)]
            return {
                shown(name, LONGEST_NAME): read(metric.of, item) for name, item in named[:_MOST]
            }
        case Kind.FLAG:
            return raw if isinstance(raw, bool) else None
        case Kind.GAUGE | Kind.COUNTER:
            return _numbers(raw) if is_list(declared.type) else number(raw)
        case Kind.TEXT | Kind.CHOICE | Kind.TIMESTAMP:
            return shown(raw, _LONGEST) if isinstance(raw, str) else None
    return None


def _numbers(raw: Any) -> list[float] | None:
    if not isinstance(raw, list):
        return None
    found = [each for each in map(number, raw[:_MOST]) if each is not None]
    return found if len(found) == len(raw) else None


def number(raw: Any) -> float | None:
    """A finite number, or ``None`` for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        return raw if math.isfinite(raw) else None
    except OverflowError:  # an integer beyond every float
        return None
