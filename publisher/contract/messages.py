"""One MQTT message on its way out, as the session gets it, and one request on its way in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to publish.

    Attributes:
        expiry_seconds: the broker forgets a retained message after this (MQTT 5 section
            3.3.2.3.3); ``None`` keeps it for ever.
        response_topic: where the answer to a request is wanted (MQTT 5 section 4.10).
        correlation_data: goes with a request and its answer (MQTT 5 section 4.10).
        key: names an event that must not be lost; it waits until the broker confirms it.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    expiry_seconds: int | None = None
    content_type: str = "application/json"
    response_topic: str | None = None
    correlation_data: bytes | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the broker is told once a message is safe with us.

    Attributes:
        connection: the one over which it came; over another the number means another message.
        packet_id: of the message (MQTT 5 section 2.2.1).
    """

    connection: int
    packet_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message received.

    Attributes:
        response_topic: where the asker wants the answer; ``None`` when it did not say.
        receipt: what is owed to the broker, where the client acknowledges by itself.
    """

    topic: str
    payload: bytes
    retain: bool = False
    response_topic: str | None = None
    correlation_data: bytes | None = None
    receipt: Receipt | None = None
