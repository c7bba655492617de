"""One connection to the broker, from CONNECT to its end, over one paho client.

A connection is never used again after its end: the next one is built from nothing, so no state
of a client that went wrong survives. Nothing here starts a thread; paho's callbacks only take
notes, and ``turn`` is the one place that waits. The deadlines are kept with public means alone:
paho sends a PINGREQ when either direction was silent for the keepalive time, so whoever heard
nothing for that time and some patience more knows that the broker does not answer.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from publisher.contract.messages import Message, Request
from publisher.contract.payload import SCHEMA_VERSION
from publisher.errors import BrokerError
from publisher.mqtt.broker import UNSUPPORTED_VERSION, Endpoint, connection_failure, refusal
from publisher.mqtt.paho import (
    CallbackAPIVersion,
    Client,
    MQTTErrorCode,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
    PacketTypes,
    Properties,
    ReasonCode,
    SubscribeOptions,
    WebsocketConnectionError,
    complete,
)

# What we accept from others: commands and other machines' info are far smaller.
_RECEIVE_BYTES = 1 << 18
# In flight at most, also where the broker would take more (MQTT 5 section 3.3.4).
_WINDOW = 20
# Fixed header, topic length, packet id and our properties take less than this.
_OVERHEAD_BYTES = 256

# MQTT 5 section 3.14.2.1, as far as a broker sends them to a client that behaves.
_FAREWELLS = {
    135: "we are not authorised",
    137: "it is busy",
    139: "it is shutting down",
    141: "it heard nothing from us for too long",
    142: "another client uses our client id; set broker.client_id",
    149: "it finds our message too large",
    151: "our quota is exceeded",
    152: "its administrator ended it",
    156: "it wants us to use another server",
    157: "it has moved to another server",
    159: "too many connections in a short time",
}
_PASSING = frozenset({139, 141})  # of these, what is over soon
_RETAIN_NOT_SUPPORTED = 154  # MQTT 5 section 3.2.2.2: here, of our will
# Said where ``Connection.keeps`` is false.
KEEPS_NOTHING = (
    "it keeps no retained messages: after a restart Home Assistant knows no states until we have "
    "answered its birth message, seconds later; others wait for the next heartbeat or send refresh"
)
_GOODBYE_SECONDS = 0.2


class RefusedError(BrokerError):
    """The broker answered and said no: it will say so again for a while."""


class RetainError(RefusedError):
    """The broker keeps no retained messages, and takes nobody who leaves it a retained will."""


class VersionError(BrokerError):
    """The broker does not speak the version of MQTT that we tried, or hung up on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection waits for what, in seconds.

    Attributes:
        connect: for TCP, TLS, websocket and CONNACK, each.
        answer: for a PUBACK or PINGRESP.
    """

    connect: float = 10.0
    answer: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What CONNECT says of us.

    Attributes:
        will: published by the broker when we are gone for ``will_delay_seconds`` (MQTT 5).
        boot_id: goes with the will and with every message on its topic, so that a late will is
            told from a real death.
    """

    client_id: str
    username: str | None
    password: str | None
    keepalive_seconds: int
    will: Message
    will_delay_seconds: int
    boot_id: str


