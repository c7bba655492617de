"""One connection to the broker, from CONNECT to its end, over one paho client.

A connection is never used again after its end: the next one is built from nothing, so no state
of a client that went wrong survives. Nothing here starts a thread; paho's callbacks only take
notes, and ``turn`` is the one place that waits. The deadlines are kept with public means alone:
paho sends a PINGREQ when either direction was silent for the keepalive time, so a client that
heard nothing for that time and the timeout of an answer more knows that the broker is gone.
"""

from __future__ import annotations

import itertools
import logging
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from publisher.contract.messages import Message, Receipt, Request
from publisher.errors import BrokerError
from publisher.mqtt import failures
from publisher.mqtt.broker import Endpoint
from publisher.mqtt.interrupt import Interrupt
from publisher.mqtt.paho import (
    MQTT_CLEAN_START_FIRST_ONLY,
    CallbackAPIVersion,
    Client,
    MQTTErrorCode,
    MQTTMessage,
    MQTTProtocolVersion,
    PacketTypes,
    Properties,
    ReasonCode,
    SubscribeOptions,
    WebsocketConnectionError,
    complete,
)
from publisher.mqtt.properties import MessageProperties, Will

log = logging.getLogger(__name__)

# In flight at most, also where the broker would take more (MQTT 5 section 3.3.4).
_WINDOW = 20
# Fixed header, topic length, packet id and our properties take less than this.
_OVERHEAD_BYTES = 256
_GOODBYE_SECONDS = 0.2
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a connection waits for what, in seconds.

    Attributes:
        connect: for TCP, TLS, websocket and CONNACK, each.
        answer: for a PUBACK or PINGRESP.
    """

    connect: float = 10.0
    answer: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What CONNECT says of a client, besides what the settings say for all of them.

    Attributes:
        receive_bytes: of the largest message that we accept; commands and other machines' info
            are far smaller than the default.
        session_seconds: for how long the broker keeps what was subscribed to with QoS 1 while we
            are away (MQTT 5 section 3.1.2.11.2; a broker of 3.1.1 decides itself); 0: not at all.
            Messages of QoS 1 are then not confirmed before ``Connection.acknowledge``.
    """

    client_id: str
    will: Will | None = None
    receive_bytes: int = 1 << 18
    session_seconds: int = 0


