"""What can go wrong between us and a broker: the kinds of failure, and one sentence for each.

Daemon, terminal and ``fanwhy-pub check`` print these same sentences. Each names the broker,
without credentials, and where something can be done about it, what.
"""

from __future__ import annotations

import socket

from publisher.errors import BrokerError
from publisher.mqtt.broker import Endpoint

# MQTT 5 section 3.2.2.2 (values from 128) and MQTT 3.1.1 section 3.2.2.3 (values 1 to 5).
_REFUSALS = {
    1: "it does not speak this version of MQTT",
    2: "it does not accept our client id",
    3: "its server is unavailable",
    4: "wrong user name or password",
    5: "not authorised; check user name and password",
    132: "it does not speak this version of MQTT",
    133: "it does not accept our client id",
    134: "wrong user name or password",
    135: "not authorised; check user name and password",
    136: "its server is unavailable",
    137: "it is busy",
    138: "this client is banned",
    140: "it wants another way of authentication",
    149: "it finds our message too large",
    151: "our quota is exceeded",
    154: "it keeps no retained messages",
    155: "it takes messages of QoS 0 alone",
    159: "too many connections in a short time",
}
_UNSUPPORTED_VERSION = frozenset({1, 132})
_NO_ACCESS = frozenset({2, 4, 5, 133, 134, 135, 138, 140})
_RETAIN_NOT_SUPPORTED = 154  # of our will
_QOS_NOT_SUPPORTED = 155  # likewise

# MQTT 5 section 3.14.2.1, as far as a broker sends them to a client that behaves.
_ENDINGS = {
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
_TAKEN_OVER = 142

KEEPS_NOTHING = (
    "it keeps no retained messages: after a restart Home Assistant knows no states until we have "
    "answered its birth message, seconds later; others wait for the next heartbeat or send refresh"
)
"""Said of a broker whose ``Connection.keeps`` is false."""


class RefusedError(BrokerError):
    """The broker answered and said no: it will say so again for a while."""


class AccessError(RefusedError):
    """The broker does not accept credentials, client id or rights: only a change of them helps."""


class RetainError(RefusedError):
    """The broker keeps no retained messages, and accepts no client with a retained will."""


class TakenOverError(RefusedError):
    """Another client has our id: the broker keeps one of the two."""


class QosError(RefusedError):
    """The broker takes messages of QoS 0 alone, and accepts no client with a will of QoS 1."""


class VersionError(BrokerError):
    """The broker does not speak the version of MQTT that we tried, or hung up on it."""


class HungUpError(VersionError):
    """The connection ended before the broker's answer was complete."""


class CertificateError(BrokerError):
    """The broker's certificate is not trusted: only another one, or another authority, helps."""


def connection_failure(endpoint: Endpoint, error: OSError | UnicodeError) -> BrokerError:
    """The network did not connect us.

    Args:
        endpoint: where the broker should be.
        error: what the operating system says; a ``UnicodeError`` when the name of the host is
            none that could be asked for.
    """
    if type(error).__module__ == "ssl":
        return _tls_failure(endpoint, error)
    if isinstance(error, ConnectionRefusedError):
        return BrokerError(f"{endpoint}: nothing listens there; is the broker running?")
    if isinstance(error, ConnectionResetError):
        return BrokerError(f"{endpoint}: it hung up at once; does this port want TLS, or none?")
    if isinstance(error, TimeoutError):
        return BrokerError(f"{endpoint}: no answer; is the host up and the port open?")
    if isinstance(error, socket.gaierror | UnicodeError):
        return BrokerError(f"{endpoint}: the name {endpoint.host!r} cannot be resolved")
    return BrokerError(f"{endpoint}: {error.strerror or error}")


def _tls_failure(endpoint: Endpoint, error: Exception) -> BrokerError:
    import ssl  # noqa: PLC0415  # it is loaded: the error comes from there

    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(
            f"{endpoint}: its certificate is not trusted ({error.verify_message}); "
            "set broker.ca_file to the authority that signed it"
        )
    reason = error.reason if isinstance(error, ssl.SSLError) else error
    return BrokerError(f"{endpoint}: no TLS there ({reason}); is this port for mqtts?")


def no_websockets(endpoint: Endpoint) -> BrokerError:
    """The handshake of a websocket failed."""
    return BrokerError(f"{endpoint}: it offers no MQTT over websockets; are port and path right?")


def refusal(endpoint: Endpoint, reason_code: int) -> BrokerError:
    """A CONNACK that says no."""
    words = _REFUSALS.get(reason_code, f"it refused the connection (reason code {reason_code})")
    kind: type[BrokerError] = RefusedError
    if reason_code in _UNSUPPORTED_VERSION:
        kind = VersionError
    elif reason_code in _NO_ACCESS:
        kind = AccessError
    elif reason_code == _RETAIN_NOT_SUPPORTED:
        kind = RetainError
    elif reason_code == _QOS_NOT_SUPPORTED:
        kind = QosError
    return kind(f"{endpoint}: {words}")


def no_connack(endpoint: Endpoint) -> BrokerError:
    """A connection that stays open, and silent."""
    return BrokerError(f"{endpoint}: it accepts connections but does not answer")


def hung_up(endpoint: Endpoint) -> BrokerError:
    """A connection that ended before a CONNACK came: some brokers do that to newer versions."""
    return HungUpError(
        f"{endpoint}: it hangs up at once; is it an MQTT broker, and is TLS wanted there "
        "(mqtts://)?"
    )


def no_mqtt(endpoint: Endpoint) -> BrokerError:
    """An answer to our CONNECT that is no packet of this version of MQTT."""
    return VersionError(f"{endpoint}: what answers there is no MQTT broker")


def ended(endpoint: Endpoint, reason_code: int, words: str) -> BrokerError:
    """A DISCONNECT from the broker; ``words`` are for reason codes that it should not send."""
    kind: type[BrokerError] = BrokerError if reason_code in _PASSING else RefusedError
    if reason_code == _TAKEN_OVER:
        kind = TakenOverError
    return kind(f"{endpoint}: it ended the connection: {_ENDINGS.get(reason_code, words)}")


def lost(endpoint: Endpoint) -> BrokerError:
    """A connection that ended without a word."""
    return BrokerError(f"{endpoint}: connection lost")


def garbled(endpoint: Endpoint) -> BrokerError:
    """What came over a connection is no packet of MQTT."""
    return BrokerError(f"{endpoint}: it sent what is no MQTT")


def no_answer(endpoint: Endpoint) -> BrokerError:
    """A PUBACK or PINGRESP that did not come."""
    return BrokerError(f"{endpoint}: it stopped answering")


def ends_over(endpoint: Endpoint, topic: str, size: int) -> str:
    """A message over which the broker ends the connection, again and again."""
    return (
        f"{endpoint}: each time that {topic} is published ({size} bytes) it ends the connection: "
        "that is left out; does it limit the size of messages (message_size_limit of mosquitto)?"
    )


def may_not_subscribe(endpoint: Endpoint, topic: str, reason: str) -> AccessError:
    """A SUBACK that says no."""
    return AccessError(
        f"{endpoint}: it does not let us subscribe to {topic} ({reason}); check its access rules"
    )


def may_not_publish(endpoint: Endpoint, topic: str, reason: str) -> str:
    """A PUBACK that says no."""
    denied = reason == "not authorized"
    look = "access rules" if denied else "limits (message_size_limit of mosquitto)"
    return f"{endpoint}: it does not take what we publish to {topic} ({reason}); check its {look}"
