"""The newest of everything, by host, as messages come in."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from publisher.contract import topics
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.info import SubsystemHealth, subsystems
from subscriber_cli.model.row import Cell, Instances, Row, lead
from subscriber_cli.model.values import Document, clean, words

HISTORY_SECONDS = 120.0
_POINTS = 300  # of one sparkline: two a second for as long as it shows
# Bounds on what any client of the broker can make the terminal remember.
_MOST_HOSTS, _MOST_TOPICS, _MOST_SERIES = 500, 64, 256
_CLOCK_AGREES = 5.0  # seconds

SeriesKey = tuple[str, ...]
"""Where the values of one sparkline come from: topic, then the names on the way."""


@dataclass(slots=True)
class Latest:
    """The newest message of one topic.

    Attributes:
        document: as it came, to be read again when another catalogue comes.
        row: the same by the catalogue that is known now.
        at: when it was made, in seconds since the epoch by the host's clock.
    """

    document: Document
    row: Row
    at: float


@dataclass(slots=True)
class KnownHost:
    """One host, as far as it has told.

    Attributes:
        name: its own word for itself once it is ``named``, until then the end of its prefix.
        explanation: the newest verdict; one without a word when there is none.
        subsystems: what ``info`` says of them.
        history: (time, value) of the last minutes, by our clock.
        clock_ahead: seconds by which its clock is ahead of ours, and a message's way the less.
    """

    prefix: str
    name: str = ""
    named: bool = False
    presence: OnlineStatus | None = None
    latest: dict[str, Latest] = field(default_factory=dict)
    explanation: Explanation = field(default_factory=Explanation)
    subsystems: tuple[SubsystemHealth, ...] = ()
    catalogue: Catalogue = field(default_factory=Catalogue)
    history: dict[SeriesKey, deque[tuple[float, float]]] = field(default_factory=dict)
    clock_ahead: float | None = None

    @property
    def offline(self) -> bool:
        return self.presence is OnlineStatus.OFFLINE

    @property
    def state(self) -> str:
        """The state of the verdict, or ``offline``, or nothing."""
        return "offline" if self.offline else self.explanation.state

    @property
    def is_machine(self) -> bool:
        """Whether it is plainly one of fanwhy's hosts, and no other user of a like topic."""
        return bool(self.presence or self.catalogue.topics or topics.EXPLANATION in self.latest)

    @property
    def last_heard(self) -> float | None:
        """When the newest message was made, by our clock."""
        return max((self._here(latest.at) for latest in self.latest.values()), default=None)

    def row(self, leaf: str) -> Row:
        """The newest readings of a topic; a row without cells when there are none."""
        latest = self.latest.get(leaf)
        return latest.row if latest else Row()

    def age(self, leaf: str, now: float) -> float:
        """Seconds since the newest message of a topic was made."""
        return self.seconds_since(self.latest[leaf].at, now)

    def seconds_since(self, at: float, now: float) -> float:
        """Seconds since a moment by the host's clock; ``now`` is by ours."""
        return max(now - self._here(at), 0.0)

    def apply(self, message: Received, now: float) -> None:
        """Takes a message in; ``now`` in seconds since the epoch."""
        leaf, content = message.leaf, message.content
        if isinstance(content, OnlineStatus):
            self.presence = content
        elif content is None:
            self._withdraw(leaf)
        elif leaf == topics.CATALOGUE:
            self.catalogue = Catalogue.parse(content)
            self._be_named(content)
            for known in self.latest:
                self._read(known)
                self._remember(known, now)
        elif leaf in self.latest or len(self.latest) < _MOST_TOPICS:
            self._keep(message, content, now)

    def _withdraw(self, leaf: str) -> None:
        self.latest.pop(leaf, None)
        if leaf == topics.STATUS:
            self.presence = None
        elif leaf == topics.EXPLANATION:
            self.explanation = Explanation()
        elif leaf == topics.INFO:
            self.subsystems = ()

    def _keep(self, message: Received, document: Document, now: float) -> None:
        leaf, at = message.leaf, message.made_at
        if not self.catalogue.topics or leaf in self.catalogue.topics:
            self._be_named(document)
        if at is not None and not message.retained:
            ahead = at - now
            # Messages are late, never early: the least delayed one tells the clocks apart best.
            if self.clock_ahead is None or ahead > self.clock_ahead:
                self.clock_ahead = ahead
        self.latest[leaf] = Latest(document, Row(), now if at is None else at)
        self._read(leaf)
        self._remember(leaf, now)

    def _read(self, leaf: str) -> None:
        """Makes the typed values of a topic by the catalogue that is known now."""
        latest = self.latest[leaf]
        latest.row = self.catalogue.row(leaf, latest.document)
        if leaf == topics.EXPLANATION:
            self.explanation = Explanation.read(latest.document, self.catalogue)
        elif leaf == topics.INFO:
            self.subsystems = subsystems(latest.document)

    def _be_named(self, document: Document) -> None:
        name = words(document, "host")[:64]
        if name:
            self.name, self.named = name, True

    def _here(self, at: float) -> float:
        """A moment of the host's clock by ours, when the two plainly disagree."""
        ahead = self.clock_ahead
        return at if ahead is None or abs(ahead) < _CLOCK_AGREES else at - ahead

    def _remember(self, leaf: str, now: float) -> None:
        at = now - self.age(leaf, now)
        for key, value in _measured(leaf, self.row(leaf)):
            points = self.history.get(key)
            if points is None:
                if len(self.history) >= _MOST_SERIES:
                    continue
                points = self.history[key] = deque(maxlen=_POINTS)
            if not points or points[-1][0] <= at:
                points.append((at, value))
            while len(points) > 1 and points[1][0] < now - HISTORY_SECONDS:
                points.popleft()


class Fleet:
    """All hosts, in the order of their names."""

    def __init__(self) -> None:
        self._hosts: dict[str, KnownHost] = {}
        self._order: list[str] = []

    def __iter__(self) -> Iterator[KnownHost]:
        """Those that are plainly machines: they have a status, a verdict or a catalogue."""
        return (host for host in map(self._hosts.__getitem__, self._order) if host.is_machine)

    def apply(self, message: Received, now: float) -> KnownHost | None:
        """Takes a message in; ``now`` in seconds since the epoch."""
        host = self._hosts.get(message.prefix)
        if host is None:
            if message.content is None or len(self._hosts) >= _MOST_HOSTS:
                return None
            name = clean(message.prefix.rpartition("/")[2])[:64]
            host = self._hosts[message.prefix] = KnownHost(message.prefix, name)
            bisect.insort(self._order, message.prefix)
        host.apply(message, now)
        return host


def _measured(leaf: str, row: Row) -> Iterator[tuple[SeriesKey, float]]:
    """The values that get a sparkline: a topic's lead, and that of each device in it."""
    yield from _leading((leaf,), row.cells)
    for cell in row.cells:
        if isinstance(cell.value, Instances):
            for name, device in cell.value.rows:
                yield from _leading((leaf, cell.column.name, name), device.cells)


def _leading(key: SeriesKey, cells: tuple[Cell, ...]) -> Iterator[tuple[SeriesKey, float]]:
    cell = lead(cells)
    if cell is not None and cell.number is not None:
        yield (*key, cell.column.name), cell.number
