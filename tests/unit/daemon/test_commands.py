"""What others may send: commands are obeyed, neighbours noticed, and nothing ends the daemon."""

from __future__ import annotations

import pytest

from publisher.contract.messages import Request
from publisher.contract.topics import TopicAddresses
from publisher.daemon.commands import CommandHandler
from publisher.daemon.neighbours import Neighbours
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.mqtt.outbox import Outbox
from publisher.subsystems.registry import all_topics

NESTED = b"[" * 200_000


class Owner:
    def __init__(self) -> None:
        self.did: list[object] = []

    def refresh(self) -> None:
        self.did.append("refresh")

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        self.did.append((topic, correlation_data))

    def prefix_taken(self, name: str) -> None:
        self.did.append(f"taken: {name}")

    def prefix_shared(self, name: str) -> None:
        self.did.append(f"shared: {name}")

    def twin_lives(self, since: str) -> None: ...

    def twin_came(self) -> None: ...


class Stage:
    def __init__(self) -> None:
        self.owner = Owner()
        self.now = 1000.0
        self.outbox = Outbox()
        topics = TopicAddresses("host/nas")
        neighbours = Neighbours(
            self.owner, self.outbox, of=topics, machine_id="ours", run="1", first=True
        )
        self.commands = CommandHandler(
            self.owner,
            of=topics,
            neighbours=neighbours,
            homeassistant=HomeAssistantSettings(
                discovery_prefix="discovery", status_topic="home/status"
            ),
            leaves=all_topics().keys(),
            announce=self._announce,
            clock=lambda: self.now,
        )

    def _announce(self, request: Request) -> bool:
        if request.payload == b"broken":
            raise ZeroDivisionError
        return request.topic.startswith("discovery/")

    def take(self, topic: str, payload: bytes, **more: object) -> list[object]:
        self.owner.did.clear()
        self.commands.take(Request(topic=topic, payload=payload, **more))  # type: ignore[arg-type]
        return list(self.owner.did)

    def command(self, word: bytes, **more: object) -> list[object]:
        return self.take("host/nas/command", word, **more)

    def ask(self, topic: str | None) -> list[object]:
        return self.command(b"why", response_topic=topic, correlation_data=b"7")


def test_the_commands() -> None:
    stage = Stage()
    assert stage.command(b" refresh\n") == ["refresh"]
    assert stage.command(b"refresh", retain=True) == []
    assert stage.ask("answers/me") == [("answers/me", b"7")]
    assert stage.ask(None) == []
    assert stage.command(b"\xff" * 100_000) == []


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "$SYS/broker",
        "host/nas/status",
        "host/nas/cpu",
        "host/nas/picture",
        "host/other/explanation",
        "host/other/disk",
        "host/other/event",
        "host/other/command",
        "cpu",
        "discovery/device/x/config",
        "home/status",
    ],
)
def test_an_answer_forges_nothing_that_others_live_by(topic: str) -> None:
    assert Stage().ask(topic) == []


@pytest.mark.parametrize(
    "topic", ["/" * 300, "a/" * 40, "x" * 65_000, "a\x01b", "a\ufffe", "a\0", "a/#", "a/+/b"]
)
def test_an_answer_goes_to_no_topic_that_brokers_hang_up_over(topic: str) -> None:
    assert Stage().ask(topic) == []


def test_a_refresh_too_soon_is_done_once_and_later() -> None:
    stage = Stage()
    assert stage.command(b"refresh") == ["refresh"]
    for _ in range(100):
        assert stage.command(b"refresh") == []
    assert stage.commands.due == stage.now + 5
    stage.commands.tick(stage.now + 4.9)
    assert stage.owner.did == []
    stage.commands.tick(stage.now + 5)
    assert stage.owner.did == ["refresh"]
    assert stage.commands.due is None


def test_no_more_is_answered_than_a_person_would_ask(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    assert sum(len(stage.ask("answers/me")) for _ in range(1000)) == 20
    assert len(caplog.messages) == 1
    stage.now += 10
    assert len(stage.ask("answers/me")) == 1


def test_unknown_commands_are_told_once_each_and_not_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    for number in range(1000):
        stage.command(b"\x1b[2J")
        stage.command(b"%d" % number)
    assert caplog.messages[0] == "unknown command \\x1b[2J; known are refresh and why"
    assert caplog.messages[-1] == "more such messages are passed over in silence"
    assert len(caplog.messages) == 101


def test_what_cannot_be_handled_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    for _ in range(3):
        assert stage.take("discovery/\x1b[2J", b"broken") == []
    assert caplog.messages == [
        "ZeroDivisionError over a message on discovery/\\x1b[2J: it is passed over"
    ]
    for number in range(1000):
        stage.take(f"discovery/{number}", b"broken")
    assert len(caplog.messages) <= 101
