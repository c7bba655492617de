"""Fields of a JSON document of unknown origin: the value asked for, or none.

Every word that leaves here is harmless on a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from publisher.contract.printable import shown
from publisher.contract.reader import number
from publisher.contract.when import moment

__all__ = ["Document", "clean", "items", "mapping", "moment", "number", "numbers", "words"]

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


def numbers(value: Any) -> list[float]:
    """A list of finite numbers; empty for anything else, and when one of them is not."""
    found: list[float] = []
    for item in value if isinstance(value, list) else []:
        read = number(item)
        if read is None:
            return []
        found.append(read)
    return found


def items(document: Document, key: str) -> list[Document]:
    """The objects of the list under a key."""
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(document: Document, key: str) -> Document:
    """The object under a key; empty when there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}
