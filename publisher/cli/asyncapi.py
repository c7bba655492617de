"""The AsyncAPI 3.0 document: topics, how they are sent, and what is in them.

Source: AsyncAPI specification 3.0.0 and its MQTT bindings 0.2.0.
"""

from __future__ import annotations

from typing import Any

from publisher import __version__
from publisher.contract.model import json_schema
from publisher.contract.topics import Topic, readings_of
from publisher.daemon.settings import Settings
from publisher.mqtt.broker import DEFAULT_URL, parse_url
from publisher.subsystems.registry import documented_topics

_JSON = "application/json"


def asyncapi(settings: Settings) -> dict[str, Any]:
    """The document for the topics of this host, on its broker."""
    rows = documented_topics()
    schema = json_schema(readings_of(rows))
    definitions = schema.pop("$defs", {})
    payloads = {leaf: _moved(node) for leaf, node in schema["properties"].items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "fanwhy",
            "version": __version__,
            "description": "Why this machine's fan runs: who did it, since when, and is it over.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": _JSON,
        "servers": {"broker": _server(settings)},
        "channels": {leaf: _channel(settings, leaf) for leaf in rows},
        "operations": {leaf: _operation(row) for leaf, row in rows.items()},
        "components": {
            "messages": {leaf: _message(row, payloads.get(leaf)) for leaf, row in rows.items()},
            "schemas": {name: _moved(node) for name, node in definitions.items()},
        },
    }


def _server(settings: Settings) -> dict[str, Any]:
    endpoint = parse_url(settings.broker.url or DEFAULT_URL)
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


def _operation(row: Topic) -> dict[str, Any]:
    """What the daemon, or a companion of it, does on a topic."""
    return {
        "action": "receive" if row.received else "send",
        "channel": {"$ref": f"#/channels/{row.leaf}"},
        "bindings": {
            "mqtt": {"qos": row.qos, "retain": row.retained, "bindingVersion": "0.2.0"},
        },
    }


def _message(row: Topic, payload: Any) -> dict[str, Any]:
    if payload is not None:
        return {"name": row.leaf, "payload": payload}
    message: dict[str, Any] = {"name": row.leaf, "description": row.doc}
    if row.content_type != _JSON:
        message["contentType"] = row.content_type
    if row.words:
        message["payload"] = {"type": "string", "enum": list(row.words)}
    else:
        message["payload"] = {"type": "object" if row.content_type == _JSON else "string"}
    return message


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
