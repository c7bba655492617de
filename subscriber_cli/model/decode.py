"""One MQTT message from the wire: which host and topic it is of, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from publisher.contract import topics
from subscriber_cli.model.budget import ITEM_BYTES
from subscriber_cli.model.leaves import ANSWERS, NOT_SHOWN
from subscriber_cli.model.values import Document, clean, moment

LARGEST = 1 << 20
"""Bytes of the largest payload that is looked at; a catalogue has some 100 KiB."""

_LONGEST_TOPIC = 512  # characters; a daemon's has a few dozen


class OnlineStatus(StrEnum):
    """Whether a daemon is there, as its ``status`` has it."""

    ONLINE = topics.ONLINE.decode()
    OFFLINE = topics.OFFLINE.decode()


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a host.

    Attributes:
        prefix: the topic without its leaf: one for each host.
        content: the JSON object, which ``content_of`` and ``KnownHost`` make sense of;
            ``None`` when the topic was withdrawn.
        retained: the broker had kept it, so it may be old.
        text: the content as it came, where it is JSON from the wire.
    """

    prefix: str
    leaf: str
    content: Document | OnlineStatus | None
    retained: bool = False
    text: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def topic(self) -> str:
        return f"{self.prefix}/{self.leaf}"

    @property
    def withdrawn(self) -> bool:
        """Whether the topic holds nothing any more."""
        return self.content is None

    @property
    def made_at(self) -> float | None:
        """When it was made, in seconds since the epoch by the host's clock, where it says so."""
        return moment(self.content.get("time")) if isinstance(self.content, Mapping) else None

    def json_line(self) -> str:
        """The message for programs, on one line, with nothing that would upset a terminal."""
        document = {"topic": self.topic, "payload": self.content}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        if text.isprintable():
            return text
        # Whatever is not printable stands inside a string, where JSON has an escape for it.
        return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


@dataclass(frozen=True, slots=True)
class Packed:
    """A message as it is kept: as text, which takes a tenth of the room of its values."""

    prefix: str
    leaf: str
    content: bytes | OnlineStatus | None
    retained: bool

    @classmethod
    def of(cls, message: Received) -> Packed:
        """The message, packed."""
        content = message.content
        if isinstance(content, Mapping):
            text = message.text or json.dumps(content, separators=(",", ":")).encode()
            return cls(message.prefix, message.leaf, text, message.retained)
        return cls(message.prefix, message.leaf, content, message.retained)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        text = len(self.content) if isinstance(self.content, bytes) else 0
        return text + len(self.prefix) + len(self.leaf) + ITEM_BYTES

    def open(self) -> Received:
        """The message with its values."""
        content = self.content
        return Received(
            self.prefix,
            self.leaf,
            json.loads(content) if isinstance(content, bytes) else content,
            self.retained,
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know of and that ends nothing, in one printable line."""

    text: str


class Scope:
    """Which topics are fanwhy's, given the configured prefix.

    The prefix ``host`` also finds ``host/<machine>/…``, and ``host/{hostname}`` also ``host/…``,
    so that one terminal shows both ways of publishing. Deeper levels are not fanwhy's.
    """

    def __init__(self, template: str) -> None:
        topics.TopicAddresses.for_host(
            template, "any"
        )  # complains about what no daemon would accept
        self.filter = topics.subscription(template)
        self._root = self.filter.removesuffix("#").rstrip("/")
        self._levels = template.split("/") if "{hostname}" in template else []

    @property
    def events(self) -> list[str]:
        """The filters that let in the events of every host and as little else as can be."""
        root = f"{self._root}/" if self._root else ""
        own = [f"{self._root}/{topics.EVENT}"] if self._root else []
        filters = [*own, f"{root}+/{topics.EVENT}"]
        if len(self._levels) > 1:
            levels = ["+" if "{hostname}" in level else level for level in self._levels]
            filters.append(f"{'/'.join(levels)}/{topics.EVENT}")
        return list(dict.fromkeys(filters))

    def answers(self, client: str) -> str:
        """Where a client is answered: a topic that the filter lets in."""
        return f"{self._root}/{ANSWERS}/{client}".lstrip("/")

    def split(self, topic: str) -> tuple[str, str] | None:
        """(prefix, leaf) of a host's topic; ``None`` for one that is not a host's."""
        if len(topic) > _LONGEST_TOPIC:
            return None
        prefix, leaf = topics.split(topic)
        if not prefix or not leaf or leaf in NOT_SHOWN or prefix.endswith(f"/{ANSWERS}"):
            return None
        if self._root and (prefix == self._root or prefix.rpartition("/")[0] == self._root):
            return prefix, leaf
        return (prefix, leaf) if self._fits(prefix.split("/")) else None

    def _fits(self, levels: list[str]) -> bool:
        return len(levels) == len(self._levels) and all(
            "{hostname}" in ours or ours == theirs
            for ours, theirs in zip(self._levels, levels, strict=True)
        )


def decode(scope: Scope, topic: str, payload: bytes, *, retained: bool) -> Received | Notice | None:
    """What a message says; a ``Notice`` if nothing usable, ``None`` on any other topic."""
    place = scope.split(topic)
    if place is None:
        return None
    prefix, leaf = place
    if not payload:
        return Received(prefix, leaf, None, retained)
    if leaf == topics.STATUS:
        if payload in (topics.ONLINE, topics.OFFLINE):
            return Received(prefix, leaf, OnlineStatus(payload.decode("ascii")), retained)
        return _bad(topic, "is neither online nor offline")
    if len(payload) > LARGEST:
        return _bad(topic, f"has {len(payload) / LARGEST:.1f} MiB; more than 1 MiB is not read")
    try:
        content = json.loads(payload.decode("utf-8"))
    except UnicodeDecodeError:
        return _bad(topic, "is not UTF-8")
    except (ValueError, RecursionError):
        return _bad(topic, "is not JSON")
    if not isinstance(content, dict):
        return _bad(topic, "is JSON, but not an object")
    return Received(prefix, leaf, content, retained, payload)


def _bad(topic: str, what: str) -> Notice:
    return Notice(f"skipped: a message on {clean(topic)} {what}")
