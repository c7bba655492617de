from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import ConfigError
from subscriber_cli.model.decode import LARGEST, Notice, OnlineStatus, Received, Scope, decode

SCOPE = Scope("host")


@pytest.mark.parametrize(
    ("prefix", "topic", "place"),
    [
        ("host", "host/cpu", ("host", "cpu")),
        ("host", "host/nas/cpu", ("host/nas", "cpu")),
        ("host", "host/nas/rack/cpu", None),
        ("host", "ghost/cpu", None),
        ("host", "host", None),
        ("host", "host/", None),
        ("host", "host/command", None),
        ("host", "host/nas/command", None),
        ("host", "host/reply/client", None),
        ("host/{hostname}", "host/nas/cpu", ("host/nas", "cpu")),
        ("host/{hostname}", "host/cpu", ("host", "cpu")),
        ("host/nas", "host/nas/cpu", ("host/nas", "cpu")),
        ("host/nas", "host/pi/cpu", None),
        ("site/{hostname}/why", "site/nas/why/cpu", ("site/nas/why", "cpu")),
        ("site/{hostname}/why", "site/nas/other/cpu", None),
        ("site/rack-{hostname}", "site/rack-nas/cpu", ("site/rack-nas", "cpu")),
        ("{hostname}/why", "nas/why/cpu", ("nas/why", "cpu")),
        ("{hostname}/why", "nas/weather/cpu", None),
    ],
)
def test_topics_of_hosts_are_told_from_others(
    prefix: str, topic: str, place: tuple[str, str] | None
) -> None:
    assert Scope(prefix).split(topic) == place


@pytest.mark.parametrize(
    ("prefix", "topics"),
    [
        ("host", "host/#"),
        ("host/{hostname}", "host/#"),
        ("site/rack-{hostname}", "site/#"),
        ("{hostname}/why", "#"),
    ],
)
def test_the_filter_lets_every_host_in(prefix: str, topics: str) -> None:
    assert Scope(prefix).filter == topics


@pytest.mark.parametrize(
    ("prefix", "filters"),
    [
        ("host", ["host/event", "host/+/event"]),
        ("host/{hostname}", ["host/event", "host/+/event"]),
        ("site/{hostname}/why", ["site/event", "site/+/event", "site/+/why/event"]),
        ("{hostname}/why", ["+/event", "+/why/event"]),
    ],
)
def test_events_of_every_host_have_filters_of_their_own(prefix: str, filters: list[str]) -> None:
    assert Scope(prefix).events == filters


@pytest.mark.parametrize("prefix", ["", "a//b", "a/#", "$SYS"])
def test_a_prefix_that_no_daemon_would_take_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError):
        Scope(prefix)


def test_an_object_is_received() -> None:
    assert decode(SCOPE, "host/cpu", b'{"a": 1}', retained=True) == Received(
        "host", "cpu", {"a": 1}, retained=True
    )


def test_a_status_is_a_word() -> None:
    assert decode(SCOPE, "host/status", b"offline", retained=False) == Received(
        "host", "status", OnlineStatus.OFFLINE
    )


def test_an_empty_message_withdraws() -> None:
    message = decode(SCOPE, "host/cpu", b"", retained=False)

    assert message == Received("host", "cpu", None)
    assert isinstance(message, Received)
    assert message.withdrawn


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ({"time": "1970-01-01T00:00:10.500Z"}, 10.5),
        ({"time": 10}, None),
        ({}, None),
        (OnlineStatus.ONLINE, None),
        (None, None),
    ],
)
def test_a_message_may_say_when_it_was_made(content: Any, at: float | None) -> None:
    assert Received("host", "cpu", content).made_at == at


@pytest.mark.parametrize(
    ("topic", "payload", "what"),
    [
        ("host/cpu", b'{"a": 1', "is not JSON"),
        ("host/cpu", b'{"a": "\xff"}', "is not UTF-8"),
        ("host/cpu", b"[1]", "not an object"),
        ("host/cpu", b"null", "not an object"),
        ("host/cpu", b"9" * 5000, "is not JSON"),
        ("host/cpu", b'{"a":' * 100_000, "is not JSON"),
        ("host/cpu", b" " * (LARGEST + 1), "more than 1 MiB"),
        ("host/status", b"alive", "neither online nor offline"),
        ("host/\x1b[2Jx", b"x", "is not JSON"),
    ],
)
def test_unusable_messages_get_one_harmless_line(topic: str, payload: bytes, what: str) -> None:
    notice = decode(SCOPE, topic, payload, retained=False)

    assert isinstance(notice, Notice)
    assert what in notice.text
    assert notice.text.isprintable()


@given(st.text(max_size=30), st.binary(max_size=200))
def test_nothing_trips_it(topic: str, payload: bytes) -> None:
    decode(SCOPE, f"host/{topic}", payload, retained=False)


def test_raw_lines_are_json_and_harmless() -> None:
    payload = {"name": "caf\u00e9 \u202e\x9b31m\ue000\U000e0001", "n": 1}
    text = Received("host", "x", payload).json_line()

    assert text.isprintable()
    assert "café" in text
    assert json.loads(text) == {"topic": "host/x", "payload": payload}


@pytest.mark.parametrize(("content", "payload"), [(OnlineStatus.ONLINE, "online"), (None, None)])
def test_what_is_no_object_is_a_word_or_null(content: OnlineStatus | None, payload: Any) -> None:
    line = Received("host", "status", content).json_line()

    assert json.loads(line) == {"topic": "host/status", "payload": payload}
