"""Events survive: a broker that is away, a daemon that is killed, a disk that is full."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from publisher.contract.messages import Message
from publisher.mqtt.journal import LIMIT, Journal
from publisher.mqtt.outbox import Outbox


def event(key: str) -> Message:
    return Message(topic="host/event", payload=f'{{"id":"{key}"}}'.encode(), qos=1, key=key)


def keys(messages: list[Message]) -> list[str | None]:
    return [message.key for message in messages]


def written(journal: Journal) -> Journal:
    """As a daemon that is killed a moment later leaves it: not closed."""
    assert journal.flush(10)
    return journal


def kept(path: Path) -> list[str | None]:
    """The events that another life would find there; the file is left alone."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    found = keys(Journal(str(copy)).waiting())
    copy.unlink()
    return found


@contextmanager
def full_disk(path: Path, room: int = 0) -> Iterator[None]:
    """No file grows beyond the size of this one, and some bytes; the kernel says so half way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events"


def test_what_was_not_confirmed_is_there_after_a_crash_in_order(path: Path) -> None:
    journal = Journal(str(path))
    for key in "abc":
        journal.append(event(key))
    journal.confirm("b")
    written(journal)
    again = Journal(str(path))
    assert again.waiting() == [event("a"), event("c")]


def test_the_file_is_empty_when_nothing_waits(path: Path) -> None:
    journal = Journal(str(path))
    for key in "ab":
        journal.append(event(key))
    journal.confirm("a")
    journal.confirm("b")
    written(journal)
    assert path.read_bytes() == b""
    assert Journal(str(path)).waiting() == []


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_cut_short_by_a_crash_is_passed_over(path: Path, cut: int) -> None:
    journal = Journal(str(path))
    journal.append(event("a"))
    journal.append(event("b"))
    written(journal)
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
    old = Journal(str(path))
    old.append(event("old"))
    old.close()
    outbox = Outbox(Journal(str(path)))
    outbox.put(event("new"))
    assert keys(outbox.take()) == ["old", "new"]


def test_a_full_disk_costs_nothing_once_it_has_room_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(str(path))
    journal.append(event("one"))
    before = path.read_bytes() if journal.flush(10) else b""
    for room in (0, 20):  # none at all, and for half a line
        with full_disk(path, room):
            journal.append(event(f"two-{room}"))
            written(journal)
            assert path.read_bytes() == before
    journal.confirm("one")
    written(journal)
    assert kept(path) == ["two-0", "two-20"]
    assert len(caplog.messages) == 1
    assert "File too large" in caplog.messages[0]
    journal.append(event("three"))
    journal.close()
    assert kept(path) == ["two-0", "two-20", "three"]
    assert [file.name for file in path.parent.iterdir()] == ["events"]


def test_what_is_confirmed_on_a_full_disk_does_not_wait_again(path: Path) -> None:
    journal = Journal(str(path))
    journal.append(event("one"))
    written(journal)
    with full_disk(path):
        journal.append(event("two"))
        written(journal)
        for key in ("one", "two"):
            journal.confirm(key)
        written(journal)
        assert kept(path) == []


def test_a_disk_that_is_full_at_the_start_keeps_what_was_there(path: Path) -> None:
    Journal(str(path)).close()
    path.write_bytes(b"+ a aG9zdC9ldmVudA== e30=\n")
    with full_disk(path, -10):
        journal = Journal(str(path))
        assert path.read_bytes() == b"+ a aG9zdC9ldmVudA== e30=\n"
    journal.append(event("b"))
    written(journal)
    assert kept(path) == ["a", "b"]


def test_the_file_stays_short_while_the_broker_is_away(path: Path) -> None:
    journal = Journal(str(path), sync=lambda _: None)
    for number in range(3 * LIMIT):
        journal.append(event(str(number)))
    written(journal)
    assert LIMIT <= path.read_bytes().count(b"\n") <= 2 * LIMIT
    assert kept(path) == keys(journal.waiting())


def test_nobody_waits_for_a_disk_that_is_slow(path: Path) -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        begun.set()
        assert may_go_on.wait(20)

    journal = Journal(str(path), sync=sync)
    outbox = Outbox(journal)
    outbox.put(event("a"))
    assert begun.wait(10)
    outbox.put(event("b"))
    assert keys(outbox.take()) == ["a", "b"]
    outbox.confirmed(event("a"))
    assert not may_go_on.is_set()  # until here nothing had to wait for it
    may_go_on.set()
    written(journal)
    assert kept(path) == ["b"]


def test_where_no_thread_can_be_had_the_next_event_tries_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    journal = Journal(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        journal.append(event("a"))
        journal.append(event("b"))
    assert len(caplog.messages) == 1
    journal.append(event("c"))
    written(journal)
    assert kept(path) == ["a", "b", "c"]


def test_where_no_thread_can_be_had_to_the_end_all_is_written_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    journal = Journal(str(path))
    journal.append(event("a"))
    journal.close()
    assert kept(path) == ["a"]


def test_a_folder_that_is_taken_away_is_made_anew_with_all_that_waits(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(str(path))
    journal.append(event("a"))
    written(journal)
    path.unlink()
    path.parent.rmdir()
    journal.append(event("b"))
    written(journal)
    assert kept(path) == ["a", "b"]
    journal.confirm("a")
    journal.append(event("c"))
    written(journal)
    assert kept(path) == ["b", "c"]
    assert caplog.text.count("taken away") == 1
