"""The addresses for programs: an OpenAPI document, and the same as a page for people."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from publisher import __version__
from subscriber_cli.web.table import Address, Parameter

_HOST: Final = Parameter(
    "host", "A name, the last level of a prefix, or an id of /api/hosts.", "nas"
)
_LEAF: Final = Parameter("topic", "Any topic that the host has said, such as cpu.", "cpu")
_WORD: Final = re.compile(r"\w+")
_IN_PATH: Final = {"{host}": _HOST, "{topic}": _LEAF}


def document(addresses: Iterable[Address]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for address in addresses:
        if address.what:
            paths.setdefault(address.path, {})[address.method.lower()] = _operation(address)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fanwhy",
            "version": __version__,
            "description": "Why a machine is busy, hot or loud. What stands in the answer for a "
            "topic is described in docs/topics.md and in the retained host/catalogue.",
        },
        "servers": [{"url": ".."}],
        "security": [{"token": []}, {"session": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "fanwhy"},
            },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "description": "RFC 9457.",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                    },
                }
            },
            "responses": {"Problem": {"description": "It cannot be answered.", "content": problem}},
        },
    }


def page(addresses: Iterable[Address]) -> str:
    """The same for people, as the inner part of a page."""
    return "".join(_section(address) for address in addresses if address.what)


def _operation(address: Address) -> dict[str, Any]:
    in_path = [_IN_PATH[word] for word in _IN_PATH if word in address.path]
    schema: dict[str, Any] = {}
    if address.media_type == "application/json":
        schema = {"schema": {"type": "object"}}
    return {
        "summary": address.what,
        "operationId": "_".join([address.method.lower(), *_WORD.findall(address.path)]),
        "parameters": [
            *(_parameter(each, "path") for each in in_path),
            *(_parameter(each, "query") for each in address.parameters),
        ],
        "responses": {
            "200": {"description": "What was asked for.", "content": {address.media_type: schema}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _parameter(told: Parameter, place: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if told.options:
        schema["enum"] = list(told.options)
    found: dict[str, Any] = {
        "name": told.name,
        "in": place,
        "description": told.what,
        "required": told.needed or place == "path",
        "schema": schema,
    }
    if told.example:
        found["example"] = told.example
    return found


def _section(address: Address) -> str:
    path = html.escape(address.path)
    rows = "".join(_row(each) for each in address.parameters)
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    what = html.escape(address.what)
    return f"<section><h2><code>{address.method} {path}</code></h2><p>{what}</p>{table}</section>"


def _row(told: Parameter) -> str:
    return f"<tr>{''.join(_cells(told))}</tr>"


def _cells(told: Parameter) -> Iterator[str]:
    yield f'<th scope="row"><code>{html.escape(told.name)}</code></th>'
    options = f" One of {', '.join(told.options)}." if told.options else ""
    yield f"<td>{html.escape(told.what + options)}</td>"
    yield f"<td><code>{html.escape(told.example)}</code></td>"
