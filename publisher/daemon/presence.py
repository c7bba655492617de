"""Where the daemon is found: the session with a broker, Home Assistant, and who sends commands.

One of these lasts for as long as broker, prefix and what Home Assistant is shown stay the same.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from publisher import __version__
from publisher.contract.messages import Message, Request
from publisher.contract.readings import InfoReading
from publisher.daemon.commands import CommandHandler, Owner
from publisher.daemon.launch import Launch
from publisher.daemon.neighbours import Landlord, Neighbours
from publisher.daemon.settings import Settings
from publisher.homeassistant.announcer import Announcer
from publisher.homeassistant.discovery import Discovery, Host
from publisher.mqtt.embedded import EmbeddedBroker, find_or_start
from publisher.mqtt.journal import Journal
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session
from publisher.subsystems.registry import all_topics

log = logging.getLogger(__name__)

_STOP_SECONDS = 1.5
# Messages that wait to be looked at; whoever sends more than that floods us.
_MOST_WAITING = 256


class Inhabitant(Owner, Landlord, Protocol):
    """Does what others ask for, and has a prefix."""

    def broker_state(self, *, connected: bool, words: str) -> None:
        """How it goes with the broker has changed."""


class Presence:
    """The daemon on one broker, under one prefix.

    Args:
        launch: where that is.
        journal: keeps events until they are confirmed.
        owner: does what commands ask for.
        call: has the main thread do something.
        boot_id: tells this run of the daemon from others.
        first: nothing was published before in the life of this process.
    """

    def __init__(
        self,
        launch: Launch,
        journal: Journal,
        owner: Inhabitant,
        *,
        call: Callable[[Callable[[], None]], None],
        boot_id: str,
        first: bool = True,
    ) -> None:
        settings = launch.settings
        self.outbox = Outbox(journal)
        self._settings = settings
        self._call = call
        self._owner = owner
        self._boot_id = boot_id
        self._identity = launch.identity.machine_id or ""
        self._broker: EmbeddedBroker | None = None
        self._session: Session | None = None
        self._started = False
        self._waiting: deque[Request] = deque()
        self.recall: Callable[[Mapping[str, object]], None] = lambda _: None
        """Takes what an earlier run of this machine has left in ``info``, before the first word."""
        host, discovery = discovery_of(settings, launch.identity)
        self.announcer = Announcer(
            host,
            discovery,
            settings.homeassistant,
            self.outbox,
            reachable=lambda: self.connected and not self.outbox.held,
        )
        self._neighbours = Neighbours(
            owner,
            self.outbox,
            of=settings.topics,
            machine_id=launch.identity.machine_id,
            run=boot_id,
            first=first,
            recall=self._recalled,
        )
        self._commands = CommandHandler(
            owner,
            of=settings.topics,
            neighbours=self._neighbours,
            homeassistant=settings.homeassistant,
            leaves=all_topics().keys(),
            announce=lambda request: self.announcer.heard(request, time.monotonic()),
        )

    @staticmethod
    def place(settings: Settings) -> tuple[object, ...]:
        """Where we are found, and what Home Assistant is shown: a change takes a new presence."""
        return (
            settings.broker,
            settings.topics,
            settings.host,
            settings.homeassistant,
            settings.senses.disabled,
            settings.report,  # what energy costs
            # Home Assistant is told how old a value may get.
            settings.publishing.heartbeat_seconds,
            settings.publishing.heartbeats,
        )

    @property
    def connected(self) -> bool:
        return self._session is not None and self._session.connected

    @property
    def messages_sent(self) -> int:
        return self._session.messages_sent if self._session else 0

    @property
    def payload_sent_bytes(self) -> int:
        return self._session.payload_sent_bytes if self._session else 0

    @property
    def connections(self) -> int:
        return self._session.connections if self._session else 0

    def open(self, *, will: Message) -> None:
        """Connects, now or as soon as the broker is there.

        What is in the outbox goes out once it is known that the prefix is ours.
        """
        broker = self._settings.broker
        self._broker = find_or_start(broker)
        if self._broker:
            log.info("%s", self._broker.line)
            broker = replace(broker, url=self._broker.url)
        self._session = Session(
            broker,
            identity=self._identity,
            will=will,
            boot_id=self._boot_id,
            outbox=self.outbox,
            subscriptions=[*self._commands.subscriptions, *self.announcer.subscriptions],
            on_request=self._on_request,
            on_state=self._on_state,
        )
        self.outbox.wake = self._session.wake
        self.outbox.hold()
        self._started = self._session.start()

    @property
    def due(self) -> float:
        """When ``tick`` has something to do, in monotonic seconds."""
        dues = (self._neighbours.due, self._commands.due)
        return min((due for due in dues if due is not None), default=float("inf"))

    def tick(self, now: float) -> None:
        """Lets go what was held back, if no other machine has spoken up; does what was put off."""
        if self._session is not None and not self._started:
            self._started = self._session.start()
        self._neighbours.tick(now)
        self._commands.tick(now)

    def poll(self) -> None:
        """Looks after a broker of our own."""
        if self._broker:
            self._broker.poll()

    def withdrawal(self) -> list[Message]:
        """What takes back all that Home Assistant was shown."""
        return [
            Message(topic=topic, payload=b"", qos=1, retain=True) for topic in self.announcer.topics
        ]

    def close(self, farewell: Iterable[Message]) -> None:
        """Says goodbye and leaves."""
        if self._session:
            self._session.stop(list(farewell), timeout=_STOP_SECONDS)
        if self._broker:
            self._broker.stop()
            self._broker = None

    # -- from the session's thread --------------------------------------------------------------

    def _on_request(self, request: Request) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            return  # the sender's to repeat: memory is ours
        self._waiting.append(request)
        self._call(self._take)

    def _on_state(self, connected: bool, words: str) -> None:
        log.log(logging.INFO if connected else logging.WARNING, "%s", words)
        self._call(lambda: self._owner.broker_state(connected=connected, words=words))
        if connected:
            self._neighbours.connected(time.monotonic())

    # -- the main thread ------------------------------------------------------------------------

    def _take(self) -> None:
        self._commands.take(self._waiting.popleft())

    def _recalled(self, info: Mapping[str, object]) -> None:
        self.recall(info)


def discovery_of(settings: Settings, identity: InfoReading) -> tuple[Host, Discovery]:
    """What Home Assistant is shown of this machine."""
    identity = replace(identity, fanwhy_version=__version__)
    host = Host(settings.host, identity.machine_id or settings.host, identity)
    rows = [row for row in all_topics().values() if row.leaf not in settings.senses.disabled]
    return host, Discovery(
        host,
        settings.topics,
        # As it always was: an entity's place in the document follows from its topic's.
        sorted(rows, key=lambda row: not row.subsystem),
        settings.homeassistant,
        expire_seconds=settings.publishing.expiry_seconds,
        price_per_kwh=settings.report.price_per_kwh,
        currency=settings.report.currency,
    )
