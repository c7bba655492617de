"""From the broker to a queue: connects, comes back by itself, speaks MQTT 5 or 3.1.1.

One thread does all that touches the network; what it finds goes into an inbox that others may
fill too (a keyboard), so that a screen has one place to wait at. paho's own reconnection is not
used: its thread can die or hang without a word, and it cannot change the protocol version.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from publisher.contract.topics import COMMAND, EXPLANATION
from publisher.errors import BrokerError
from publisher.mqtt.broker import (
    UNSUPPORTED_VERSION,
    BrokerSettings,
    Endpoint,
    connection_failure,
    parse_url,
    refusal,
    resolve_password,
    resolve_username,
    tls_context,
)
from subscriber_cli.model.decode import LARGEST, Notice, Received, Scope, decode

DEFAULT_URL = "mqtt://localhost:1883"
_VERSIONS = {"auto": ("5", "3.1.1"), "5": ("5",), "3.1.1": ("3.1.1",)}
_CONNECT_SECONDS = 5.0
_WAIT_SHORTEST, _WAIT_LONGEST = 1.0, 30.0
_CROWDED = 10_000  # messages that nobody has looked at yet: then the broker has to wait
# Ours to refuse are messages beyond LARGEST, with a word to the user; what is larger still the
# broker need not even send (MQTT 5 section 3.1.2.11.4).
_MAXIMUM_PACKET = 8 * LARGEST
# Refusals that no patience mends: credentials, client id, a ban, the way of authentication.
_FINAL = frozenset({2, 4, 5, 133, 134, 135, 138, 140})


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


Item = Received | Notice | Connected | Trouble


class Stream:
    """The messages of every host under a prefix, for as long as the ``with`` block lasts.

    Args:
        inbox: where items go; others may put things of their own there.

    Raises:
        ConfigError: the settings cannot be used: bad URL, prefix, certificate or password file.
    """

    def __init__(
        self, settings: BrokerSettings, prefix: str, inbox: SimpleQueue[Any] | None = None
    ) -> None:
        self.inbox: SimpleQueue[Any] = SimpleQueue() if inbox is None else inbox
        self.endpoint = parse_url(settings.url or DEFAULT_URL)
        self._scope = Scope(prefix)
        self._versions = _VERSIONS[settings.protocol]
        self._access = _Access(
            endpoint=self.endpoint,
            username=resolve_username(settings),
            password=resolve_password(settings),
            tls=tls_context(settings.ca_file, settings.certificate_file, settings.key_file)
            if self.endpoint.tls
            else None,
            keepalive_seconds=settings.keepalive_seconds,
        )
        self._stopped = threading.Event()
        self._session: _Session | None = None
        self._thread = threading.Thread(target=self._run, name="fanwhy-broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        session = self._session
        if session is not None:
            session.end()
        # A resolver or a handshake may hold the thread for longer than anyone would wait.
        self._thread.join(timeout=1.0)

    def get(self, timeout: float | None = None) -> Any:
        """The next item; ``None`` after ``timeout`` seconds without one."""
        try:
            return self.inbox.get(timeout=timeout)
        except Empty:
            return None

    def command(self, prefix: str, word: str) -> None:
        """Asks a host for something, if it can be asked now; what it says comes as an item.

        ``why`` is answered with a fresh verdict where both sides speak MQTT 5; ``refresh`` makes
        the host say everything again.
        """
        session = self._session
        if session is not None and session.connected:
            session.command(prefix, word)

    # --- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        wait, ever = 0.0, False
        while True:
            session, failure = self._converse(self._versions[0])
            if session.other_version and len(self._versions) > 1:
                # At once, once: a broker from before MQTT 5 says so, or just hangs up.
                session, failure = self._converse(self._versions[1])
            self._session = None
            if self._stopped.is_set():
                return
            if session.connected:
                wait, ever = 0.0, True
            if session.denied or (session.hopeless and not ever):
                self._deliver(Trouble(str(failure), None))
                return
            wait = min(max(2 * wait, _WAIT_SHORTEST), _WAIT_LONGEST)
            jittered = wait * random.uniform(0.75, 1.25)  # noqa: S311  # not a secret
            self._deliver(Trouble(str(failure), jittered))
            self._stopped.wait(jittered)

    def _converse(self, version: str) -> tuple[_Session, BrokerError | None]:
        session = self._session = _Session(self._access, self._scope, version, self._deliver)
        return session, session.run(self._stopped)

    def _deliver(self, item: Item) -> None:
        """Leaves an item; holds the network up while nobody takes any."""
        while self.inbox.qsize() >= _CROWDED and not self._stopped.wait(0.05):
            pass
        self.inbox.put(item)


@dataclass(frozen=True, slots=True)
class _Access:
    """What it takes to get in."""

    endpoint: Endpoint
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    keepalive_seconds: int


class _Session:
    """One connection, from the first packet to the last; runs in the stream's thread.

    Attributes:
        connected: the broker let us in.
        hopeless: the same attempt would fail for ever.
        denied: the broker let us in but not read.
        other_version: another version of MQTT may do.
    """

    def __init__(
        self, access: _Access, scope: Scope, version: str, deliver: Callable[[Item], None]
    ) -> None:
        self.connected = False
        self.hopeless = False
        self.denied = False
        self.other_version = False
        self._access = access
        self._endpoint = access.endpoint
        self._scope = scope
        self._version = version
        self._deliver = deliver
        self._failure: BrokerError | None = None
        # Never the configured id: that is the daemon's, and a broker keeps one of each.
        self._client_id = f"fanwhy-sub-{random.getrandbits(32):08x}"
        self._answers = scope.answers(self._client_id)
        self._client = self._make_client()

    def run(self, stopped: threading.Event) -> BrokerError | None:
        """Stays until the connection ends, and says why it did; ``None`` when stopped."""
        try:
            self._connect()
            return self._loop(stopped)
        except OSError as error:
            self.hopeless = isinstance(error, ssl.SSLCertVerificationError)
            return connection_failure(self._endpoint, error)
        except Exception as error:  # noqa: BLE001
            # Whatever paho's parser trips over, or a name that no resolver takes: the thread
            # must live on and say so.
            return BrokerError(f"{self._endpoint}: no MQTT there ({type(error).__name__})")
        finally:
            self._client.on_disconnect = None
            self.end()
            self._client.loop_misc()  # what drops the socket at last
            # paho closes its inner sockets when it is freed, and a cycle may be freed too late.
            self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def end(self) -> None:
        """Says goodbye, which wakes ``run``; paho allows that from any thread."""
        self._client.disconnect()

    def command(self, prefix: str, word: str) -> None:
        properties = None
        if self._version == "5":
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
            properties.ResponseTopic = self._answers
            properties.CorrelationData = prefix.encode()
        self._client.publish(f"{prefix}/{COMMAND}", word, qos=1, properties=properties)

    def _make_client(self) -> mqtt.Client:
        access = self._access
        path = access.endpoint.websocket_path
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5 if self._version == "5" else mqtt.MQTTv311,
            transport="websockets" if path else "tcp",
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_SECONDS
        if path:
            client.ws_set_options(path=path)
        if access.tls is not None:
            client.tls_set_context(access.tls)
        if access.username or access.password:
            client.username_pw_set(access.username or "", access.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _connect(self) -> None:
        options: dict[str, Any] = {}
        if self._version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
            properties.MaximumPacketSize = _MAXIMUM_PACKET
            options = {"clean_start": True, "properties": properties}
        self._client.connect(
            self._endpoint.host,
            self._endpoint.port,
            keepalive=self._access.keepalive_seconds,
            **options,
        )

    def _loop(self, stopped: threading.Event) -> BrokerError | None:
        deadline = time.monotonic() + _CONNECT_SECONDS
        while not stopped.is_set():
            code = self._client.loop(timeout=5.0 if self.connected else 0.5)
            if self._failure is not None:
                return self._failure
            if code != mqtt.MQTT_ERR_SUCCESS:
                if self.connected:
                    return BrokerError(f"{self._endpoint}: the connection was lost")
                self.other_version = True
                return BrokerError(f"{self._endpoint}: it hung up; is this port for MQTT?")
            if not self.connected and time.monotonic() > deadline:
                return BrokerError(f"{self._endpoint}: it does not answer; is this port for MQTT?")
        return None

    # --- paho's callbacks: what they learn is acted on by _loop -----------------------------------

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, code: Any, ___: Any) -> None:
        if code.is_failure:
            self.other_version = code.value in UNSUPPORTED_VERSION
            self.hopeless = code.value in _FINAL
            self._failure = refusal(self._endpoint, code.value)
            return
        self.connected = True
        self._deliver(Connected(self._endpoint, self._version))
        client.subscribe(self._scope.filter, qos=1)

    def _on_subscribe(self, _: Any, __: Any, ___: Any, codes: list[Any], ____: Any) -> None:
        if codes and codes[0].is_failure:
            self.denied = True
            self._failure = BrokerError(
                f"{self._endpoint}: this user may not read "
                f"{self._scope.filter}; allow it in the broker's access rules"
            )

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # forbidden by MQTT 5 section 1.5.4, so no fanwhy sent it
        if topic == self._answers:
            prefix = getattr(message.properties, "CorrelationData", b"").decode("utf-8", "replace")
            topic = f"{prefix}/{EXPLANATION}"
        item = decode(self._scope, topic, bytes(message.payload), retained=message.retain)
        if item is not None:
            self._deliver(item)

    def _on_disconnect(self, _: Any, __: Any, flags: Any, code: Any, ___: Any) -> None:
        if flags.is_disconnect_packet_from_server and self._failure is None:
            reason = str(code).lower()
            self._failure = BrokerError(f"{self._endpoint}: it ended the connection: {reason}")
