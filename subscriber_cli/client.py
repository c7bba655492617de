"""From the broker to a queue: the messages of every host, over connections that are made again.

One thread does all that touches the network; what it finds goes into an inbox that others may
fill too (a keyboard), so that a screen has one place to wait at. Messages wait there as they came
and are made sense of when they are taken, as values take many times the room of their text.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from publisher.contract.messages import Message, Receipt, Request
from publisher.contract.topics import COMMAND, EXPLANATION
from publisher.errors import FanwhyError
from publisher.mqtt.backoff import Backoff, ReconnectTimes
from publisher.mqtt.broker import BrokerSettings, Endpoint
from publisher.mqtt.connection import Connection, ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector
from publisher.mqtt.failures import AccessError, CertificateError
from publisher.mqtt.interrupt import Interrupt
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.decode import LARGEST, Notice, Received, Scope, decode

_TIMEOUTS = Timeouts(connect=5.0)
_TIMES = ReconnectTimes(longest=30.0)
_POLL_SECONDS = 0.05
# For as long a broker keeps events for one who does not come; longer than any holiday's outage.
_SESSION_SECONDS = 14 * 86400
# Ours to refuse are messages beyond LARGEST, with a word to the user; what is larger still the
# broker need not even send (MQTT 5 section 3.1.2.11.4).
_RECEIVE_BYTES = 8 * LARGEST
# A resolver or a handshake may hold the thread for longer than a user would wait.
_LEAVING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker lets us in; what it keeps for us follows."""

    endpoint: Endpoint
    version: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """There is no connection now.

    Attributes:
        retry_seconds: when the next attempt begins; ``None`` when there is no use in another.
    """

    text: str
    retry_seconds: float | None

    @property
    def final(self) -> bool:
        return self.retry_seconds is None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The broker has a message that was published with this key."""

    key: str


Item = Received | Notice | Connected | Trouble


def raw_messages(settings: BrokerSettings, prefix: str, seconds: float) -> Iterator[Request]:
    """Whatever is published below a prefix for so many seconds, as it came.

    Raises:
        BrokerError: the broker cannot be used, or has hung up.
        ConfigError: the settings cannot be used.
    """
    scope = Scope(prefix)
    with connector_of(settings).connect(client_options()) as connection:
        connection.subscribe([scope.filter])
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            connection.turn(left)
            yield from connection.received
            connection.received.clear()
            if connection.denied:
                raise connection.denied[0]


def connector_of(settings: BrokerSettings) -> Connector:
    """The way into a broker, for people who wait.

    Raises:
        ConfigError: the settings cannot be used: bad URL, certificate or password file.
    """
    connector = Connector(settings, timeouts=_TIMEOUTS)
    connector.check()
    return connector


def client_options(session: str = "") -> ConnectOptions:
    """What a reader says of itself; with the name of a session the broker keeps events for it."""
    # Never the configured id: that is the daemon's, and a broker keeps one of each.
    return ConnectOptions(
        client_id=session or f"fanwhy-sub-{os.urandom(4).hex()}",
        receive_bytes=_RECEIVE_BYTES,
        session_seconds=_SESSION_SECONDS if session else 0,
    )


class Stream:
    """The messages of every host under a prefix, for as long as the ``with`` block lasts.

    Attributes:
        receipt: with a ``session``, what is owed to the broker for the item that ``get`` gave
            last; ``None`` where nothing is.

    Args:
        inbox: where items go; others may put things of their own there.
        session: the name by which the broker keeps events while we are away; empty: it does not.

    Raises:
        ConfigError: the settings cannot be used: bad URL, prefix, certificate or password file.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        prefix: str,
        inbox: Inbox | None = None,
        *,
        session: str = "",
    ) -> None:
        self._inbox = Inbox() if inbox is None else inbox
        self._connector = connector_of(settings)
        self.endpoint = self._connector.endpoint
        self._scope = Scope(prefix)
        self._options = client_options(session)
        self._answers = self._scope.answers(self._options.client_id)
        self._backoff = Backoff(_TIMES.first)
        self._commands: deque[Message] = deque()
        self._receipts: deque[Receipt] = deque()
        self.receipt: Receipt | None = None
        self._connected = False

    def __enter__(self) -> Self:
        self._interrupt = Interrupt()
        self._thread = threading.Thread(target=self._run, name="fanwhy-broker", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._interrupt.stop()
        self._thread.join(_LEAVING_SECONDS)
        if not self._thread.is_alive():
            self._interrupt.close()

    def get(self, timeout: float | None = None) -> Any:
        """The next item; ``None`` after ``timeout`` seconds without one."""
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if ends is None else max(ends - time.monotonic(), 0.0)
            item = self._inbox.get(left)
            self.receipt = None
            if not isinstance(item, Request):
                return item
            self.receipt = item.receipt
            decoded = self._decoded(item)
            if decoded is not None:
                return decoded
            self.acknowledge([self.receipt] if self.receipt else [])

    def _decoded(self, request: Request) -> Received | Notice | None:
        topic = request.topic
        if topic == self._answers:
            prefix = (request.correlation_data or b"").decode("utf-8", "replace")
            topic = f"{prefix}/{EXPLANATION}"
        return decode(self._scope, topic, request.payload, retained=request.retain)

    def command(self, prefix: str, word: str) -> None:
        """Asks a host for something, if it can be asked now; what it says comes as an item.

        ``why`` is answered with a fresh verdict where both sides speak MQTT 5; ``refresh`` makes
        the host say everything again.
        """
        if not self._connected:
            return
        request = Message(
            topic=f"{prefix}/{COMMAND}",
            payload=word.encode(),
            qos=1,
            content_type="text/plain",
            response_topic=self._answers,
            correlation_data=prefix.encode(),
        )
        self._commands.append(request)
        self._interrupt.wake()

    def publish(self, message: Message) -> None:
        """Sends a message of our own, if it can be sent now.

        One with a key is answered by ``Confirmed``, or by a ``Notice`` where the broker refuses it.
        """
        if self._connected:
            self._commands.append(message)
            self._interrupt.wake()

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Tells the broker that messages are safe with us: it need not send them again."""
        self._receipts.extend(receipts)
        if self._receipts:
            self._interrupt.wake()

    # --- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        ever = False
        while True:
            final = False
            try:
                self._converse()
            except (AccessError, CertificateError) as error:
                # Access that there was before may come back; the right to read, which a broker
                # denies only to those whom it has let in, will not.
                text, final = str(error), self._connected or not ever
            except FanwhyError as error:
                text = str(error)
            except Exception as error:  # noqa: BLE001  # the thread must live on and say so
                text = f"{self.endpoint}: unexpected {error!r}"
            else:
                return
            ever = ever or self._connected
            self._connected = False
            if self._interrupt.stopping:
                return
            wait = None if final else self._backoff.next(_TIMES.longest)
            self._deliver(Trouble(text, wait))
            if wait is None:
                return
            self._interrupt.sleep(wait)

    def _converse(self) -> None:
        """One connection, from the first packet to the last; returns when it is to end."""
        with self._connector.connect(self._options, self._interrupt) as connection:
            self._backoff.reset()
            self._commands.clear()
            self._connected = True
            self._deliver(Connected(self.endpoint, connection.version))
            if self._options.session_seconds:
                connection.subscribe(self._scope.events)
                # States are told anew when we come back: they need not wait for us.
                connection.subscribe([self._scope.filter], qos=0)
            else:
                connection.subscribe([self._scope.filter])
            while not self._interrupt.stopping:
                self._send(connection)
                try:
                    connection.turn()
                finally:
                    self._hand_on(connection)
                if connection.denied:
                    raise connection.denied[0]

    def _send(self, connection: Connection) -> None:
        while self._commands and connection.room:
            connection.publish(self._commands.popleft())
        while self._receipts:
            connection.acknowledge(self._receipts.popleft())

    def _hand_on(self, connection: Connection) -> None:
        for request in connection.received:
            if request.topic != self._answers and self._scope.split(request.topic) is None:
                if request.receipt is not None:
                    connection.acknowledge(request.receipt)
                continue
            item: Request | Received | Notice | None = request
            size = len(request.payload)
            if size > LARGEST:  # too much to keep for being refused later
                item, size = self._decoded(request), 0
                if request.receipt is not None:
                    connection.acknowledge(request.receipt)
            if item is not None:
                self._deliver(item, size)
        connection.received.clear()
        for message in connection.confirmed:
            if message.key:
                self._deliver(Confirmed(message.key))
        connection.confirmed.clear()
        if connection.refused:
            for remark in dict.fromkeys(connection.remarks):
                self._deliver(Notice(remark))
        connection.refused.clear()
        connection.remarks.clear()

    def _deliver(self, item: Item | Request | Confirmed, size: int = 0) -> None:
        """Leaves an item; holds the network up while there are too many."""
        while self._inbox.full and not self._interrupt.stopping:
            self._interrupt.sleep(_POLL_SECONDS)
        self._inbox.put(item, size)
