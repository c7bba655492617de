"""The AsyncAPI 3.0 document: topics, how they are sent, and what is in them.

Source: AsyncAPI specification 3.0.0 and its MQTT bindings 0.2.0.
"""

from __future__ import annotations

from typing import Any

from publisher import __version__
from publisher.cli.contract import contents
from publisher.contract import topics
from publisher.contract.model import json_schema
from publisher.daemon.settings import Settings
from publisher.mqtt.broker import parse_url

_LOCAL = "mqtt://localhost"
_FIRM = frozenset({topics.INFO, topics.EXPLANATION, topics.EVENT, topics.CATALOGUE, topics.STATUS})
_MOMENTARY = frozenset({topics.EVENT, topics.COMMAND})
_WORDS: dict[str, tuple[str, list[str]]] = {
    topics.STATUS: (
        "Whether the daemon is there; the broker says offline when it dies.",
        [topics.ONLINE.decode(), topics.OFFLINE.decode()],
    ),
    topics.COMMAND: (
        "Publish everything anew; or answer with the verdict on the response topic (MQTT 5).",
        ["refresh", "why"],
    ),
}


def asyncapi(settings: Settings) -> dict[str, Any]:
    """The document for the topics of this host, on its broker."""
    schema = json_schema(contents())
    definitions = schema.pop("$defs", {})
    payloads = {leaf: _moved(node) for leaf, node in schema["properties"].items()}
    leaves = [*payloads, topics.CATALOGUE, topics.STATUS, topics.COMMAND]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fanwhy",
            "version": __version__,
            "description": "Why this machine's fan runs: who did it, since when, and is it over.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server(settings)},
        "channels": {leaf: _channel(settings, leaf) for leaf in leaves},
        "operations": {leaf: _operation(leaf) for leaf in leaves},
        "components": {
            "messages": {leaf: _message(leaf, payloads) for leaf in leaves},
            "schemas": {name: _moved(node) for name, node in definitions.items()},
        },
    }


def _server(settings: Settings) -> dict[str, Any]:
    endpoint = parse_url(settings.broker.url or _LOCAL)
    scheme = str(endpoint).split("://", 1)[0]
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    server = {
        "host": f"{host}:{endpoint.port}",
        "protocol": {"mqtt": "mqtt", "mqtts": "secure-mqtt"}.get(scheme, scheme),
        "protocolVersion": "5" if settings.broker.protocol == "auto" else settings.broker.protocol,
        "description": "MQTT 5, or 3.1.1 where the broker does not speak it.",
    }
    return server | ({"pathname": endpoint.websocket_path} if endpoint.websocket_path else {})


def _channel(settings: Settings, leaf: str) -> dict[str, Any]:
    return {
        "address": settings.topics.of(leaf),
        "messages": {leaf: {"$ref": f"#/components/messages/{leaf}"}},
    }


def _operation(leaf: str) -> dict[str, Any]:
    """What the daemon does on a topic."""
    return {
        "action": "receive" if leaf == topics.COMMAND else "send",
        "channel": {"$ref": f"#/channels/{leaf}"},
        "bindings": {
            "mqtt": {
                "qos": 1 if leaf in _FIRM or leaf == topics.COMMAND else 0,
                "retain": leaf not in _MOMENTARY,
                "bindingVersion": "0.2.0",
            }
        },
    }


def _message(leaf: str, payloads: dict[str, Any]) -> dict[str, Any]:
    if leaf in _WORDS:
        description, words = _WORDS[leaf]
        return {
            "name": leaf,
            "description": description,
            "contentType": "text/plain",
            "payload": {"type": "string", "enum": words},
        }
    if leaf == topics.CATALOGUE:
        return {
            "name": leaf,
            "description": "The JSON Schema of every reading that this daemon publishes.",
            "payload": {"type": "object"},
        }
    return {"name": leaf, "payload": payloads[leaf]}


def _moved(node: Any) -> Any:
    """References to ``$defs`` turned to where AsyncAPI keeps schemas."""
    if isinstance(node, list):
        return [_moved(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value.replace("#/$defs/", "#/components/schemas/")
        if key == "$ref" and isinstance(value, str)
        else _moved(value)
        for key, value in node.items()
    }