class Connection:
    """A connection that lives until a method raises ``BrokerError`` or it is closed.

    Made by ``publisher.mqtt.connector``; as a context manager it says goodbye at the end.

    Args:
        endpoint: where the broker is.
        username: and ``password``, as far as the broker wants any.
        tls: how to verify the broker, for an endpoint with TLS.
        interrupt: ends ``turn`` early.

    Attributes:
        received: messages that have come; for the caller to take out, as all these lists are.
        confirmed: messages of QoS 1 that the broker has acknowledged.
        refused: events that it has not taken: they are not lost, and may be offered again.
        remarks: what the broker does not do for us, in words for people.
        denied: topics that it did not let us subscribe to, in the same words.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: ConnectOptions,
        *,
        username: str | None,
        password: str | None,
        tls: Any,
        version: MQTTProtocolVersion,
        keepalive_seconds: int,
        timeouts: Timeouts,
        interrupt: Interrupt | None = None,
    ) -> None:
        self.received: list[Request] = []
        self.confirmed: list[Message] = []
        self.refused: list[Message] = []
        self.remarks: list[str] = []
        self.denied: list[failures.AccessError] = []
        self._endpoint = endpoint
        self._options = options
        self._version = version
        self._five = version == MQTTProtocolVersion.MQTTv5
        self._keepalive_asked = keepalive_seconds
        self._timeouts = timeouts
        self._answer: tuple[ReasonCode, Properties] | None = None
        self._farewell: ReasonCode | None = None
        self._unacknowledged: dict[int, tuple[Message, float]] = {}
        self._filters: dict[int, Sequence[str]] = {}
        self._limits = _Limits()
        self._properties = MessageProperties(options.will)
        self._heard = self._sent = self._pinged = time.monotonic()
        self._interrupt = interrupt
        self._selector = selectors.DefaultSelector()
        if interrupt is not None:
            self._selector.register(interrupt, selectors.EVENT_READ)
        self._watched: tuple[int, int] | None = None
        self._number = next(_NUMBERS)
        self._client = self._make_client(username, password, tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.say_goodbye()
        self.close()

    def _make_client(self, username: str | None, password: str | None, tls: Any) -> Client:
        endpoint = self._endpoint
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._options.client_id,
            protocol=self._version,
            transport="tcp" if endpoint.websocket_path is None else "websockets",
            reconnect_on_failure=False,
            # MQTT 5 says this with CONNECT.
            clean_session=None if self._five else not self._options.session_seconds,
            manual_ack=bool(self._options.session_seconds),
        )
        client.connect_timeout = self._timeouts.connect
        client.max_inflight_messages_set(0)  # the window is kept here
        if endpoint.websocket_path is not None or endpoint.tls:
            complete()
        if endpoint.websocket_path is not None:
            client.ws_set_options(path=endpoint.websocket_path)
        if endpoint.tls:
            client.tls_set_context(tls)
        if username or password:
            client.username_pw_set(username or "", password)
        if self._options.will is not None:
            self._set_will(client, self._options.will)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _set_will(self, client: Client, will: Will) -> None:
        message = will.message
        properties = self._properties.of(PacketTypes.WILLMESSAGE, message) if self._five else None
        if properties and will.delay_seconds:
            properties.WillDelayInterval = will.delay_seconds
        client.will_set(message.topic, message.payload, message.qos, message.retain, properties)

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
        if not code.is_failure:
            self.confirmed.append(message)
        else:
            if message.key:
                self.refused.append(message)
            self.remarks.append(
                failures.may_not_publish(self._endpoint, message.topic, str(code).lower())
            )

    def _on_subscribe(
        self, _client: Client, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        for topic, code in zip(self._filters.pop(mid, ()), codes, strict=False):
            if code.is_failure:
                error = failures.may_not_subscribe(self._endpoint, topic, str(code).lower())
                self.denied.append(error)
                self.remarks.append(str(error))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if len(message.payload) > self._options.receive_bytes:
            self._refuse(message)  # only a broker without MQTT 5 lets it come this far
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._refuse(message)  # no topic that we subscribed to
            return
        properties = message.properties
        self.received.append(
            Request(
                topic=topic,
                payload=bytes(message.payload),
                retain=message.retain,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation_data=getattr(properties, "CorrelationData", None),
                receipt=self._receipt(message),
            )
        )

    def _refuse(self, message: MQTTMessage) -> None:
        """What nobody will ever acknowledge must not be sent again and again."""
        self._client.ack(message.mid, message.qos)

    def _receipt(self, message: MQTTMessage) -> Receipt | None:
        if not (self._options.session_seconds and message.qos):
            return None
        return Receipt(self._number, message.mid)

    # -- from CONNECT to the end ----------------------------------------------------------------

    def open(self) -> None:
        """Connects and waits for the broker's consent.

        Raises:
            VersionError: another version of MQTT may do.
            BrokerError: there is no connection; the message says why.
        """
        try:
            self._client.connect(
                self._endpoint.host,
                self._endpoint.port,
                self._keepalive_asked,
                clean_start=self._clean_start,
                properties=self._connect_properties(),
            )
        except WebsocketConnectionError as error:
            raise failures.no_websockets(self._endpoint) from error
        except (OSError, UnicodeError) as error:
            raise failures.connection_failure(self._endpoint, error) from error
        self._heard = self._sent = time.monotonic()
        code, properties = self._await_answer(self._heard + self._timeouts.connect)
        if code.is_failure:
            raise failures.refusal(self._endpoint, code.value)
        self._limits = _Limits.of(properties)

    def _await_answer(self, deadline: float) -> tuple[ReasonCode, Properties]:
        while self._answer is None:
            if time.monotonic() >= deadline:
                raise failures.no_connack(self._endpoint)
            try:
                self.turn(deadline - time.monotonic())
            except BrokerError:
                if self._answer is None:
                    raise
            if self._interrupt is not None and self._interrupt.stopping:
                raise BrokerError(f"{self._endpoint}: stopped while connecting")
        return self._answer

    @property
    def _clean_start(self) -> bool | Literal[3]:
        """Whether the broker is to forget what it kept; MQTT 3.1.1 has said so before."""
        return not self._options.session_seconds if self._five else MQTT_CLEAN_START_FIRST_ONLY

    def _connect_properties(self) -> Properties | None:
        if not self._five:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = self._options.receive_bytes
        if self._options.session_seconds:
            properties.SessionExpiryInterval = self._options.session_seconds
            properties.ReceiveMaximum = _WINDOW
        return properties

    def subscribe(self, topics: Sequence[str], *, qos: int = 1) -> None:
        """Asks for topics; what we publish there ourselves does not come back with MQTT 5."""
        if not topics:
            return
        if self._five:
            wanted: Any = [(topic, SubscribeOptions(qos=qos, noLocal=True)) for topic in topics]
        else:
            wanted = [(topic, qos) for topic in topics]
        result, mid = self._client.subscribe(wanted)
        self._check(result)
        if mid is not None:
            self._filters[mid] = topics
        self._sent = time.monotonic()

    @property
    def version(self) -> str:
        """The version of MQTT that is spoken, in words."""
        return "MQTT 5" if self._five else "MQTT 3.1.1"

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
        properties = self._properties.of(PacketTypes.PUBLISH, message) if self._five else None
        try:
            if not message.topic:
                raise ValueError("an empty topic")  # noqa: TRY301  # as paho says the others
            retain = message.retain and self._limits.retain
            info = self._client.publish(message.topic, message.payload, qos, retain, properties)
        except ValueError as error:  # the topic may come from a stranger's request
            self.remarks.append(f"not published to {message.topic[:80]!r}: {error}")
            return False
        self._sent = time.monotonic()
        if qos:
            self._unacknowledged[info.mid] = (message, self._sent)
        elif message.qos:
            self.confirmed.append(message)  # the broker's best is to confirm nothing
        self._check(info.rc)
        return True

    def acknowledge(self, receipt: Receipt) -> None:
        """Tells the broker that a message is safe; one of another connection it sends again."""
        if receipt.connection == self._number:
            self._client.ack(receipt.packet_id, 1)
            self._sent = time.monotonic()

    def turn(self, timeout: float = float("inf")) -> None:
        """Waits for the network, an interrupt or the next deadline, and does what is due.

        Raises:
            BrokerError: the connection has ended.
        """
        self._watch()
        wait = max(min(timeout, self._due() - time.monotonic()), 0)
        for key, events in self._selector.select(wait):
            if self._interrupt is not None and key.fileobj is self._interrupt:
                self._interrupt.clear()
                continue
            if events & selectors.EVENT_READ:
                self._read()
            if events & selectors.EVENT_WRITE:
                self._check(self._client.loop_write())
                self._sent = time.monotonic()
        pinging = time.monotonic() >= self._ping_due()
        self._check(self._client.loop_misc())
        now = time.monotonic()
        if pinging:
            self._pinged = now
        if self._answer is not None and now >= self._answer_due():
            raise failures.no_answer(self._endpoint)

    def say_goodbye(self) -> None:
        """Tells the broker that we leave on purpose, so that it forgets the will."""
        self._client.disconnect()
        deadline = time.monotonic() + _GOODBYE_SECONDS
        while self._client.socket() is not None and time.monotonic() < deadline:
            try:
                self.turn(deadline - time.monotonic())
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
            self._check(self._loop_read())
            self._heard = time.monotonic()
            # TLS may hold decrypted bytes that no selector knows of.
            pending = getattr(self._client.socket(), "pending", None)
            if pending is None or not pending():
                return

    def _loop_read(self) -> MQTTErrorCode:
        try:
            return self._client.loop_read()
        except Exception as error:
            # paho's parser trips in many ways over what is no MQTT.
            log.debug("%s: unreadable", self._endpoint, exc_info=True)
            raise self._lost(MQTTErrorCode.MQTT_ERR_PROTOCOL) from error

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
        due = self._heard + self._keepalive + self._timeouts.answer
        for _, since in self._unacknowledged.values():  # in the order of sending
            return min(due, since + self._timeouts.answer)
        return due

    def _due(self) -> float:
        return min(self._ping_due(), self._answer_due())

    @property
    def _keepalive(self) -> float:
        return self._limits.keepalive or self._keepalive_asked

    def _check(self, code: MQTTErrorCode | int) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            raise self._lost(code)

    def _lost(self, code: MQTTErrorCode | int = MQTTErrorCode.MQTT_ERR_CONN_LOST) -> BrokerError:
        garbled = code == MQTTErrorCode.MQTT_ERR_PROTOCOL
        if self._answer is None:
            return (failures.no_mqtt if garbled else failures.hung_up)(self._endpoint)
        if self._farewell is not None and self._farewell.value:
            words = str(self._farewell).lower()
            return failures.ended(self._endpoint, self._farewell.value, words)
        return (failures.garbled if garbled else failures.lost)(self._endpoint)


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
