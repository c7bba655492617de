"""What others send waits for the main thread, and no more of it than memory is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from publisher.contract.messages import Message, Request
from publisher.contract.readings import InfoReading
from publisher.daemon import presence as presence_module
from publisher.daemon.launch import Launch
from publisher.daemon.presence import Presence
from publisher.daemon.settings import Settings
from publisher.mqtt.journal import Journal

MOST = 256


class Owner:
    """Counts what it is asked to do."""

    def __init__(self) -> None:
        self.refreshes = 0

    def refresh(self) -> None:
        self.refreshes += 1

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None: ...

    def prefix_taken(self, name: str) -> None: ...

    def prefix_shared(self, name: str) -> None: ...

    def twin_lives(self, since: str) -> None: ...

    def twin_came(self) -> None: ...

    def broker_state(self, *, connected: bool, words: str) -> None: ...


class Line:
    """Stands for the session: what arrives is handed in by ``say``."""

    def __init__(self, *_: object, on_request: Callable[[Request], None], **__: object) -> None:
        self.say = on_request
        self.connected = True

    def start(self) -> bool:
        return True

    def wake(self) -> None: ...

    def stop(self, farewell: list[Message], timeout: float) -> None: ...


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Line, list[Callable[[], None]]]]:
    lines: list[Line] = []

    def line(*args: Any, **kwargs: Any) -> Line:
        lines.append(Line(*args, **kwargs))
        return lines[-1]

    monkeypatch.setattr(presence_module, "Session", line)
    monkeypatch.setattr(presence_module, "find_or_start", lambda _: None)
    calls: list[Callable[[], None]] = []
    made = Presence(
        Launch(settings=Settings(), catalogue=b"{}", identity=InfoReading()),
        Journal(None),
        Owner(),
        call=calls.append,
        boot_id="1",
    )
    made.open(will=Message(topic="host/status", payload=b"{}"))
    yield lines[0], calls
    made.close([])


def request() -> Request:
    return Request(topic="host/else", payload=b"{}")


def test_no_more_waits_than_memory_is_for(
    heard: tuple[Line, list[Callable[[], None]]],
) -> None:
    line, calls = heard
    for _ in range(MOST + 100):
        line.say(request())
    assert len(calls) == MOST


def test_after_a_flood_it_listens_as_before(
    heard: tuple[Line, list[Callable[[], None]]],
) -> None:
    line, calls = heard
    for _ in range(3):
        for _ in range(MOST + 100):
            line.say(request())
        assert len(calls) == MOST
        while calls:
            calls.pop()()
