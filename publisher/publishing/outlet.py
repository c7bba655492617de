"""What goes out: readings that are worth a message now, events, and what is left behind at the end.

Policy says when, the table of topics how, the envelope in whose name. The messages are left with
whoever sends them; nothing here knows a broker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from publisher.contract import topics
from publisher.contract.messages import Message
from publisher.contract.metric import Reading
from publisher.contract.payload import Envelope, encode, to_json
from publisher.contract.readings import EventReading, InfoReading
from publisher.contract.topics import Topic, TopicAddresses
from publisher.publishing.overview import Overview
from publisher.publishing.policy import PublishingSettings, TopicChannel
from publisher.publishing.totals import Totals

_T = TypeVar("_T")

# The name under which host/info tells that something could not be published.
PUBLISHING = "publishing"


class Guard(Protocol):
    """Does ``action``; when it stumbles, says so under ``name`` and gives ``None``."""

    def __call__(self, name: str, action: Callable[[], _T]) -> _T | None: ...


class Outlet:
    """The topics of one host, and what was last said on each.

    Args:
        host: the name that payloads carry.
        addresses: where the topics are.
        rows: every topic, by leaf.
        settings: how often a topic may and must speak.
        put: takes a message, to be sent as soon as can be.
        guarded: keeps what one topic does wrong from the others.
        wall: seconds since the epoch, for the payloads.
        totals: keep counters from falling; ``None`` begins anew and keeps nothing.
    """

    def __init__(
        self,
        host: str,
        addresses: TopicAddresses,
        rows: Mapping[str, Topic],
        settings: PublishingSettings,
        *,
        put: Callable[[Message], None],
        guarded: Guard,
        wall: Callable[[], float],
        totals: Totals | None = None,
    ) -> None:
        self._envelope = Envelope(host)
        self._addresses = addresses
        self._rows = rows
        self._settings = settings
        self._put = put
        self._guarded = guarded
        self._wall = wall
        self._totals = totals or Totals()
        self._channels: dict[str, TopicChannel] = {}
        self._status_due = 0.0
        self._overview = Overview(rows)

    def offer(
        self, readings: Mapping[str, Reading], own: Mapping[str, Reading], now: float
    ) -> None:
        """Publishes what is worth a message, and the overview of it all.

        Args:
            readings: the newest of every topic about the machine that has one; a subsystem's
                topic that had one and has none any more is emptied.
            own: what there is to say of the daemon itself.
            now: monotonic seconds.
        """
        overview = {topics.OVERVIEW: self._overview.make(readings, now)}
        for leaf, reading in {**readings, **overview, **own}.items():
            self._guarded(
                f"{PUBLISHING}.{leaf}", functools.partial(self._offer, leaf, reading, now)
            )
        measured = [leaf for leaf in self._channels if self._rows[leaf].subsystem]
        for leaf in measured:
            if leaf not in readings:
                self.withdraw(leaf)
        if now >= self._status_due:
            self._status_due = now + self._settings.heartbeat_seconds
            self._put(self.status(topics.ONLINE))

    def tell(self, events: Iterable[EventReading]) -> None:
        """Publishes what happened; each event is kept until the broker has it."""
        for event in events:
            self._put(
                Message(
                    topic=self._addresses.of(topics.EVENT),
                    payload=self._payload(event),
                    qos=self._rows[topics.EVENT].qos,
                    key=event.id,
                )
            )

    def answer(self, reading: Reading, topic: str, correlation_data: bytes | None) -> None:
        """Publishes a reading where somebody asked for it."""
        self._put(
            Message(
                topic=topic,
                payload=self._payload(reading),
                qos=1,
                correlation_data=correlation_data,
            )
        )

    def keep(self, leaf: str, reading: Reading) -> None:
        """Publishes a reading now, whose time its owner has chosen."""
        self._put(self._message(leaf, self._payload(reading)))

    def put(self, leaf: str, payload: bytes) -> None:
        """Publishes a payload that is no reading."""
        self._put(self._message(leaf, payload))

    def withdraw(self, leaf: str) -> None:
        """Empties a topic, whichever run of the daemon filled it."""
        self._channels.pop(leaf, None)
        self._put(self._empty(leaf))

    def recall(self, info: Mapping[str, object]) -> None:
        """Takes from what an earlier run said in ``info`` how far totals went.

        What waits to be sent for the first time was made without knowing that.
        """
        self._totals.recall(info.get("totals"))
        for leaf, channel in self._channels.items():
            if channel.newest is not None:
                self._send(leaf, *channel.newest)

    def again(self, *leaves: str) -> None:
        """Has the next readings published, changed or not: of all topics, or of some."""
        for leaf, channel in self._channels.items():
            if not leaves or leaf in leaves:
                channel.again()

    def status(self, word: bytes) -> Message:
        """The status topic saying ``online``, which is to be believed for a while, or ``offline``.

        The latter is what the broker says in our name when we die, too.
        """
        return self._message(topics.STATUS, word, lasting=word is not topics.ONLINE)

    def goodbye(self, *, for_good: bool = False) -> list[Message]:
        """The last messages; ``for_good`` leaves nothing behind where we were."""
        if not for_good:
            return [self.status(topics.OFFLINE)]
        return [self._empty(row.leaf) for row in self._rows.values() if row.retained]

    def _offer(self, leaf: str, reading: Reading, now: float) -> None:
        channel = self._channels.get(leaf)
        if channel is None:
            channel = self._channels[leaf] = TopicChannel(self._settings.policy(self._rows[leaf]))
        if channel.due(reading, now):
            self._send(leaf, reading, now)
            channel.sent(reading, now)

    def _send(self, leaf: str, reading: Reading, now: float) -> None:
        if isinstance(reading, InfoReading):
            self._put(self._info(leaf, reading))
            return
        raised = self._totals.raised(leaf, reading, now)
        info = self._channels.get(topics.INFO)
        if self._totals.take_renewed() and info is not None and info.newest is not None:
            reserved, _ = info.newest
            if isinstance(reserved, InfoReading):
                self._put(self._info(topics.INFO, reserved))
        self._put(self._message(leaf, self._payload(raised)))

    def _info(self, leaf: str, reading: InfoReading) -> Message:
        totals = self._totals.records
        return self._message(leaf, self._payload(replace(reading, totals=totals)))

    def _payload(self, reading: Reading) -> bytes:
        return encode(self._envelope.wrap(to_json(reading), self._wall()))

    def _message(self, leaf: str, payload: bytes, *, lasting: bool = False) -> Message:
        row = self._rows[leaf]
        expires = row.expires and not lasting
        return Message(
            topic=self._addresses.of(leaf),
            payload=payload,
            qos=row.qos,
            retain=row.retained,
            expiry_seconds=self._settings.expiry_seconds(leaf) if expires else None,
            content_type=row.content_type,
        )

    def _empty(self, leaf: str) -> Message:
        return Message(topic=self._addresses.of(leaf), payload=b"", qos=1, retain=True)
