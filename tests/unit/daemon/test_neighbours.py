"""Who else publishes under our prefix: asked before our first word, told and put right after."""

from __future__ import annotations

import json

import pytest

from publisher.contract.messages import Message, Request
from publisher.contract.topics import TopicAddresses
from publisher.daemon.neighbours import Neighbours
from publisher.mqtt.outbox import Outbox

STATE = Message(topic="host/cpu", payload=b"{}", retain=True)
NESTED = b"[" * 200_000


class Stage:
    """A daemon that has just connected and holds back what it has to say."""

    def __init__(self, *, first: bool = True) -> None:
        self.did: list[str] = []
        self.outbox = Outbox()
        self.outbox.put(STATE)
        self.outbox.hold()
        self.neighbours = Neighbours(
            self, self.outbox, of=TopicAddresses("host"), machine_id="ours", run="20", first=first
        )
        self.now = 100.0
        self.neighbours.connected(self.now)

    def prefix_taken(self, name: str) -> None:
        self.did.append(f"taken by {name}")

    def prefix_shared(self, name: str) -> None:
        self.did.append(f"shared with {name}")

    def twin_lives(self, since: str) -> None:
        self.did.append(f"second to one since {since}")

    def twin_came(self) -> None:
        self.did.append("first of two")

    def info(
        self, machine_id: str, host: str = "nas", *, run: str = "20", retain: bool = False
    ) -> None:
        facts = {"machine_id": machine_id, "host": host, "run": run, "started": "2026-11-30"}
        self.hear(json.dumps(facts).encode(), retain=retain)

    def hear(self, payload: bytes, *, retain: bool = True) -> None:
        assert self.neighbours.topic == "host/info"
        request = Request(topic="host/info", payload=payload, retain=retain)
        self.neighbours.take(request, self.now)

    def after(self, seconds: float) -> list[Message]:
        """What may go out after so long."""
        self.now += seconds
        self.neighbours.tick(self.now)
        return self.outbox.take()


def test_where_nobody_speaks_up_the_first_word_is_said_after_a_second() -> None:
    stage = Stage()
    assert stage.neighbours.due == stage.now + 1
    assert stage.after(0.9) == []
    assert stage.after(0.1) == [STATE]
    assert stage.neighbours.due is None


def test_an_earlier_run_of_ours_needs_no_waiting() -> None:
    stage = Stage()
    stage.info("ours")
    assert stage.after(0) == [STATE]


def test_a_machine_that_lives_has_the_prefix() -> None:
    stage = Stage()
    stage.info("theirs", retain=True)
    (question,) = stage.after(0)
    assert (question.topic, question.payload, question.retain) == (
        "host/command",
        b"refresh",
        False,
    )
    stage.info("theirs", retain=True)
    assert stage.did == []
    stage.info("theirs", "b\x1b[2J" + "o" * 1000)
    assert stage.did == ["taken by b\\x1b[2J" + "o" * 75]


def test_whoever_does_not_answer_is_told_and_put_right(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.info("theirs", retain=True)
    assert [one.topic for one in stage.after(1.5)] == ["host/command"]
    assert stage.after(0.5) == [STATE]
    assert stage.did == ["shared with nas"]
    assert "set prefix" in caplog.text


def test_nobody_ends_a_daemon_that_has_begun(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.after(1)
    for number in range(1000):
        stage.info("theirs", f"evil {number % 500}")
        stage.now += 0.1
    assert {did.partition(" ")[0] for did in stage.did} == {"shared"}
    assert len(stage.did) == 2  # once a minute
    assert len(caplog.messages) == 20


def test_a_daemon_that_moved_here_later_is_not_ended_either() -> None:
    stage = Stage(first=False)
    stage.info("theirs", retain=True)
    stage.info("theirs")
    assert STATE in stage.after(2)
    assert stage.did == ["shared with nas"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"3", b"null", b'{"host": "x"}', NESTED])
def test_what_is_no_info_is_nobodys(payload: bytes) -> None:
    stage = Stage()
    stage.hear(payload)
    assert stage.did == []
    assert stage.after(1) == [STATE]


def test_the_second_daemon_of_a_machine_learns_that_it_is_the_second() -> None:
    stage = Stage()
    stage.info("ours", run="1f", retain=True)
    assert stage.after(1) == [STATE]
    assert stage.did == [], "what is retained may be of one that is dead"
    stage.info("ours", run="20")
    assert stage.did == [], "that is our own word"
    stage.info("ours", run="1f")
    assert stage.did == ["second to one since 2026-11-30"]


def test_the_first_says_once_a_minute_that_it_is_there(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.after(1)
    for _ in range(30):
        stage.info("ours", run="21")
        stage.info("ours", run="100")
        stage.now += 3
    assert stage.did == ["first of two"] * 2
    assert "is told to end" in caplog.text


def test_after_its_first_minute_no_daemon_ends_for_what_somebody_publishes() -> None:
    stage = Stage()
    stage.after(60)
    stage.info("ours", run="1")
    assert stage.did == []


@pytest.mark.parametrize("run", [None, 3, [], {}])
def test_a_run_of_another_shape_ends_nothing(run: object) -> None:
    stage = Stage()
    stage.hear(json.dumps({"machine_id": "ours", "host": "nas", "run": run}).encode(), retain=False)
    assert not any(did.startswith("second") for did in stage.did) or run is not None
