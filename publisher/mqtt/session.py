"""The session: keeps a connection to the broker for as long as the daemon lives.

One thread of its own takes from the feed what waits, publishes it, and hands requests on. paho
is given a message only when it can go out at once, so that the newest state always waits with
us. A connection that ends, for whatever reason, is followed by a new one built from nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from publisher.contract.messages import Message, Request
from publisher.errors import FanwhyError
from publisher.mqtt.broker import (
    BrokerSettings,
    parse_url,
    resolve_password,
    resolve_username,
    tls_context,
)
from publisher.mqtt.connection import (
    KEEPS_NOTHING,
    Connection,
    Introduction,
    Patience,
    RefusedError,
    RetainError,
    VersionError,
)
from publisher.mqtt.paho import MQTTv5, MQTTv311

log = logging.getLogger(__name__)

LOCAL = "mqtt://localhost"
# So many connections in a row that did not last are no accident.
_BRIEF = 3
# Of the time to stop in, what saying goodbye and ending the thread may take.
_LEAVING_SECONDS = 0.3
_VERSION_NAMES: dict[int, str] = {MQTTv5: "MQTT 5", MQTTv311: "MQTT 3.1.1"}


class Feed(Protocol):
    """Where the session gets what it sends. Called from the session's thread."""

    def take(self) -> list[Message]:
        """What waits to be sent, the newest of each topic; each message is handed out once."""

    def put_back(self, message: Message) -> None:
        """Takes back what could not be delivered, oldest first, unless something newer waits."""

    def confirmed(self, message: Message) -> None:
        """The broker has acknowledged a message of QoS 1."""

    def renew(self) -> None:
        """Has every retained state sent again: the broker may have come back empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How the session waits between connections, in seconds.

    A broker that went away a moment ago is found within ten seconds of its return; one that
    stays away, or says no, is asked once a minute. An attempt that finds nobody takes less
    processor time than a message (bench: 100 and 140 µs).

    Attributes:
        first: before the second attempt; doubled before each further one.
        away: the longest wait for a broker that cannot be reached,
        patient: until it was away for this long.
        longest: the longest wait of all.
        steady: a connection that lasted this long counts as good.
        version: until a broker that wanted MQTT 3.1.1 is offered 5 again.
    """

    first: float = 1.0
    away: float = 8.0
    patient: float = 300.0
    longest: float = 60.0
    steady: float = 30.0
    version: float = 3600.0


_TIMING = Timing()
_PATIENCE = Patience()


