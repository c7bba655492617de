"""The session: keeps a connection to the broker for as long as the daemon lives.

One thread of its own takes from the outbox what waits, publishes it, and hands requests on. paho
is given a message only when it can go out at once, so that the newest state always waits with
us. A connection that ends, for whatever reason, is followed by a new one built from nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from publisher.contract.messages import Message, Request
from publisher.errors import FanwhyError
from publisher.mqtt.backoff import Backoff, ReconnectTimes
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Connection, ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector
from publisher.mqtt.failures import KEEPS_NOTHING, RefusedError, TakenOverError, ends_over
from publisher.mqtt.interrupt import Interrupt
from publisher.mqtt.properties import Will

log = logging.getLogger(__name__)

# So many connections in a row that did not last are no accident.
_BRIEF = 3
# From so many on messages go one by one: then it shows over which of them the broker hangs up.
_CAUTIOUS = 2
_BLAMED = 3  # times until a message is set aside
_SMALLER = 0.9  # so much of the size of one set aside may be tried again
_MOST_ASIDE = 100
# No answer is given for so long after a connection has ended over one: a stranger chose its topic.
_HUSHED_SECONDS = 60.0
# Of the time to stop in, what saying goodbye and ending the thread may take.
_LEAVING_SECONDS = 0.3


class MessageSource(Protocol):
    """Where the session gets what it sends. Called from the session's thread."""

    def take(self) -> list[Message]:
        """What waits to be sent, the newest of each topic; each message is handed out once."""

    def put_back(self, message: Message) -> None:
        """Takes back what could not be delivered, oldest first, unless something newer waits."""

    def confirmed(self, message: Message) -> None:
        """The broker has acknowledged a message of QoS 1."""

    def renew(self) -> None:
        """Has every retained state sent again: the broker may have come back empty."""


_TIMES = ReconnectTimes()
_TIMEOUTS = Timeouts()


