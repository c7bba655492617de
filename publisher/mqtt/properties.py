"""What MQTT 5 says of a message besides topic and payload."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.contract.messages import Message
from publisher.contract.payload import SCHEMA_VERSION
from publisher.mqtt.paho import PacketTypes, Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes when a client vanishes (MQTT 5 section 3.1.2.5).

    Attributes:
        delay_seconds: how long the client may be gone before (MQTT 5).
        boot_id: goes with the will and with every message on its topic, so that a late will is
            told from a real death.
    """

    message: Message
    delay_seconds: int = 0
    boot_id: str = ""


class MessageProperties:
    """The properties of messages (MQTT 5 section 3.3.2.3), made once for each kind of message.

    Args:
        will: of the client that sends them.
    """

    def __init__(self, will: Will | None) -> None:
        self._will = will
        self._known: dict[tuple[str, int | None, bool], Properties] = {}

    def of(self, packet: int, message: Message) -> Properties:
        """The properties of a message that is sent in a kind of packet, or as the will."""
        will = self._will
        boot_id = will.boot_id if will and message.topic == will.message.topic else None
        key = (message.content_type, message.expiry_seconds, boot_id is not None)
        alone = message.correlation_data is not None or message.response_topic is not None
        known = self._known.get(key)
        if known and packet == PacketTypes.PUBLISH and not alone:
            return known
        properties = Properties(packet)  # type: ignore[no-untyped-call]
        if message.payload:
            properties.PayloadFormatIndicator = 1  # UTF-8
            properties.ContentType = message.content_type
        if message.expiry_seconds is not None:
            properties.MessageExpiryInterval = message.expiry_seconds
        properties.UserProperty = ("schema_version", str(SCHEMA_VERSION))
        if boot_id is not None:
            properties.UserProperty = ("boot_id", boot_id)
        if message.response_topic is not None:
            properties.ResponseTopic = message.response_topic
        if message.correlation_data is not None:
            properties.CorrelationData = message.correlation_data
        if packet == PacketTypes.PUBLISH and message.payload and not alone:
            self._known[key] = properties
        return properties
