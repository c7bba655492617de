"""Fields of a JSON document of unknown origin: the value asked for, or none.

Every word that leaves here is harmless on a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from publisher.contract.printable import shown

Document = Mapping[str, Any]
"""A JSON object as it came. It is read in ``model`` and nowhere else."""

_LONGEST = 2000  # characters of one word or sentence; no screen shows more


def words(document: Document, key: str) -> str:
    """The text under a key; empty when there is none."""
    value = document.get(key)
    return clean(value) if isinstance(value, str) else ""


def clean(text: str) -> str:
    """A text from outside, printable and no longer than a screen shows."""
    return shown(text, _LONGEST)


def number(value: Any) -> float | None:
    """A finite number, or ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer beyond every float
        return None


def numbers(value: Any) -> list[float]:
    """A list of finite numbers; empty for anything else, and when one of them is not."""
    if not isinstance(value, list):
        return []
    found = [item for item in map(number, value) if item is not None]
    return found if len(found) == len(value) else []


def items(document: Document, key: str) -> list[Document]:
    """The objects of the list under a key."""
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(document: Document, key: str) -> Document:
    """The object under a key; empty when there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def moment(value: Any) -> float | None:
    """RFC 3339 text as seconds since the epoch; ``None`` for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        stamp = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not 1970 <= stamp.year < 9999:  # no clock is set so, and no time zone can hold it
        return None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
