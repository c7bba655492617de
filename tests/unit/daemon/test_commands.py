"""What others may send: commands are obeyed, neighbours noticed, and nothing ends the daemon."""

from __future__ import annotations

import json

import pytest

from publisher.contract.messages import Request
from publisher.contract.topics import TopicAddresses
from publisher.daemon.commands import CommandHandler
from publisher.homeassistant.discovery import HomeAssistantSettings
from publisher.subsystems.registry import all_topics

NESTED = b"[" * 200_000


class Owner:
    def __init__(self) -> None:
        self.did: list[object] = []

    def refresh(self) -> None:
        self.did.append("refresh")

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        self.did.append((topic, correlation_data))

    def prefix_is_ours(self) -> None:
        self.did.append("alone")

    def prefix_taken(self, name: str) -> None:
        self.did.append(f"not alone: {name}")


class Stage:
    def __init__(self) -> None:
        self.owner = Owner()
        self.commands = CommandHandler(
            self.owner,
            of=TopicAddresses("host/nas"),
            machine_id="ours",
            homeassistant=HomeAssistantSettings(
                discovery_prefix="discovery", status_topic="home/status"
            ),
            leaves=all_topics().keys(),
            announce=self._announce,
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


def test_a_neighbour_is_told_from_an_earlier_run() -> None:
    stage = Stage()

    def info(**facts: object) -> list[object]:
        return stage.take("host/nas/info", json.dumps(facts).encode(), retain=True)

    assert info(machine_id="ours", host="nas") == ["alone"]
    assert info(machine_id="theirs", host="b\x1b[2J" + "o" * 1000) == [
        "not alone: b\\x1b[2J" + "o" * 75
    ]
    assert info(host="nas") == []


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"3", b"null", NESTED])
def test_what_is_no_info_is_nobodys(payload: bytes) -> None:
    assert Stage().take("host/nas/info", payload, retain=True) == []


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
