"""paho-mqtt, loaded without the modules that a plain TCP connection never calls.

Its client imports ``ssl``, ``hashlib``, ``urllib.request``, and PySocks and dnspython where they
are installed: 7 MB of resident memory for TLS, websocket handshakes, proxies and SRV records.
Placeholders stand for them while it is imported; ``complete`` puts the real ones in before a
connection that needs them. We offer neither proxies nor SRV records.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_LATER = ("ssl", "hashlib", "urllib.request")
_NEVER = ("socks", "dns", "dns.resolver")


class _NeverRaisedError(Exception):
    """What paho may name in an ``except`` as long as there is no TLS."""


def _placeholder(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(
        SSLWantReadError=_NeverRaisedError, SSLWantWriteError=type("_", (_NeverRaisedError,), {})
    )
    return module


def _load() -> ModuleType:
    if "paho.mqtt.client" in sys.modules:  # another module has loaded all of it
        return sys.modules["paho.mqtt.client"]
    placed: dict[str, ModuleType | None] = {}
    for name in (*_LATER, *_NEVER):
        if name not in sys.modules:
            placed[name] = _placeholder(name) if name in _LATER else None
    sys.modules.update(placed)  # type: ignore[arg-type]  # None makes the import fail
    try:
        return importlib.import_module("paho.mqtt.client")
    finally:
        for name in placed:
            del sys.modules[name]


_client = _load()


def complete() -> None:
    """Gives paho what TLS and websockets need."""
    for name in ("ssl", "hashlib"):
        setattr(_client, name, importlib.import_module(name))


from paho.mqtt.client import (  # noqa: E402
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    MQTTMessage,
    WebsocketConnectionError,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion  # noqa: E402
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402
from paho.mqtt.reasoncodes import ReasonCode  # noqa: E402
from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: E402

_UNSPECIFIED = 0x80
_strict = ReasonCode.unpack


def _tolerant(code: ReasonCode, buffer: bytes | bytearray) -> int:
    """Takes a reason that has no business in its packet for an unspecified one.

    mosquitto says *packet too large* in a PUBACK (``message_size_limit``). paho would raise over
    it, and the connection be lost with all that was under way.
    """
    try:
        return _strict(code, buffer)
    except (KeyError, ValueError):
        code.value = _UNSPECIFIED if buffer[0] >= _UNSPECIFIED else 0
        return 1


ReasonCode.unpack = _tolerant  # type: ignore[method-assign,assignment]

__all__ = [
    "MQTT_CLEAN_START_FIRST_ONLY",
    "CallbackAPIVersion",
    "Client",
    "MQTTErrorCode",
    "MQTTMessage",
    "MQTTProtocolVersion",
    "PacketTypes",
    "Properties",
    "ReasonCode",
    "SubscribeOptions",
    "WebsocketConnectionError",
    "complete",
]
