"""What ``tail`` prints, and when; times are those of a clock that only the tests move."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from publisher.contract.readings import ExplanationReading
from publisher.errors import BrokerError, ConfigError
from publisher.mqtt.broker import parse_url
from subscriber_cli.client import Connected, Trouble
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.tail import Tail

Say = Callable[..., Received]
Printed = pytest.CaptureFixture[str]
CONNECTED = Connected(parse_url("mqtt://nas"), "5")
NOTHING_LISTENS = Trouble("nas: nothing listens there; is the broker running?", 1.0)
LATER = 10.0  # when all there is to wait for is over


def tail(**more: Any) -> Tail:
    return Tail(Console(file=io.StringIO(), width=200), **more)


def said(tail: Tail, capsys: Printed, *messages: Received) -> list[str]:
    """The lines that are printed for messages once nothing is held back any more."""
    for message in messages:
        tail.take(message, 0.0)
    tail.settle(LATER)
    return capsys.readouterr().out.splitlines()


def test_a_host_is_called_by_its_name_from_the_first_line_on(
    say: Say, catalogue: dict[str, Any], capsys: Printed
) -> None:
    first = tail()
    first.take(say("status", "online"), 0.0)
    first.settle(0.0)
    assert capsys.readouterr().out == ""  # who it is comes with the next message
    lines = said(first, capsys, say("catalogue", {"host": "nas", **catalogue}))
    assert [line.split()[1:3] for line in lines] == [["nas", "status"], ["nas", "catalogue"]]
    (later,) = said(first, capsys, say("status", "offline"))
    assert later.endswith("nas status      offline")


def test_a_host_that_never_says_its_name_goes_by_its_topic(say: Say, capsys: Printed) -> None:
    (line,) = said(tail(), capsys, say("status", "online", prefix="host/garden"))
    assert line.split()[1] == "garden"


def test_lines_wait_for_the_catalogues_after_connecting(
    say: Say, catalogue: dict[str, Any], capsys: Printed
) -> None:
    first = tail()
    first.take(CONNECTED, 5.0)
    assert first.due == pytest.approx(5.3)
    first.take(say("cpu", {"host": "nas", "usage_percent": 3}), 5.1)
    first.settle(5.1)
    assert capsys.readouterr().out == ""

    first.take(say("catalogue", catalogue), 5.2)
    first.settle(5.4)

    assert capsys.readouterr().out.splitlines()[0].endswith("nas cpu         Usage 3.0 %")
    assert first.due is None


def test_what_is_said_again_is_printed_once(
    say: Say, catalogue: dict[str, Any], explanation: ExplanationReading, capsys: Printed
) -> None:
    """A host says everything again when Home Assistant is born, or a reader asks for it."""
    messages = [
        say("status", "online"), say("catalogue", {"host": "nas", **catalogue}),
        say("explanation", explanation), say("event", {"host": "nas", "id": "1", "message": "x"}),
    ]  # fmt: skip
    first = tail()
    assert len(said(first, capsys, *messages, *messages)) == 4
    assert said(first, capsys, *messages) == []
    assert len(said(first, capsys, say("status", "offline"), say("status", "online"))) == 2
    assert len(said(first, capsys, say("explanation", explanation, at=1.8e9 + 1))) == 1


def test_what_never_was_cannot_be_withdrawn(say: Say, capsys: Printed) -> None:
    lines = tail()
    assert said(lines, capsys, say("services", None)) == []
    assert len(said(lines, capsys, say("services", {"units": {}}))) == 1
    (gone,) = said(lines, capsys, say("services", None))
    assert gone.endswith("withdrawn")


def test_a_count_ends_it(say: Say, capsys: Printed) -> None:
    first = tail(count=2)
    messages = [say("cpu", {"usage_percent": usage}) for usage in range(3)]

    assert len(said(first, capsys, *messages)) == 2
    assert first.over(0.0)


def test_so_does_the_time() -> None:
    first = tail(ends=3.0)

    assert first.due == 3.0
    assert not first.over(2.9)
    assert first.over(3.0)
    first.close()


def test_a_broker_that_was_never_reached_is_an_error_in_the_end() -> None:
    first = tail(ends=3.0)
    first.take(NOTHING_LISTENS, 0.0)

    with pytest.raises(BrokerError, match="nothing listens there"):
        first.close()


def test_a_refusal_for_good_ends_it() -> None:
    with pytest.raises(BrokerError, match="wrong password"):
        tail().take(Trouble("wrong password", None), 0.0)


def test_a_broker_that_starts_a_moment_later_is_no_trouble(capsys: Printed) -> None:
    first = tail()
    first.take(NOTHING_LISTENS, 0.0)
    first.settle(2.9)
    first.take(CONNECTED, 2.9)
    first.settle(LATER)
    assert capsys.readouterr().err == ""


def test_a_trouble_that_lasts_is_told_once_and_so_is_its_end(capsys: Printed) -> None:
    first = tail()
    for now in (0.0, 4.0, 8.0):
        first.take(NOTHING_LISTENS, now)
        first.settle(now)
    first.take(CONNECTED, 9.0)
    assert capsys.readouterr().err.splitlines() == [
        (
            "fanwhy-sub: nas: nothing listens there; is the broker running? Trying again until it "
            "works"
        ),
        "fanwhy-sub: mqtt://nas:1883: connected",
    ]


def test_a_message_that_was_skipped_is_said_aside(capsys: Printed) -> None:
    tail().take(Notice("skipped: a message on host/x is not JSON"), 0.0)

    assert capsys.readouterr().err == "fanwhy-sub: skipped: a message on host/x is not JSON\n"


def test_only_what_was_asked_for_is_printed(say: Say, capsys: Printed) -> None:
    messages = (say("cpu", {"host": "nas"}), say("memory", {"host": "nas"}))

    (line,) = said(tail(wanted=("memory",)), capsys, *messages)
    assert line.split()[2] == "memory"


@pytest.mark.parametrize(
    ("name", "hint"), [("gpus", "no host has a topic 'gpus'; did you mean"), ("q", "there are ")]
)
def test_a_name_that_no_host_has_is_answered_once_every_catalogue_must_have_come(
    say: Say, catalogue: dict[str, Any], name: str, hint: str
) -> None:
    first = tail(wanted=(name,))
    first.take(say("gpu", {"host": "nas"}), 0.0)
    first.take(say("catalogue", catalogue), 0.0)
    first.settle(1.9)

    with pytest.raises(ConfigError, match=hint):
        first.settle(2.0)


def test_programs_are_told_everything_as_it_came(say: Say, capsys: Printed) -> None:
    repeated = say("cpu", {"usage_percent": 3, "unknown": [{"a": None}]})

    lines = said(tail(as_json=True), capsys, say("status", "online"), repeated, repeated)

    line = '{"topic":"host/cpu","payload":{"usage_percent":3,"unknown":[{"a":null}]}}'
    assert lines == ['{"topic":"host/status","payload":"online"}', line, line]
