from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from subscriber_cli.decode import Received
from subscriber_cli.fleet import Fleet
from subscriber_cli.tail import json_line, line

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


def test_raw_lines_are_json_and_harmless() -> None:
    payload = {"name": "caf\u00e9 \u202e\x9b31m\ue000\U000e0001", "n": 1}
    text = json_line(Received("host", "x", payload))

    assert text.isprintable()
    assert "café" in text
    assert json.loads(text) == {"topic": "host/x", "payload": payload}
