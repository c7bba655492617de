"""Events survive: a broker that is away, a daemon that is killed, a disk that is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.events.journal import LIMIT, Journal
from publisher.events.outbox import Outbox
from publisher.schema.message import Message


def event(key: str) -> Message:
    return Message(topic="host/event", payload=f'{{"id":"{key}"}}'.encode(), qos=1, key=key)


def keys(messages: list[Message]) -> list[str | None]:
    return [message.key for message in messages]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events"


def test_what_was_not_confirmed_is_there_after_a_crash_in_order(path: Path) -> None:
    journal = Journal(str(path))
    for key in "abc":
        journal.append(event(key))
    journal.confirm("b")
    # no close: the process was killed
    again = Journal(str(path))
    assert again.waiting() == [event("a"), event("c")]


def test_the_file_is_empty_when_nothing_waits(path: Path) -> None:
    journal = Journal(str(path))
    for key in "ab":
        journal.append(event(key))
    journal.confirm("a")
    journal.confirm("b")
    assert path.read_bytes() == b""
    assert Journal(str(path)).waiting() == []


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_cut_short_by_a_crash_is_passed_over(path: Path, cut: int) -> None:
    journal = Journal(str(path))
    journal.append(event("a"))
    journal.append(event("b"))
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert keys(Journal(str(path)).waiting())[0] == "a"
    assert len(Journal(str(path)).waiting()) == 1


def test_garbage_in_the_file_is_passed_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"+ x\n\xff\xfe\n+ k not!base64 e30=\n- unknown\n")
    assert Journal(str(path)).waiting() == []


def test_events_wait_in_memory_where_no_file_can_be_written(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    journal = Journal(str(blocker / "events"))
    journal.append(event("a"))
    assert keys(journal.waiting()) == ["a"]
    journal.confirm("a")
    assert journal.waiting() == []


def test_the_number_of_waiting_events_is_bounded(path: Path) -> None:
    journal = Journal(None)
    for number in range(LIMIT + 5):
        journal.append(event(str(number)))
    assert len(journal.waiting()) == LIMIT
    assert journal.waiting()[0].key == "5"


def test_an_unconfirmed_event_is_sent_again_after_a_reconnect_and_a_confirmed_one_is_not() -> None:
    outbox = Outbox()
    outbox.put(event("a"))
    outbox.put(event("b"))
    assert keys(outbox.take()) == ["a", "b"]
    outbox.confirmed(event("a"))
    outbox.renew()
    assert keys(outbox.take()) == ["b"]
    outbox.confirmed(event("b"))
    outbox.renew()
    assert outbox.take() == []


def test_events_of_an_earlier_life_go_out_first(path: Path) -> None:
    Journal(str(path)).append(event("old"))
    outbox = Outbox(Journal(str(path)))
    outbox.put(event("new"))
    assert keys(outbox.take()) == ["old", "new"]
