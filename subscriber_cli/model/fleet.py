"""The newest of everything, by host, as messages come in."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from publisher.contract import topics
from publisher.contract.metric import Kind
from publisher.contract.units import Unit
from subscriber_cli.model.catalogue import Catalogue, Column, present
from subscriber_cli.model.decode import Received
from subscriber_cli.model.values import clean, mapping, moment, number, words

HISTORY_SECONDS = 120.0
_POINTS = 300  # of one sparkline: two a second for as long as it shows
# Bounds on what anyone who may publish can make us remember.
_MOST_HOSTS, _MOST_TOPICS, _MOST_LINES = 500, 64, 256
_CLOCK_AGREES = 5.0  # seconds

Line = tuple[str, ...]
"""Where the values of one sparkline come from: topic, then the keys on the way."""


@dataclass(slots=True)
class Topic:
    """The newest message of one topic; ``at`` is when it was made, by the host's clock."""

    payload: dict[str, Any]
    at: float


@dataclass(slots=True)
class Host:
    """One machine, as far as it has told.

    Attributes:
        name: its own word for itself once it is ``named``, until then the end of its prefix.
    """

    prefix: str
    name: str = ""
    named: bool = False
    status: str = ""
    status_at: float = 0.0
    topics: dict[str, Topic] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    history: dict[Line, deque[tuple[float, float]]] = field(default_factory=dict)
    clock_ahead: float | None = None

    @property
    def offline(self) -> bool:
        return self.status == topics.OFFLINE.decode()

    @property
    def explanation(self) -> dict[str, Any]:
        """The newest verdict; empty when there is none."""
        return self.payload(topics.EXPLANATION)

    @property
    def state(self) -> str:
        """The state of the verdict, or ``offline``, or nothing."""
        return "offline" if self.offline else words(self.explanation, "state")

    @property
    def last_heard(self) -> float | None:
        """When the newest message was made, by our clock."""
        return max((self._here(topic.at) for topic in self.topics.values()), default=None)

    def payload(self, leaf: str) -> dict[str, Any]:
        topic = self.topics.get(leaf)
        return topic.payload if topic else {}

    def age(self, leaf: str, now: float) -> float:
        """Seconds since the newest message of a topic was made."""
        return max(now - self._here(self.topics[leaf].at), 0.0)

    def since(self, text: Any, now: float) -> float | None:
        """Seconds since a moment that the host wrote; ``None`` when it is none."""
        at = moment(text)
        return None if at is None else max(now - self._here(at), 0.0)

    def columns(self, leaf: str) -> tuple[Column, ...]:
        """The fields of the newest message of a topic."""
        return self.catalogue.columns(leaf, self.payload(leaf))

    def apply(self, message: Received, now: float) -> None:
        """Takes a message in."""
        leaf, content = message.leaf, message.content
        if isinstance(content, str):
            self.status, self.status_at = content, now
            return
        if content is None:
            self.topics.pop(leaf, None)
            if leaf == topics.STATUS:
                self.status = ""
            return
        if leaf == topics.CATALOGUE:
            self.catalogue = Catalogue.parse(content)
            self._be_named(content)
            for known in self.topics:
                self._remember(known, now)
            return
        if leaf not in self.topics and len(self.topics) >= _MOST_TOPICS:
            return
        if not self.catalogue.topics or leaf in self.catalogue.topics:
            self._be_named(content)
        at = moment(content.get("time"))
        if at is not None and not message.retained:
            ahead = at - now
            # Messages are late, never early: the least delayed one tells the clocks apart best.
            if self.clock_ahead is None or ahead > self.clock_ahead:
                self.clock_ahead = ahead
        self.topics[leaf] = Topic(content, now if at is None else at)
        self._remember(leaf, now)

    def _be_named(self, content: dict[str, Any]) -> None:
        name = words(content, "host")[:64]
        if name:
            self.name, self.named = name, True

    def _here(self, at: float) -> float:
        """A moment of the host's clock by ours, when the two plainly disagree."""
        ahead = self.clock_ahead
        return at if ahead is None or abs(ahead) < _CLOCK_AGREES else at - ahead

    def _remember(self, leaf: str, now: float) -> None:
        at = now - self.age(leaf, now)
        for line, value in _lines(leaf, self.columns(leaf), self.payload(leaf)):
            points = self.history.get(line)
            if points is None:
                if len(self.history) >= _MOST_LINES:
                    continue
                points = self.history[line] = deque(maxlen=_POINTS)
            if not points or points[-1][0] <= at:
                points.append((at, value))
            while len(points) > 1 and points[1][0] < now - HISTORY_SECONDS:
                points.popleft()


class Fleet:
    """All hosts, in the order of their names."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self._order: list[str] = []

    def __iter__(self) -> Iterator[Host]:
        """Those that are plainly machines: they have a status, a verdict or a catalogue."""
        return (host for host in map(self._hosts.__getitem__, self._order) if _is_machine(host))

    def apply(self, message: Received, now: float) -> Host | None:
        """Takes a message in; ``now`` in seconds since the epoch."""
        host = self._hosts.get(message.prefix)
        if host is None:
            if message.content is None or len(self._hosts) >= _MOST_HOSTS:
                return None
            name = clean(message.prefix.rpartition("/")[2])[:64]
            host = self._hosts[message.prefix] = Host(message.prefix, name)
            bisect.insort(self._order, message.prefix)
        host.apply(message, now)
        return host


def _is_machine(host: Host) -> bool:
    return bool(host.status or host.catalogue.topics or host.explanation)


def lead(columns: tuple[Column, ...]) -> Column | None:
    """The one number that stands for a reading: a headline, else a percentage, else the first."""
    measures = [column for column in columns if column.measures]
    return next(
        chain(
            (column for column in measures if column.headline),
            (column for column in measures if column.unit == Unit.PERCENT),
            (column for column in measures if column.kind == Kind.GAUGE),
        ),
        None,
    )


def _lines(
    leaf: str, columns: tuple[Column, ...], payload: dict[str, Any]
) -> Iterator[tuple[Line, float]]:
    """The values that get a sparkline: a topic's lead, and that of each device in it."""
    column = lead(columns)
    if column and (value := number(payload.get(column.name))) is not None:
        yield (leaf, column.name), value
    for inner in columns:
        if inner.kind != Kind.INSTANCES:
            continue
        for name, item in mapping(payload, inner.name).items():
            if not isinstance(item, dict):
                continue
            first = lead(present(inner.of, item))
            if first and (value := number(item.get(first.name))) is not None:
                yield (leaf, inner.name, name, first.name), value