class Backoff:
    """Waits that double, each shortened at random by up to a half so that hosts spread out."""

    def __init__(self, first: float, jitter: Callable[[], float]) -> None:
        self._first = first
        self._jitter = jitter
        self._next = first

    def next(self, longest: float) -> float:
        """The next wait, in seconds."""
        wait = min(self._next, longest)
        self._next = min(self._next * 2, 3600)
        return wait * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begins anew after a success."""
        self._next = self._first


def _jitter() -> float:
    """From 0 to 1; the random module would cost memory for this one number."""
    return os.urandom(1)[0] / 255


class Session:
    """Publishes what a feed holds, over connections that it keeps making.

    Args:
        settings: where the broker is and who we are to it.
        identity: of this machine, stable and unique; the default client id is made from it.
        will: what the broker publishes when we vanish; its topic is the status topic, whose
            messages carry the boot id and go first.
        will_delay_seconds: how long we may be gone before (MQTT 5).
        boot_id: of this run of the daemon.
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
        feed: Feed,
        subscriptions: Sequence[str],
        on_request: Callable[[Request], None],
        on_state: Callable[[bool, str], None],
        will_delay_seconds: int = 10,
        timing: Timing = _TIMING,
        patience: Patience = _PATIENCE,
    ) -> None:
        self.connected = False
        self.connections = 0
        self.messages_sent = 0
        self.payload_sent_bytes = 0
        self._settings = settings
        self._endpoint = parse_url(settings.url or LOCAL)
        self._client_id = settings.client_id or (f"fanwhy-{identity[:12]}" if identity else "")
        self._will = will
        self._will_delay = will_delay_seconds
        self._boot_id = boot_id
        self._feed = feed
        self._subscriptions = subscriptions
        self._on_request = on_request
        self._on_state = on_state
        self._timing = timing
        self._patience = patience
        self._backoff = Backoff(timing.first, _jitter)
        self._batch: deque[Message] = deque()
        self._farewell: Sequence[Message] = ()
        self._leave_by = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._poked = False
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._old_version_since: float | None = None
        self._tls: tuple[Any, Any] | None = None
        self._state: tuple[bool, str] = (False, "")
        self._remarked: set[str] = set()

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Says that something waits in the feed. Any thread may call this."""
        if not self.connected or self._poked:
            return  # without a connection nothing can be sent; with one, everything will be
        if self._thread is not None and self._thread.ident == threading.get_ident():
            return
        self._poke()

    def stop(self, farewell: Sequence[Message], timeout: float) -> None:
        """Publishes what waits and the farewell, disconnects and ends the thread.

        Args:
            farewell: the last messages.
            timeout: in seconds. When it does not suffice, the broker publishes the will.
        """
        self._farewell = farewell
        self._leave_by = time.monotonic() + timeout
        self._stopping.set()
        self._poke()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return  # connecting takes its time; the thread dies with the process
            self._thread = None
        self._wake_read.close()
        self._wake_write.close()

    def _poke(self) -> None:
        self._poked = True
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: it has ended
            self._wake_write.send(b"\0")

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        gone_since = time.monotonic()
        brief = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            longest = self._timing.away
            if began - gone_since >= self._timing.patient:
                longest = self._timing.longest
            try:
                self._live()
            except RefusedError as error:
                longest = self._timing.longest
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
                if gone_since - began >= self._timing.steady:
                    self._backoff.reset()
                    brief = 0
                else:
                    brief += 1
                if brief == _BRIEF:
                    self._remark(
                        f"{self._endpoint}: the connection is lost soon after it is made, again "
                        f"and again; does another fanwhy use the client id {self._client_id}?"
                    )
            self._stopping.wait(self._backoff.next(longest))

    def _live(self) -> None:
        """One connection, from the first packet to the last."""
        connection = self._connect()
        try:
            self.connections += 1
            connection.subscribe(self._subscriptions)
            self.connected = True
            self._tell(True, f"connected to {self._endpoint} with {self._version_name}")
            if not connection.keeps:
                self._remark(f"{self._endpoint}: {KEEPS_NOTHING}")
            self._feed.renew()
            self._batch = deque(
                sorted(self._feed.take(), key=lambda message: message.topic != self._will.topic)
            )
            while not self._stopping.is_set():
                self._pump(connection)
                connection.turn()
                self._hand_on(connection)
            self._leave(connection)
        finally:
            self._hand_on(connection)
            connection.close()
            for message in (*connection.unacknowledged, *self._batch):
                self._feed.put_back(message)
            self._batch.clear()

    def _connect(self) -> Connection:
        protocol = self._settings.protocol
        since = self._old_version_since
        known_old = since is not None and time.monotonic() - since < self._timing.version
        if protocol == "3.1.1" or (protocol == "auto" and known_old):
            return self._open(MQTTv311)
        try:
            connection = self._open(MQTTv5)
        except VersionError:
            if protocol == "5" or self._stopping.is_set():
                raise
            # At once, while the broker is surely in the same state: one that hangs up because
            # it is about to start must not pass for one that knows no MQTT 5.
            connection = self._open(MQTTv311)
            self._old_version_since = time.monotonic()
        else:
            self._old_version_since = None
        return connection

    def _open(self, version: int) -> Connection:
        self._version_name = _VERSION_NAMES[version]
        try:
            return self._open_with(version, self._will)
        except RetainError:
            return self._open_with(version, replace(self._will, retain=False))

    def _open_with(self, version: int, will: Message) -> Connection:
        settings = self._settings
        connection = Connection(
            self._endpoint,
            Introduction(
                client_id=self._client_id,
                username=resolve_username(settings),
                password=resolve_password(settings),
                keepalive_seconds=settings.keepalive_seconds,
                will=will,
                will_delay_seconds=self._will_delay,
                boot_id=self._boot_id,
            ),
            tls=self._tls_context() if self._endpoint.tls else None,
            version=version,
            wake=self._wake_read,
            patience=self._patience,
        )
        try:
            connection.open(self._stopping.is_set)
        except BaseException:
            connection.close()
            raise
        return connection

    def _tls_context(self) -> Any:
        """Made anew only when a file has changed: reading the system's authorities is dear."""
        settings = self._settings
        files = (settings.ca_file, settings.certificate_file, settings.key_file)
        stamp = [_modified(path) for path in files]
        if self._tls is None or self._tls[0] != stamp:
            self._tls = (stamp, tls_context(*files))
        return self._tls[1]

    def _pump(self, connection: Connection) -> None:
        """Sends while there is something to send and the broker keeps up."""
        while connection.room:
            if not self._batch:
                self._poked = False  # before the look: what is put in after it pokes again
                self._batch.extend(self._feed.take())
                if not self._batch:
                    return
            self._send(connection, self._batch.popleft())

    def _send(self, connection: Connection, message: Message) -> None:
        if connection.publish(message):
            self.messages_sent += 1
            self.payload_sent_bytes += len(message.payload)

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
            self._feed.confirmed(message)
        connection.confirmed.clear()

    def _leave(self, connection: Connection) -> None:
        left = deque((*self._batch, *self._feed.take(), *self._farewell))
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


def _modified(path: str | None) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns if path else None
    except OSError:
        return None
