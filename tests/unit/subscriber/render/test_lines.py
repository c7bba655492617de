"""Every kind of message as one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.render.lines import message_line

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

    shown = message_line(message, host, now).plain
    assert shown.endswith(text)
    assert f" nas {leaf}" in shown
    assert shown.isprintable()


def test_the_catalogue_names_what_it_describes(fleet: Fleet, say: Say, now: float) -> None:
    (host,) = fleet

    shown = message_line(say("catalogue", {}), host, now).plain
    assert shown.endswith("describes cpu, thermal, explanation, info")


def test_a_message_of_no_known_host_is_shown_by_its_prefix(say: Say, now: float) -> None:
    shown = message_line(say("cpu", {"usage_percent": 3}, prefix="host/pi"), None, now).plain

    assert shown.endswith(" host/pi cpu         Usage percent 3")
