"""The configuration file that ``init`` writes: every setting, explained, from its declaration."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from publisher.config.walk import Declared, declared

_WIDTH = 88
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INTRODUCTION = """\
# The configuration of fanwhy. A line that begins with '#' and a name shows what holds without
# it, or an example; take the '#' away to set it. The same can be set in the environment:
# FANWHY_BROKER for [broker] url, FANWHY_PREFIX for prefix, FANWHY_SAMPLING__PERIOD_SECONDS for
# [sampling] period_seconds, and so on. File names are relative to this file.
"""


def render(cls: type, values: Mapping[str, Any]) -> str:
    """A file in TOML with every setting that ``cls`` declares.

    Args:
        cls: a settings dataclass.
        values: what is set, by key such as ``broker.url``; everything else is commented out.
    """
    lines = [_INTRODUCTION]
    section = ""
    # Tables end the top level, so what belongs there goes first.
    for item in sorted(declared(cls), key=lambda item: len(item.path) > 1):
        if item.setting.secret and item.key not in values:
            continue
        if len(item.path) > 1 and item.path[0] != section:
            section = item.path[0]
            lines += [*_comment(first_paragraph(section_class(cls, section))), f"[{section}]", ""]
        lines += [*_setting(item, values), ""]
    return "\n".join(lines)


def toml(value: Any) -> str:
    """A value as TOML; strings of JSON are strings of TOML."""
    if isinstance(value, Mapping):
        entries = ", ".join(f"{_key(key)} = {toml(entry)}" for key, entry in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml(name)


def section_class(cls: type, section: str) -> type:
    """The settings dataclass of a section."""
    found: type = typing.get_type_hints(cls)[section]
    return found


def first_paragraph(cls: type) -> str:
    """What a class says of itself in short."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n", 1)[0].split())


def _setting(item: Declared, values: Mapping[str, Any]) -> Iterator[str]:
    limits = item.setting
    description = limits.description
    if limits.minimum is not None or limits.options:
        description = f"{description.rstrip('.')} ({item.expectation})."
    yield from _comment(description)
    name = item.path[-1]
    if item.key in values:
        yield f"{name} = {toml(values[item.key])}"
    elif limits.example:
        shown = limits.example
        yield f"# {name} = {shown if shown[:1] in '[{' else toml(shown)}"
    else:
        yield f"# {name} = {toml('' if item.default is None else item.default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