class Session:
    """Publishes what an outbox holds, over connections that it keeps making.

    Args:
        settings: of the broker.
        identity: of this machine, stable and unique; the default client id is made from it.
        will: what the broker publishes when we vanish; its topic is the status topic, whose
            messages carry the boot id and go first.
        will_delay_seconds: how long we may be gone before (MQTT 5).
        boot_id: of this run of the daemon.
        outbox: holds what is to be sent.
        subscriptions: topics whose messages go to ``on_request``.
        on_request: called in the session's thread; should return soon.
        on_state: called in the session's thread with whether we are connected and one line for
            people, when either has changed.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        identity: str,
        will: Message,
        boot_id: str,
        outbox: MessageSource,
        subscriptions: Sequence[str],
        on_request: Callable[[Request], None],
        on_state: Callable[[bool, str], None],
        will_delay_seconds: int = 10,
        times: ReconnectTimes = _TIMES,
        timeouts: Timeouts = _TIMEOUTS,
    ) -> None:
        self.connected = False
        self.connections = 0
        self.messages_sent = 0
        self.payload_sent_bytes = 0
        self._connector = Connector(
            settings, timeouts=timeouts, old_version_seconds=times.old_version
        )
        self._endpoint = self._connector.endpoint
        self._options = ConnectOptions(
            client_id=settings.client_id or (f"fanwhy-{identity[:12]}" if identity else ""),
            will=Will(message=will, delay_seconds=will_delay_seconds, boot_id=boot_id),
        )
        self._spare_id = "" if settings.client_id else f"fanwhy-{boot_id[-16:]}"
        self._status_topic = will.topic
        self._outbox = outbox
        self._subscriptions = subscriptions
        self._on_request = on_request
        self._on_state = on_state
        self._times = times
        self._backoff = Backoff(times.first)
        self._batch: deque[Message] = deque()
        self._brief = 0  # connections in a row that did not last
        self._blamed: dict[str, int] = {}
        self._aside: dict[str, int] = {}  # sizes of messages over which the broker hangs up
        self._hushed_until = 0.0
        self._refused: dict[str, Message] = {}
        self._offer_at = float("inf")
        self._offer_wait = times.offer
        self._farewell: Sequence[Message] = ()
        self._leave_by = 0.0
        self._interrupt = Interrupt()
        self._thread: threading.Thread | None = None
        self._woken = False
        self._state: tuple[bool, str] = (False, "")
        self._under_way = False
        self._remarked: set[str] = set()

    def start(self) -> bool:
        """Begins to connect; returns at once, with whether that could be begun.

        Where no thread can be had now, it may be called again.
        """
        thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._remark("the system lets us start no thread (TasksMax, ulimit -u); trying on")
            return False
        self._thread = thread
        return True

    def wake(self) -> None:
        """Says that something waits in the outbox. Any thread may call this."""
        if not self.connected or self._woken:
            return  # without a connection nothing can be sent; with one, everything will be
        if self._thread is not None and self._thread.ident == threading.get_ident():
            return
        self._woken = True
        self._interrupt.wake()

    def stop(self, farewell: Sequence[Message], timeout: float) -> None:
        """Publishes what waits and the farewell, disconnects and ends the thread.

        Args:
            farewell: the last messages.
            timeout: in seconds. When it does not suffice, the broker publishes the will.
        """
        self._farewell = farewell
        self._leave_by = time.monotonic() + timeout
        self._interrupt.stop()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return  # connecting takes its time; the thread dies with the process
            self._thread = None
        self._interrupt.close()

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        gone_since = time.monotonic()
        while not self._interrupt.stopping:
            began = time.monotonic()
            longest = self._times.away
            if began - gone_since >= self._times.patient:
                longest = self._times.longest
            try:
                self._live()
            except RefusedError as error:
                longest = self._times.longest
                self._tell(False, str(error))
            except FanwhyError as error:
                self._tell(False, str(error))
            except Exception as error:
                line = f"{self._endpoint}: unexpected {error!r}; connecting anew"
                if self._tell(False, line):
                    log.exception("this is a bug of fanwhy")
            if self.connected:
                self.connected = False
                gone_since = time.monotonic()
                if gone_since - began >= self._times.steady:
                    self._backoff.reset()
                    self._brief = 0
                else:
                    self._brief += 1
                if self._brief == (2 if self._under_way else 1) * _BRIEF and not self._aside:
                    client_id = self._options.client_id
                    self._remark(
                        f"{self._endpoint}: the connection is lost soon after it is made, again "
                        f"and again; does another fanwhy use the client id {client_id}?"
                    )
                    self._step_aside()
            self._interrupt.sleep(self._backoff.next(longest))

    def _live(self) -> None:
        """One connection, from the first packet to the last."""
        connection = self._connector.connect(self._options, self._interrupt)
        self._under_way = False
        try:
            self.connections += 1
            connection.subscribe(self._subscriptions)
            self.connected = True
            self._tell(True, f"connected to {self._endpoint} with {connection.version}")
            if not connection.keeps:
                self._remark(f"{self._endpoint}: {KEEPS_NOTHING}")
            self._refused.clear()  # all that is not confirmed is sent again
            self._offer_at = float("inf")
            self._outbox.renew()
            self._batch = deque(
                sorted(self._outbox.take(), key=lambda message: message.topic != self._status_topic)
            )
            while not self._interrupt.stopping:
                self._pump(connection)
                connection.turn(max(self._offer_at - time.monotonic(), 0.0))
                self._hand_on(connection)
                self._offer_again()
            self._leave(connection)
        except TakenOverError:
            self._brief = min(self._brief, _CAUTIOUS - 1)  # it is not the message's fault
            self._step_aside()
            raise
        finally:
            self._hand_on(connection)
            connection.close()
            self._under_way = bool(connection.unacknowledged)
            self._blame(connection.unacknowledged)
            for message in (*self._worth_repeating(connection.unacknowledged), *self._batch):
                self._outbox.put_back(message)
            self._batch.clear()

    def _step_aside(self) -> None:
        """Goes on under a name of its own where another client comes under ours.

        Two that throw each other off would never learn of each other; so they do, on our topics.
        """
        if self._spare_id:
            self._options = replace(self._options, client_id=self._spare_id)

    def _pump(self, connection: Connection) -> None:
        """Sends while there is something to send and the broker keeps up."""
        while connection.room and not (self._is_cautious and connection.unacknowledged):
            if not self._batch:
                self._woken = False  # before the look: what is put in after it wakes us again
                self._batch.extend(self._outbox.take())
                if not self._batch:
                    return
            self._send(connection, self._batch.popleft())

    @property
    def _is_cautious(self) -> bool:
        return self._brief >= _CAUTIOUS

    def _send(self, connection: Connection, message: Message) -> None:
        size = self._aside.get(message.key or message.topic)
        if size is not None and (message.key or len(message.payload) > _SMALLER * size):
            return
        if _is_answer(message) and time.monotonic() < self._hushed_until:
            return
        if self._is_cautious and not message.qos:
            message = replace(message, qos=1)  # so that it is acknowledged
        if connection.publish(message):
            self.messages_sent += 1
            self.payload_sent_bytes += len(message.payload)

    def _blame(self, under_way: Sequence[Message]) -> None:
        """Notes over which message the connection has ended; one that always does it is left out.

        An event that is left out waits for the next start.
        """
        if not self._is_cautious or len(under_way) != 1 or self._interrupt.stopping:
            return
        (message,) = under_way
        if message.topic == self._status_topic:
            return  # no broker has anything against one word
        name = message.key or message.topic
        self._blamed[name] = self._blamed.get(name, 0) + 1
        if self._blamed[name] >= _BLAMED and len(self._aside) < _MOST_ASIDE:
            del self._blamed[name]
            self._aside[name] = len(message.payload)
            self._remark(ends_over(self._endpoint, message.topic, len(message.payload)))

    def _worth_repeating(self, under_way: Sequence[Message]) -> list[Message]:
        """Without answers: whoever asks may ask again, and the next connection shall last."""
        answers = [message for message in under_way if _is_answer(message)]
        if answers and not self._interrupt.stopping:
            self._hushed_until = time.monotonic() + _HUSHED_SECONDS
            self._remark(
                f"{self._endpoint}: the connection has ended over an answer to a question; after "
                f"that none is given for {_HUSHED_SECONDS:.0f} s"
            )
        return [message for message in under_way if not _is_answer(message)]

    def _offer_again(self) -> None:
        """Sends again, now and then, what the broker has refused: its rules may have changed."""
        if time.monotonic() < self._offer_at:
            return
        self._batch.extendleft(reversed(self._refused.values()))
        self._refused.clear()
        self._offer_at = float("inf")
        self._offer_wait = min(2 * self._offer_wait, self._times.offer_longest)

    def _hand_on(self, connection: Connection) -> None:
        """Gives requests and remarks to those whom they concern."""
        for request in connection.received:
            try:
                self._on_request(request)
            except Exception:  # noqa: BLE001  # a bad message must not end the connection
                self._remark(f"a message on {request.topic} could not be handled", failed=True)
        connection.received.clear()
        for remark in connection.remarks:
            self._remark(remark)
        connection.remarks.clear()
        for message in connection.confirmed:
            self._outbox.confirmed(message)
            if message.key:
                self._offer_wait = self._times.offer
        connection.confirmed.clear()
        for message in connection.refused:
            self._refused[message.key or ""] = message
            self._offer_at = min(self._offer_at, time.monotonic() + self._offer_wait)
        connection.refused.clear()

    def _leave(self, connection: Connection) -> None:
        left = deque((*self._batch, *self._outbox.take(), *self._farewell))
        self._batch.clear()
        while left or connection.unacknowledged:
            while left and connection.room:
                self._send(connection, left.popleft())
            remaining = self._leave_by - time.monotonic()
            if remaining <= _LEAVING_SECONDS:
                break
            if left or connection.unacknowledged:
                connection.turn(remaining - _LEAVING_SECONDS)
        self._hand_on(connection)
        connection.say_goodbye()

    # -- words ----------------------------------------------------------------------------------

    def _tell(self, connected: bool, line: str) -> bool:
        """Reports a change of state; whether it was one."""
        if self._state == (connected, line):
            return False
        self._state = (connected, line)
        self._on_state(connected, line)
        return True

    def _remark(self, line: str, *, failed: bool = False) -> None:
        """Says a thing once in the life of the session."""
        if line not in self._remarked and len(self._remarked) < 100:
            self._remarked.add(line)
            log.warning("%s", line, exc_info=failed)


def _is_answer(message: Message) -> bool:
    """Whether somebody asked for it, and chose where it goes."""
    return not message.retain and not message.key
