"""Names for people and ids for ever: of entities, and of the devices that they belong to.

An id is made of what never changes (a serial number, a UUID, a place on a bus); the name is what
people call the thing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from publisher.contract import topics
from publisher.contract.metric import Reading

_ACRONYMS = frozenset({"cpu", "gpu"})
# What has no letter, and so no place in an entity id, in words.
_WORDS = {"/": "Root file system"}
_PLAIN = re.compile(r"[^a-z0-9]+")


def names_of(items: Mapping[str, Reading]) -> dict[str, str]:
    """What people call each device; two that go by one name carry their identity as well."""
    labels = {identity: getattr(item, "label", None) or "" for identity, item in items.items()}
    labels = {identity: _WORDS.get(label, label) for identity, label in labels.items()}
    several = list(labels.values())
    return {
        identity: label if label and several.count(label) == 1 else f"{label} {identity}".strip()
        for identity, label in labels.items()
    }


def title_of(leaf: str, title: str) -> str:
    """What a topic's own value is called; it says which part of the machine, once."""
    if leaf in (topics.EXPLANATION, topics.INFO):
        return title
    if leaf == topics.SELF:
        return f"fanwhy {lower(title)}"
    prefix = leaf.upper() if leaf in _ACRONYMS else leaf.capitalize()
    if leaf in title.lower() or leaf in ("thermal", "power"):
        return title
    return f"{prefix} {lower(title)}"


def lower(title: str) -> str:
    """A title in the middle of a name; ``I/O`` and ``CPU`` stay as they are."""
    return (
        title
        if title[:1].isupper() and not title[1:2].islower()
        else (title[:1].lower() + title[1:])
    )


def slug(text: str) -> str:
    """Text as part of an id: lower case letters, digits and ``_``."""
    return _PLAIN.sub("_", text.lower()).strip("_") or "x"


def stable(identity: str) -> str:
    """An identity as part of an id: readable, and no other identity has the same."""
    return f"{slug(identity)[:40]}_{zlib.crc32(identity.encode('utf-8', 'replace')):08x}"


def quoted(text: str) -> str:
    """A Jinja string literal: names of devices are not ours, so all but plain ones is escaped."""
    return (
        "'"
        + "".join(
            character
            if character.isascii() and (character.isalnum() or character in " _./:-")
            else f"\\U{ord(character):08x}"
            for character in text
        )
        + "'"
    )
