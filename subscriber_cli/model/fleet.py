"""The newest of everything, by host, as messages come in."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from publisher.contract import topics
from subscriber_cli.model.budget import ITEM_BYTES, KEPT_BYTES, MIB, POINT_BYTES, SHARE_BYTES
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.catalogues import Catalogues
from subscriber_cli.model.decode import OnlineStatus, Packed, Received
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.info import SubsystemHealth
from subscriber_cli.model.readings import Readings, Recent
from subscriber_cli.model.row import Cell, Instances, Row, lead
from subscriber_cli.model.shelf import Shelf
from subscriber_cli.model.values import Document, clean, words

HISTORY_SECONDS = 120.0
_POINTS = 128  # of one sparkline: one a second for as long as it shows
_FEW_HOSTS = 4  # of which all have sparklines, whether or not they are looked at
# Bounds on what any client of the broker can make the terminal remember.
_MOST_HOSTS, _MOST_TOPICS, _MOST_SERIES = 500, 64, 256
_LONGEST_KEY = 300  # characters of the names by which a sparkline is known
_CLOCK_AGREES = 5.0  # seconds
# What is kept besides topics; neither is the name of one.
SPARKLINES = "/sparklines"
_CATALOGUES = "/catalogues"
_LARGE = (
    f"no more than {SHARE_BYTES // MIB} MiB are kept of one host and {KEPT_BYTES // MIB} MiB of all"
)

SeriesKey = tuple[str, ...]
"""Where the values of one sparkline come from: topic, then the names on the way."""


@dataclass(slots=True)
class Latest:
    """The newest message of one topic.

    Attributes:
        at: when it was made, in seconds since the epoch by the host's clock.
    """

    message: Packed
    at: float


@dataclass(slots=True)
class KnownHost:
    """One host, as far as it has told.

    Attributes:
        name: its own word for itself once it is ``named``, until then the end of its prefix.
        history: (time, value) of the last minutes, by our clock.
        catalogue_key: by which ``Catalogues`` knows its catalogue; empty while it has none.
        touched: when its last message came, by our clock.
        recent: what was read of it and of others.
        clock_ahead: seconds by which its clock is ahead of ours, and a message's way the less.
    """

    prefix: str
    name: str = ""
    named: bool = False
    presence: OnlineStatus | None = None
    latest: dict[str, Latest] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    catalogue_key: str = ""
    history: dict[SeriesKey, deque[tuple[float, float]]] = field(default_factory=dict)
    clock_ahead: float | None = None
    touched: float = 0.0
    recent: Recent = field(default_factory=Recent)

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
        return self.read(leaf).row

    @property
    def explanation(self) -> Explanation:
        """The newest verdict; one without a word when there is none."""
        return self.read(topics.EXPLANATION).explanation

    @property
    def subsystems(self) -> tuple[SubsystemHealth, ...]:
        """What ``info`` says of them."""
        return self.read(topics.INFO).subsystems

    def age(self, leaf: str, now: float) -> float:
        """Seconds since the newest message of a topic was made."""
        return self.seconds_since(self.latest[leaf].at, now)

    def seconds_since(self, at: float, now: float) -> float:
        """Seconds since a moment by the host's clock; ``now`` is by ours."""
        return max(now - self._here(at), 0.0)

    def there(self, now: float) -> float:
        """Our ``now`` by the host's clock."""
        return now + (now - self._here(now))

    def apply(self, message: Received, now: float) -> bool:
        """Takes a message in; ``now`` in seconds since the epoch. False when it has no room."""
        leaf, content = message.leaf, message.content
        self.touched = now
        if isinstance(content, OnlineStatus):
            self.presence = content
        elif content is None:
            self._withdraw(leaf)
        elif leaf == topics.CATALOGUE:
            self._be_named(content)
        elif leaf in self.latest or len(self.latest) < _MOST_TOPICS:
            self._keep(message, content, now)
        else:
            return False
        return True

    def learn(self, catalogue: Catalogue) -> None:
        """Takes another catalogue, by which everything is to be read again."""
        if catalogue is not self.catalogue:
            self.catalogue = catalogue
            for leaf in self.latest:
                self.recent.drop(self.prefix, leaf)

    def forget(self, leaf: str) -> None:
        """Lets go of what a topic holds, or of the sparklines."""
        if leaf == SPARKLINES:
            self.history.clear()
        self.latest.pop(leaf, None)
        self.recent.drop(self.prefix, leaf)

    def _withdraw(self, leaf: str) -> None:
        self.forget(leaf)
        if leaf == topics.STATUS:
            self.presence = None

    def _keep(self, message: Received, document: Document, now: float) -> None:
        leaf, at = message.leaf, message.made_at
        if not self.catalogue.topics or leaf in self.catalogue.topics:
            self._be_named(document)
        if at is not None and not message.retained:
            ahead = at - now
            # Messages are late, never early: the least delayed one tells the clocks apart best.
            if self.clock_ahead is None or ahead > self.clock_ahead:
                self.clock_ahead = ahead
        self.latest[leaf] = Latest(Packed.of(message), now if at is None else at)
        self.recent.drop(self.prefix, leaf)

    def read(self, leaf: str) -> Readings:
        """What a topic says now, by the catalogue that is known now."""
        latest = self.latest.get(leaf)
        if latest is None:
            return Readings()
        known = self.recent.get(self.prefix, leaf)
        if known is None:
            content = latest.message.open().content
            document = content if isinstance(content, Mapping) else {}
            known = Readings.read(leaf, document, self.catalogue)
            self.recent.put(self.prefix, leaf, known, latest.message.size)
            self._remember(leaf, known.row)
        return known

    def _be_named(self, document: Document) -> None:
        name = words(document, "host")[:64]
        if name:
            self.name, self.named = name, True

    def _here(self, at: float) -> float:
        """A moment of the host's clock by ours, when the two plainly disagree."""
        ahead = self.clock_ahead
        return at if ahead is None or abs(ahead) < _CLOCK_AGREES else at - ahead

    def _remember(self, leaf: str, row: Row) -> None:
        now = self.touched
        at = now - self.age(leaf, now)
        for key, value in _measured(leaf, row):
            points = self.history.get(key)
            if points is None:
                if len(self.history) >= _MOST_SERIES or sum(map(len, key)) > _LONGEST_KEY:
                    continue
                points = self.history[key] = deque(maxlen=_POINTS)
            if not points or points[-1][0] < at or (points[-1][0] == at != points[-1][1]):
                points.append((at, value))
            while len(points) > 1 and points[1][0] < now - HISTORY_SECONDS:
                points.popleft()

    @property
    def history_bytes(self) -> int:
        """What the sparklines take, about."""
        return sum(ITEM_BYTES + len(points) * POINT_BYTES for points in self.history.values())


