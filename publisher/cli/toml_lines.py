"""One line of a TOML file added or replaced; every other line, comment and blank stays as it is."""

from __future__ import annotations

import copy
import re
import tomllib
from typing import Any

from publisher.config.template import toml

_HEADER = re.compile(r"^\s*\[")


class EditError(ValueError):
    """The file is written in a way that this cannot change."""


def with_line(text: str, table: str, key: str, value: Any, *, over: str = "") -> str:
    """The text with ``key = value`` in a table.

    Args:
        text: a TOML document.
        table: its name, one bare word.
        key: a bare word; a line that has it in this table is replaced.
        value: of the entry.
        over: the table that holds the line now, if that is another one.

    Raises:
        EditError: the entry cannot be put there without touching anything else.
    """
    wanted = copy.deepcopy(tomllib.loads(text))
    if over and over != table:
        del wanted[over][key]
        if not wanted[over]:
            wanted[over] = {}
    wanted.setdefault(table, {})[key] = value
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    entry = f"{key} = {toml(value)}"
    if over and over != table:
        at = _entry_at(lines, over, key)
        if at is None:
            raise EditError
        del lines[at]
    at = _entry_at(lines, table, key)
    begin = _table_at(lines, table)
    if at is not None:
        lines[at] = f"{entry}{_comment_of(lines[at])}{newline}"
    elif begin is not None:
        lines.insert(_end_of(lines, begin), f"{entry}{newline}")
    else:
        gap = [newline] if lines and lines[-1].strip() else []
        lines += [*gap, f"[{table}]{newline}", f"{entry}{newline}"]
    edited = "".join(lines)
    try:
        found = tomllib.loads(edited)
    except tomllib.TOMLDecodeError:
        raise EditError from None
    if found != wanted:
        raise EditError
    return edited


def _table_at(lines: list[str], table: str) -> int | None:
    header = re.compile(rf"""^\s*\[\s*["']?{re.escape(table)}["']?\s*\]\s*(#.*)?$""")
    return next((at for at, line in enumerate(lines) if header.match(line)), None)


def _next_table(lines: list[str], begin: int) -> int:
    following = (at for at in range(begin + 1, len(lines)) if _HEADER.match(lines[at]))
    return next(following, len(lines))


def _end_of(lines: list[str], begin: int) -> int:
    """Behind the last entry of a table; what stands below is said of the next one."""
    at = _next_table(lines, begin)
    while at > begin + 1 and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    return at


def _entry_at(lines: list[str], table: str, key: str) -> int | None:
    begin = _table_at(lines, table)
    if begin is None:
        return None
    entry = re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*=""")
    return next(
        (at for at in range(begin + 1, _next_table(lines, begin)) if entry.match(lines[at])), None
    )


def _comment_of(line: str) -> str:
    """The comment at the end of a line of one entry, with the blanks before it."""
    text = line.rstrip("\r\n")
    for match in re.finditer(r"\s*#", text):
        try:
            tomllib.loads(text[: match.start()])
        except tomllib.TOMLDecodeError:
            continue
        return text[match.start() :]
    return ""
