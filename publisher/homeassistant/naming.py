"""Names for people and ids for ever: of entities, and of the devices that they belong to.

An id is made of what never changes (a serial number, a UUID, a place on a bus); the name is what
people call the thing.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

from publisher.contract import topics
from publisher.contract.metric import Reading

_ACRONYMS = frozenset({"cpu", "gpu"})
# What says by itself which part of the machine it is about.
_PLAIN_TITLES = ("swap", "load average", "file system", "huge pages")
# What an option is called, where its own letters would mislead; "unknown" means something else to
# Home Assistant.
_OPTIONS = {
    "ai": "AI",
    "cooling": "Cooling down",
    "pressure": "Under pressure",
    "unknown": "Unknown program",
}
# Of an identity, as much as tells two devices of one name apart.
_TAIL = 4
# What has no letter, and so no place in an entity id, in words.
_WORDS = {"/": "Root file system"}
_PLAIN = re.compile(r"[^a-z0-9]+")


def names_of(items: Mapping[str, Reading]) -> dict[str, str]:
    """What people call each device; of two with one name each carries the end of its identity."""
    labels = {identity: getattr(item, "label", None) or "" for identity, item in items.items()}
    labels = {identity: _WORDS.get(label, label) for identity, label in labels.items()}
    tails = {each: _PLAIN.sub("", each.lower())[-_TAIL:].upper() for each in labels}
    named = {each: f"{label} {tails[each]}".strip() for each, label in labels.items()}
    several, alike = Counter(labels.values()), Counter(named.values())
    found: dict[str, str] = {}
    for identity, label in labels.items():
        if label and several[label] == 1:
            found[identity] = label
        elif label and tails[identity] and alike[named[identity]] == 1:
            found[identity] = named[identity]
        else:
            found[identity] = f"{label} {identity}".strip()
    return found


def said(option: str) -> str:
    """What people call one of a few choices: ``Remote access`` for ``remote_access``."""
    return _OPTIONS.get(option, option.replace("_", " ").capitalize())


def said_by_template(value: str, options: Iterable[str]) -> str:
    """The same as a Jinja expression of a value that is there."""
    plain = f"{value} | replace('_', ' ') | capitalize"
    odd = {each: _OPTIONS[each] for each in options if each in _OPTIONS}
    return f"{odd}.get({value}, {plain})" if odd else plain


def title_of(leaf: str, title: str) -> str:
    """What a topic's own value is called; it says which part of the machine, once."""
    if leaf in (topics.EXPLANATION, topics.INFO):
        return title
    if leaf == topics.SELF:
        return f"fanwhy {lower(title)}"
    prefix = leaf.upper() if leaf in _ACRONYMS else leaf.capitalize()
    if leaf in title.lower() or leaf in ("thermal", "power"):
        return title
    if any(words in title.lower() for words in _PLAIN_TITLES):
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
