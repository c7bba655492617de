"""Walking over what can be set: names, variables and expectations, from the declarations."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publisher.config.setting import Setting

ENVIRONMENT_PREFIX = "FANWHY_"

KeyPath = tuple[str, ...]
"""Section and name of a setting, the name alone on the top level."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting as declared: where it stands, what it is, what it is unless it is set."""

    path: KeyPath
    type: Any
    default: Any
    setting: Setting

    @property
    def key(self) -> str:
        """Its name as people write it: ``sampling.period_seconds``."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return self.setting.variable or ENVIRONMENT_PREFIX + "__".join(self.path).upper()

    @property
    def expectation(self) -> str:
        """What its value should be, in words: ``a number from 0.5 to 60``."""
        return expectation(self.type, self.setting)


def declared(cls: type, above: KeyPath = ()) -> Iterator[Declared]:
    """Every setting of a settings dataclass and of its sections, in order of declaration."""
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        path, kind = (*above, item.name), hints[item.name]
        if dataclasses.is_dataclass(kind):
            yield from declared(typing.cast("type", kind), path)
            continue
        found = item.metadata.get("setting")
        if not isinstance(found, Setting):
            raise TypeError(f"{cls.__name__}.{item.name} is not declared with setting()")
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        yield Declared(path, kind, default, found)


def of_table(table: Declared, name: str) -> Iterator[Declared]:
    """The settings of one entry of a table whose entries are tables themselves."""
    kind = element(table.type) if typing.get_origin(bare(table.type)) is Mapping else None
    if kind is not None and dataclasses.is_dataclass(kind):
        yield from declared(typing.cast("type", kind), (*table.path, name))


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` for the known word that is most like ``word``; else empty."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]}?" if matches else ""


def expectation(kind: Any, limits: Setting) -> str:
    kind = bare(kind)
    if dataclasses.is_dataclass(kind):
        return "a table of settings"
    if typing.get_origin(kind) is Mapping:
        return _of_entries(element(kind))
    if typing.get_origin(kind) is tuple:
        return "a list of words"
    if limits.options:
        return "one of " + ", ".join(limits.options)
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        word = "a whole number" if kind is int else "a number"
        low, high = limits.minimum, limits.maximum
        if low is not None and high is not None:
            return f"{word} from {_number(low)} to {_number(high)}"
        if low is not None:
            return f"{word} of at least {_number(low)}"
        return word if high is None else f"{word} of at most {_number(high)}"
    return "text"


def _of_entries(held: Any) -> str:
    if dataclasses.is_dataclass(held):
        return "tables of settings, each under a name"
    return "a table of words" if held is str else "a table of numbers"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def bare(kind: Any) -> Any:
    """A type without its ``None``."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        (kind,) = (arm for arm in typing.get_args(kind) if arm is not types.NoneType)
    return kind


def element(kind: Any) -> Any:
    """The type of what a list or table holds."""
    arms = typing.get_args(bare(kind))
    return arms[1] if typing.get_origin(bare(kind)) is Mapping else arms[0]