class Fleet:
    """All hosts, in the order of their names, as far as there is room for them.

    Args:
        sparklines: whether the last minutes of each value are wanted.

    Attributes:
        shown: the prefix of the host that is looked at. Of many hosts its alone are read as they
            come, for its sparklines; what the others say is read when somebody looks.
    """

    def __init__(self, *, sparklines: bool = True) -> None:
        self.shown = ""
        self._hosts: dict[str, KnownHost] = {}
        self._order: list[str] = []
        self._sparklines = sparklines
        self._recent = Recent()
        self._catalogues = Catalogues()
        self._shelf = Shelf(KEPT_BYTES, SHARE_BYTES)
        self._complaints: list[str] = []
        self._complained: set[str] = set()

    def __iter__(self) -> Iterator[KnownHost]:
        """Those that are plainly machines: they have a status, a verdict or a catalogue."""
        return (host for host in map(self._hosts.__getitem__, self._order) if host.is_machine)

    def get(self, prefix: str) -> KnownHost | None:
        """The host of a prefix, if anything is known of it."""
        return self._hosts.get(prefix)

    def complaint(self) -> str:
        """What was skipped for want of room, each kind told once; empty when nothing was."""
        return self._complaints.pop() if self._complaints else ""

    def apply(self, message: Received, now: float) -> KnownHost | None:
        """Takes a message in; ``now`` in seconds since the epoch."""
        host = self._hosts.get(message.prefix)
        if host is None:
            if message.content is None:
                return None
            if len(self._hosts) >= _MOST_HOSTS:
                self._complain(message.prefix, f"there are more than {_MOST_HOSTS} hosts")
                return None
            host = self._meet(message.prefix)
        if not host.apply(message, now):
            self._complain(message.topic, f"one host has more than {_MOST_TOPICS} topics")
        elif message.leaf == topics.CATALOGUE and isinstance(message.content, Mapping):
            self._learn(host, message.content)
        self._weigh(host, message.leaf)
        return host

    def _meet(self, prefix: str) -> KnownHost:
        name = clean(prefix.rpartition("/")[2])[:64]
        host = self._hosts[prefix] = KnownHost(prefix, name, recent=self._recent)
        bisect.insort(self._order, prefix)
        return host

    def _learn(self, host: KnownHost, schema: Document) -> None:
        key, catalogue = self._catalogues.take(schema)
        self._release(host)
        host.catalogue_key = key
        host.learn(catalogue)
        self._make_room(_CATALOGUES, key, catalogue.size)

    def _release(self, host: KnownHost) -> None:
        key, host.catalogue_key = host.catalogue_key, ""
        if key and self._catalogues.release(key):
            self._shelf.drop(_CATALOGUES, key)

    def _weigh(self, host: KnownHost, leaf: str) -> None:
        latest = host.latest.get(leaf)
        if latest is None:
            self._shelf.drop(host.prefix, leaf)
            return
        self._make_room(host.prefix, leaf, latest.message.size)
        many = len(self._hosts) > _FEW_HOSTS
        if self._sparklines and leaf in host.latest and (host.prefix == self.shown or not many):
            host.read(leaf)
            self._make_room(host.prefix, SPARKLINES, host.history_bytes)

    def _make_room(self, owner: str, name: str, size: int) -> None:
        for gone_owner, gone in self._shelf.put(owner, name, size):
            what = f"{gone_owner}/{gone}"
            if gone_owner == _CATALOGUES:
                what = self._unlearn(gone)
            else:
                self._hosts[gone_owner].forget(gone)
            self._complain(what, _LARGE)

    def _unlearn(self, key: str) -> str:
        holders = [host for host in self._hosts.values() if host.catalogue_key == key]
        for host in holders:
            self._release(host)
            host.learn(Catalogue())
        return f"{holders[0].prefix}/{topics.CATALOGUE}" if holders else topics.CATALOGUE

    def _complain(self, what: str, why: str) -> None:
        if why not in self._complained:
            self._complained.add(why)
            self._complaints.append(f"skipped: {clean(what)}, since {why}")


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