class Connection:
    """A connection that lives until a method raises ``BrokerError`` or it is closed.

    Args:
        endpoint: where the broker is.
        tls: how to verify it, for an endpoint with TLS.
        version: 5 or 4 (that is 3.1.1).
        wake: a socket that becomes readable when ``turn`` should return early.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        introduction: Introduction,
        *,
        tls: Any,
        version: int,
        wake: socket.socket,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.received: list[Request] = []
        self.remarks: list[str] = []
        self.confirmed: list[Message] = []
        self._endpoint = endpoint
        self._us = introduction
        self._five = version == MQTTv5
        self._patience = patience
        self._clock = clock
        self._answer: tuple[ReasonCode, Properties] | None = None
        self._farewell: ReasonCode | None = None
        self._unacknowledged: dict[int, tuple[Message, float]] = {}
        self._filters: dict[int, Sequence[str]] = {}
        self._limits = _Limits()
        self._properties: dict[tuple[str, int | None, bool], Properties] = {}
        self._heard = self._sent = self._pinged = clock()
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._selector.register(wake, selectors.EVENT_READ)
        self._watched: tuple[int, int] | None = None
        self._client = self._make_client(tls)

    def _make_client(self, tls: Any) -> Client:
        endpoint, us = self._endpoint, self._us
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=us.client_id,
            protocol=MQTTv5 if self._five else MQTTv311,
            transport="tcp" if endpoint.websocket_path is None else "websockets",
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._patience.connect
        client.max_inflight_messages_set(0)  # the window is kept here
        if endpoint.websocket_path is not None or endpoint.tls:
            complete()
        if endpoint.websocket_path is not None:
            client.ws_set_options(path=endpoint.websocket_path)
        if endpoint.tls:
            client.tls_set_context(tls)
        if us.username or us.password:
            client.username_pw_set(us.username or "", us.password)
        will = us.will
        properties = self._describe(PacketTypes.WILLMESSAGE, will) if self._five else None
        if properties and us.will_delay_seconds:
            properties.WillDelayInterval = us.will_delay_seconds
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    # -- paho's callbacks: they only take notes -------------------------------------------------

    def _on_connect(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        self._answer = (code, properties)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._farewell = code

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        message, _ = self._unacknowledged.pop(mid, (None, 0.0))
        if message is None:
            return
        self.confirmed.append(message)  # also when refused: it would be refused again
        if code.is_failure:
            self.remarks.append(
                f"{self._endpoint}: it does not take what we publish to {message.topic} "
                f"({str(code).lower()}); check its access rules"
            )

    def _on_subscribe(
        self, _client: Client, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        for topic, code in zip(self._filters.pop(mid, ()), codes, strict=False):
            if code.is_failure:
                self.remarks.append(
                    f"{self._endpoint}: it does not let us subscribe to {topic} "
                    f"({str(code).lower()}); check its access rules"
                )

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if len(message.payload) > _RECEIVE_BYTES:
            return  # only a broker without MQTT 5 lets it come this far
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no topic that we subscribed to
        properties = message.properties
        self.received.append(
            Request(
                topic=topic,
                payload=bytes(message.payload),
                retain=message.retain,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation_data=getattr(properties, "CorrelationData", None),
            )
        )

    # -- from CONNECT to the end ----------------------------------------------------------------

    def open(self, give_up: Callable[[], bool]) -> None:
        """Connects and waits for the broker's consent.

        Args:
            give_up: asked whenever the wake socket ends a wait.

        Raises:
            VersionError: another version of MQTT may do.
            BrokerError: there is no connection; the message says why.
        """
        try:
            self._client.connect(
                self._endpoint.host,
                self._endpoint.port,
                self._us.keepalive_seconds,
                properties=self._connect_properties(),
            )
        except WebsocketConnectionError as error:
            raise BrokerError(
                f"{self._endpoint}: it offers no MQTT over websockets; are port and path right?"
            ) from error
        except OSError as error:
            raise connection_failure(self._endpoint, error) from error
        self._heard = self._sent = self._clock()
        deadline = self._heard + self._patience.connect
        while self._answer is None:
            if self._clock() >= deadline:
                raise BrokerError(f"{self._endpoint}: it accepts connections but does not answer")
            try:
                self.turn(deadline - self._clock())
            except BrokerError:
                if self._answer is None:
                    raise
            if give_up():
                raise BrokerError(f"{self._endpoint}: stopped while connecting")
        code, properties = self._answer
        if code.is_failure:
            kind: type[BrokerError] = RefusedError
            if code.value in UNSUPPORTED_VERSION:
                kind = VersionError
            elif code.value == _RETAIN_NOT_SUPPORTED:
                kind = RetainError
            raise kind(str(refusal(self._endpoint, code.value)))
        self._limits = _Limits.of(properties)

    def _connect_properties(self) -> Properties | None:
        if not self._five:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = _RECEIVE_BYTES
        return properties

    def subscribe(self, topics: Sequence[str]) -> None:
        """Asks for topics; what we publish there ourselves does not come back with MQTT 5."""
        if not topics:
            return
        if self._five:
            wanted: Any = [(topic, SubscribeOptions(qos=1, noLocal=True)) for topic in topics]
        else:
            wanted = [(topic, 1) for topic in topics]
        result, mid = self._client.subscribe(wanted)
        self._check(result)
        if mid is not None:
            self._filters[mid] = topics
        self._sent = self._clock()

    @property
    def keeps(self) -> bool:
        """Whether the broker keeps retained messages; ours go out unretained where it does not."""
        return self._limits.retain

    @property
    def room(self) -> bool:
        """Whether another message can go out now; else it waits, and a newer one may overtake."""
        return not self._client.want_write() and len(self._unacknowledged) < self._limits.window

    @property
    def unacknowledged(self) -> list[Message]:
        """What was sent with QoS 1 and not acknowledged, oldest first."""
        return [message for message, _ in self._unacknowledged.values()]

    def publish(self, message: Message) -> bool:
        """Sends a message; false, with a remark, when the broker could not take it."""
        size = len(message.topic.encode()) + len(message.payload) + _OVERHEAD_BYTES
        if size > self._limits.packet_bytes:
            self.remarks.append(
                f"{self._endpoint}: {message.topic} is left out: its {len(message.payload)} bytes "
                f"do not fit the broker's limit of {self._limits.packet_bytes} a message"
            )
            return False
        qos = min(message.qos, self._limits.qos)
        properties = self._describe(PacketTypes.PUBLISH, message) if self._five else None
        try:
            if not message.topic:
                raise ValueError("an empty topic")  # noqa: TRY301  # as paho says the others
            info = self._client.publish(
                message.topic, message.payload, qos, message.retain and self._limits.retain,
                properties,
            )  # fmt: skip
        except ValueError as error:  # the topic may come from a stranger's request
            self.remarks.append(f"not published to {message.topic[:80]!r}: {error}")
            return False
        self._sent = self._clock()
        if qos:
            self._unacknowledged[info.mid] = (message, self._sent)
        elif message.qos:
            self.confirmed.append(message)  # the broker's best is to confirm nothing
        self._check(info.rc)
        return True

    def turn(self, timeout: float = float("inf")) -> None:
        """Waits for the network, the wake socket or the next deadline, and does what is due.

        Raises:
            BrokerError: the connection has ended.
        """
        self._watch()
        wait = max(min(timeout, self._due() - self._clock()), 0)
        for key, events in self._selector.select(wait):
            if key.fileobj is self._wake:
                self._wake.recv(4096)
                continue
            if events & selectors.EVENT_READ:
                self._read()
            if events & selectors.EVENT_WRITE:
                self._check(self._client.loop_write())
                self._sent = self._clock()
        pinging = self._clock() >= self._ping_due()
        self._check(self._client.loop_misc())
        now = self._clock()
        if pinging:
            self._pinged = now
        if self._answer is not None and now >= self._answer_due():
            raise BrokerError(f"{self._endpoint}: it stopped answering; connecting anew")

    def say_goodbye(self) -> None:
        """Tells the broker that we leave on purpose, so that it forgets the will."""
        self._client.disconnect()
        deadline = self._clock() + _GOODBYE_SECONDS
        while self._client.socket() is not None and self._clock() < deadline:
            try:
                self.turn(deadline - self._clock())
            except BrokerError:
                return

    def close(self) -> None:
        """Drops the connection; without a goodbye the broker will publish the will."""
        self._selector.close()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    # -- inside ---------------------------------------------------------------------------------

    def _read(self) -> None:
        while True:
            self._check(self._client.loop_read())
            self._heard = self._clock()
            # TLS may hold decrypted bytes that no selector knows of.
            pending = getattr(self._client.socket(), "pending", None)
            if pending is None or not pending():
                return

    def _watch(self) -> None:
        sock = self._client.socket()
        if sock is None:
            raise self._lost()
        events = selectors.EVENT_READ
        if self._client.want_write():
            events |= selectors.EVENT_WRITE
        wanted = (sock.fileno(), events)
        if self._watched is None:
            self._selector.register(wanted[0], events)
        elif self._watched != wanted:
            self._selector.modify(wanted[0], events)
        self._watched = wanted

    def _ping_due(self) -> float:
        return max(min(self._sent, self._heard), self._pinged) + self._keepalive

    def _answer_due(self) -> float:
        due = self._heard + self._keepalive + self._patience.answer
        for _, since in self._unacknowledged.values():  # in the order of sending
            return min(due, since + self._patience.answer)
        return due

    def _due(self) -> float:
        return min(self._ping_due(), self._answer_due())

    @property
    def _keepalive(self) -> float:
        return self._limits.keepalive or self._us.keepalive_seconds

    def _check(self, code: MQTTErrorCode | int) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            raise self._lost(code)

    def _lost(self, code: MQTTErrorCode | int = MQTTErrorCode.MQTT_ERR_CONN_LOST) -> BrokerError:
        if self._answer is None:
            words = (
                f"{self._endpoint}: what answers there is no MQTT broker"
                if code == MQTTErrorCode.MQTT_ERR_PROTOCOL
                else f"{self._endpoint}: it hangs up at once; is it an MQTT broker, "
                "and is TLS wanted there (mqtts://)?"
            )
            return VersionError(words) if self._five else BrokerError(words)
        if self._farewell is not None and self._farewell.value:
            reason = _FAREWELLS.get(self._farewell.value, str(self._farewell).lower())
            kind = BrokerError if self._farewell.value in _PASSING else RefusedError
            return kind(f"{self._endpoint}: it ended the connection: {reason}")
        return BrokerError(f"{self._endpoint}: connection lost; connecting anew")

    def _describe(self, packet: int, message: Message) -> Properties:
        """The MQTT 5 properties of a message; made once for each kind of message."""
        ours = message.topic == self._us.will.topic
        key = (message.content_type, message.expiry_seconds, ours)
        known = self._properties.get(key)
        if known and packet == PacketTypes.PUBLISH and message.correlation_data is None:
            return known
        properties = Properties(packet)  # type: ignore[no-untyped-call]
        if message.payload:
            properties.PayloadFormatIndicator = 1  # UTF-8
            properties.ContentType = message.content_type
        if message.expiry_seconds is not None:
            properties.MessageExpiryInterval = message.expiry_seconds
        properties.UserProperty = ("schema_version", str(SCHEMA_VERSION))
        if ours:
            properties.UserProperty = ("boot_id", self._us.boot_id)
        if message.correlation_data is not None:
            properties.CorrelationData = message.correlation_data
        elif packet == PacketTypes.PUBLISH and message.payload:
            self._properties[key] = properties
        return properties


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What the broker's CONNACK allows (MQTT 5 section 3.2.2.3)."""

    window: int = _WINDOW
    packet_bytes: int = (1 << 28) - 1
    qos: int = 1
    retain: bool = True
    keepalive: int | None = None

    @classmethod
    def of(cls, properties: Properties) -> _Limits:
        return cls(
            window=min(getattr(properties, "ReceiveMaximum", _WINDOW), _WINDOW),
            packet_bytes=getattr(properties, "MaximumPacketSize", cls().packet_bytes),
            qos=min(getattr(properties, "MaximumQoS", 1), 1),
            retain=bool(getattr(properties, "RetainAvailable", 1)),
            keepalive=getattr(properties, "ServerKeepAlive", None),
        )
