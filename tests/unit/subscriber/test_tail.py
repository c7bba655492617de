from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from publisher.mqtt.broker import parse_url
from subscriber_cli.client import Connected, Trouble
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.tail import Tail, json_line, line
from subscriber_cli.terminal_settings import TerminalSettings

Say = Callable[..., Received]


@pytest.mark.parametrize(
    ("leaf", "content", "text"),
    [
        ("cpu", {"usage_percent": 4.25, "top": [{"label": "xz"}]}, "Usage 4.2 % · top: xz"),
        ("thermal", {"fans": {"a": {"speed_rpm": 900}}}, "a 900 rpm"),
        ("explanation", {"state": "hot", "headline": "Hot"}, "HOT Hot"),
        ("info", {"machine_id": "1", "kernel": "Linux 6"}, "Kernel Linux 6"),
        ("overview", {"cpu_usage_percent": 3}, "cpu usage percent 3"),
        ("battery", {"level_percent": 81}, "Level percent 81"),
        ("status", "offline", "offline"),
        ("cpu", None, "withdrawn"),
        ("event", {"event": "cause_began", "message": "Borg began"}, "Borg began"),
        ("event", {"event": "began", "label": "\x1b[31m"}, "Event began · Label \\x1b[31m"),
    ],
)  # fmt: skip
def test_a_message_is_one_line(
    *, fleet: Fleet, say: Say, now: float, leaf: str, content: Any, text: str
) -> None:
    message = say(leaf, content)
    host = fleet.apply(message, now)

    shown = line(message, host, now).plain
    assert shown.endswith(text)
    assert f" nas {leaf}" in shown
    assert shown.isprintable()


def test_the_catalogue_names_what_it_describes(fleet: Fleet, say: Say, now: float) -> None:
    (host,) = fleet

    shown = line(say("catalogue", {}), host, now).plain
    assert shown.endswith("describes cpu, thermal, explanation, info")


def tail(**more: Any) -> Tail:
    console = Console(file=io.StringIO(), width=200)
    return Tail(TerminalSettings(), console, **more)


def said(tail: Tail, capsys: pytest.CaptureFixture[str], *messages: Received) -> list[str]:
    """The lines that are printed for messages, once all there is to wait for is over."""
    for message in messages:
        tail._receive(message)
    tail._hold_until = 0.0 if tail._hold_until is not None else None
    tail._release()
    return capsys.readouterr().out.splitlines()


def test_a_host_is_called_by_its_name_from_the_first_line_on(
    say: Say, catalogue: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tail()
    first._receive(say("status", "online"))
    first._release()
    assert capsys.readouterr().out == ""  # who it is comes with the next message
    lines = said(first, capsys, say("catalogue", {"host": "nas", **catalogue}))
    assert [line.split()[1:3] for line in lines] == [["nas", "status"], ["nas", "catalogue"]]
    (later,) = said(first, capsys, say("status", "offline"))
    assert later.endswith("nas status      offline")


def test_who_never_says_its_name_goes_by_its_topic(
    say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = said(tail(), capsys, say("status", "online", prefix="host/garden"))
    assert line.split()[1] == "garden"


def test_what_is_said_again_is_printed_once(
    say: Say, catalogue: Any, explanation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host says everything again when Home Assistant is born, or somebody asks for it."""
    messages = [
        say("status", "online"), say("catalogue", {"host": "nas", **catalogue}),
        say("explanation", explanation), say("event", {"host": "nas", "id": "1", "message": "x"}),
    ]  # fmt: skip
    first = tail()
    assert len(said(first, capsys, *messages, *messages)) == 4
    assert said(first, capsys, *messages) == []
    assert len(said(first, capsys, say("status", "offline"), say("status", "online"))) == 2
    assert len(said(first, capsys, say("explanation", explanation, at=1.8e9 + 1))) == 1


def test_a_broker_that_starts_a_moment_later_is_no_trouble(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = tail()
    first._take(Trouble("nas: nothing listens there; is the broker running?", 1.0))
    first._complain()
    first._take(Connected(parse_url("mqtt://nas"), "MQTT 5"))
    first._complain()
    assert capsys.readouterr().err == ""


def test_a_trouble_that_lasts_is_told_once_and_so_is_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = tail()
    for _ in range(2):
        first._take(Trouble("nas: nothing listens there; is the broker running?", 1.0))
        first._complain_at = first._complain_at and 0.0
        first._complain()
    first._take(Connected(parse_url("mqtt://nas"), "MQTT 5"))
    assert capsys.readouterr().err.splitlines() == [
        (
            "fanwhy-sub: nas: nothing listens there; is the broker running? Trying again until it "
            "works"
        ),
        "fanwhy-sub: mqtt://nas:1883: connected",
    ]


def test_programs_are_told_everything(say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(tail(as_json=True), capsys, say("status", "online"), say("status", "online"))
    assert len(lines) == 2


def test_raw_lines_are_json_and_harmless() -> None:
    payload = {"name": "caf\u00e9 \u202e\x9b31m\ue000\U000e0001", "n": 1}
    text = json_line(Received("host", "x", payload))

    assert text.isprintable()
    assert "café" in text
    assert json.loads(text) == {"topic": "host/x", "payload": payload}
