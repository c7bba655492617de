"""Whatever a name is made of, it harms nobody: every text of every payload, of Home Assistant's
documents and of the terminal, with the same twenty names."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from every_page import every_page
from rich.console import Console

from publisher.contract.metric import Kind, Reading, fields_of, is_list
from publisher.contract.payload import Envelope, encode, to_json
from publisher.contract.readings import InfoReading
from publisher.contract.topics import TopicAddresses
from publisher.homeassistant.discovery import Discovery, Host
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.ledger.naming.words import LABEL_LIMIT, clean
from publisher.mqtt.broker import parse_url
from publisher.subsystems.registry import documented_topics
from subscriber_cli.client import Connected
from subscriber_cli.model.decode import Received, Scope, decode
from subscriber_cli.model.view import View
from subscriber_cli.tail import Tail

EVIL = {
    "newline": "a\nFAKE line",
    "carriage return": "a\r\x1b[1A",
    "colours": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "one byte escapes": "\x9b2J\x90x\x9c",
    "turned around": "gpj.\u202eexe",
    "isolates": "\u2066a\u2069\u200f",
    "NUL": "a\0b",
    "4 kB": "x" * 4096,
    "4 kB of bells": "\x07" * 4096,
    "no UTF-8": b"\xff\xfe\xc3\x28".decode("utf-8", "surrogateescape"),
    "half a surrogate": "\ud83d",
    "script": "</script><script>alert(1)</script>",
    "jndi": "${jndi:ldap://x/a}",
    "emoji": "\U0001f525\U0001f468\u200d\U0001f469",
    "zero width": "a\u200bb\ufeffc",
    "slashes": "../../etc/passwd",
    "wildcards": "+/#/$SYS",
    "formula": "=cmd|'/c calc'!A1",
    "option": "--help",
    "JSON": '"}],"a":{"b":[',
    "template": "{{ states('x') }}{% raw %}",
    "markup": "[bold red]x[/] [link=file:///]",
    "quotes": "'\"`\\",
    "separators": "a\u2028b\u2029c\x85d",
    "nothing": "",
    "blank": " \t ",
}
"""Names that somebody has tried on some program."""
_LONGEST = 1000


def full(cls: type[Reading], name: str) -> Reading:
    """A reading in which every text, and the name of every device, is this one."""
    values: dict[str, object] = {}
    for field in fields_of(cls):
        metric = field.metric
        if metric.kind is Kind.INSTANCES and metric.of:
            values[field.name] = {name: full(metric.of, name)}
        elif metric.kind is Kind.RECORDS and metric.of:
            values[field.name] = (full(metric.of, name),)
        elif metric.kind is Kind.GROUP and metric.of:
            values[field.name] = full(metric.of, name)
        elif metric.kind in (Kind.TEXT, Kind.CHOICE, Kind.TIMESTAMP):
            values[field.name] = name
        else:
            values[field.name] = [1] if is_list(field.type) else 1
    return cls(**values)


def texts(node: Any) -> Iterator[str]:
    """Every text in a document, the names of its fields included."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts(value)


def harmless(lines: Iterator[str] | list[str], longest: int = _LONGEST) -> list[str]:
    """Those that somebody could be harmed by."""
    return [line for line in lines if not line.isprintable() or len(line) > longest]


ROWS = {leaf: row for leaf, row in documented_topics().items() if row.reading is not None}


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_every_text_of_every_payload(name: str) -> None:
    for row in ROWS.values():
        assert row.reading
        body = encode(Envelope(name).wrap(to_json(full(row.reading, name)), 0.0))

        assert harmless(list(texts(json.loads(body)))) == []


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_every_text_of_every_document_for_home_assistant(name: str) -> None:
    readings = {leaf: full(row.reading, name) for leaf, row in ROWS.items() if row.reading}
    found = Discovery(
        Host(name, "0123456789abcdef", InfoReading(cpu_model=name, operating_system=name)),
        TopicAddresses.for_host("host/{hostname}", name),
        [replace(row) for row in ROWS.values()],
        HomeAssistantSettings(),
        expire_seconds=lambda _: 900,
    )
    for topic, document in found.documents(found.entities(readings)).items():
        assert harmless([topic]) == []
        assert not set("+#") & set(topic)
        # A template is as long as what it looks for: each letter may be written as ten.
        assert harmless(list(texts(json.loads(encode(document)))), longest=5000) == []


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_every_line_on_a_terminal(name: str) -> None:
    """From a daemon that lets everything through, or somebody who is none."""
    view = View(place="mqtt://broker")
    output = io.StringIO()
    tail = Tail(Console(file=io.StringIO(), width=200))
    tail.take(Connected(parse_url("mqtt://nas"), "5"), 0.0)
    level = name.replace("/", "-").encode("utf-8", "replace").decode() or "x"
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        for prefix in ("host", f"host/{level}"):
            for leaf, row in ROWS.items():
                assert row.reading
                body = json.dumps(raw(full(row.reading, name)) | {"host": name, name: name})
                found = decode(Scope("host"), f"{prefix}/{leaf}", body.encode(), retained=True)
                if isinstance(found, Received):
                    view.fleet.apply(found, 0.0)
                    view.journal.apply(found, 0.0)
                    tail.take(found, 0.0)
                    assert harmless([found.json_line()], longest=1 << 20) == []
        for width, height in ((120, 200), (40, 24)):
            lines = [line.plain for line in every_page(view, width, height, 1.0)]
            assert harmless(lines, longest=width) == []
        tail.settle(10.0)
    # A line has a few values, each of which is cut.
    assert harmless(output.getvalue().split("\n"), longest=12 * 2000) == []


def raw(reading: Reading) -> dict[str, Any]:
    """A reading as somebody would put it who cleans nothing."""
    body: dict[str, Any] = {}
    for field in fields_of(type(reading)):
        value = getattr(reading, field.name)
        if field.metric.kind is Kind.INSTANCES:
            value = {name: raw(item) for name, item in value.items()}
        elif field.metric.kind is Kind.RECORDS:
            value = [raw(item) for item in value]
        elif field.metric.kind is Kind.GROUP:
            value = raw(value)
        body[field.name] = value
    return body


@pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)
def test_every_name_of_the_ledger(name: str) -> None:
    assert harmless([clean(name)], longest=LABEL_LIMIT) == []
