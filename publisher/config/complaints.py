"""What is said of a setting that does not exist or does not fit: its place, and what would fit."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from typing import Any

from publisher.config.layers import Layers
from publisher.config.walk import (
    Declared,
    KeyPath,
    declared,
    element,
    expectation,
    of_table,
)
from publisher.contract.printable import printable

_LONGEST = 40  # characters of a value that are repeated
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def complaint(cls: type, layers: Layers, error: Any) -> str:
    """One line for one of pydantic's ``ErrorDetails``."""
    loc = tuple(str(part) for part in error["loc"])
    known = {item.path: item for item in declared(cls)}
    for table in list(known.values()):
        if table.path == loc[: len(table.path)] and len(loc) > len(table.path):
            known |= {item.path: item for item in of_table(table, loc[len(table.path)])}
    item = next((known[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in known), None)
    in_list = item is not None and typing.get_origin(item.type) is tuple
    path = item.path if item and in_list else loc
    layer = next((one for one in layers if one.holds(path)), layers[-1])
    name = printable(layer.name_of(path))
    if error["type"] == "extra_forbidden":
        return f"{name}: no such setting{_nearest(loc, known)}"
    if item is None:
        return f"{name}: expected a table of settings, found {_found(error['input'], hide=True)}"
    found = _found(error["input"], hide=item.setting.secret or item.setting.may_hold_secret)
    if len(loc) > len(item.path):
        return f"{name}: expected {expectation(element(item.type), item.setting)}, found {found}"
    return f"{name}: expected {item.expectation}, found {found}"


def _nearest(loc: KeyPath, known: Mapping[KeyPath, Declared]) -> str:
    """The setting or section that was probably meant: in the same table first, then anywhere."""
    here = {path[-1]: ".".join(path) for path in known if path[:-1] == loc[:-1]}
    if len(loc) == 1:
        here |= {path[0]: path[0] for path in known if len(path) > 1}
    anywhere = {path[-1]: ".".join(path) for path in known}
    for names in ({loc[-1]: anywhere[loc[-1]]} if loc[-1] in anywhere else {}, here, anywhere):
        matches = difflib.get_close_matches(loc[-1], names, n=1, cutoff=0.6)
        if matches:
            return f"; did you mean {names[matches[0]]}?"
    return ""


def _found(value: Any, *, hide: bool) -> str:
    kind = _KINDS.get(type(value), "a date or time")
    if hide or isinstance(value, list | dict) or type(value) not in _KINDS:
        return kind
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = printable(f'"{value}"' if isinstance(value, str) else str(value))
    return shown if len(shown) <= _LONGEST + 2 else f'{shown[:_LONGEST]}…"'
