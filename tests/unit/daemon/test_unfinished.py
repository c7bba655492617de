"""What a killed daemon has left open is told to have ended, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from publisher.contract.readings import EventReading, HostState
from publisher.daemon.unfinished import Unfinished

BEGAN = EventReading(
    id="r-1", event="cause_began", message="Borg backup began", category="backup",
    label="Borg backup", resource="cpu", began="2026-11-30T01:00:00.000Z", state=HostState.BUSY,
)  # fmt: skip
ENDED = EventReading(
    id="r-2", event="cause_ended", message="Borg backup ended", category="backup",
    label="Borg backup", resource="cpu", began="2026-11-30T01:00:00.000Z",
)  # fmt: skip
RAISED = EventReading(
    id="r-3", event="alert_raised", message="The disk sda is failing", alert="disk_failing",
    label="sda", severity="critical",
)  # fmt: skip
BUSY = EventReading(
    id="r-4", event="state_changed", state=HostState.BUSY, previous_state=HostState.QUIET
)


def next_start(folder: Path) -> Unfinished:
    return Unfinished(str(folder))


def test_what_was_open_ends_unwatched(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BEGAN, RAISED])
    cause, alert = next_start(tmp_path).left()
    assert (cause.event, cause.label, cause.began) == ("cause_ended", BEGAN.label, BEGAN.began)
    assert cause.message == "Borg backup: no longer watched"
    assert (alert.event, alert.alert, alert.severity) == ("alert_cleared", RAISED.alert, "info")
    assert alert.message == "No longer watched: The disk sda is failing"
    assert cause.unwatched
    assert alert.unwatched


def test_what_has_ended_is_not_told_again(tmp_path: Path) -> None:
    first = Unfinished(str(tmp_path))
    first.note([BEGAN])
    first.note([ENDED])
    assert next_start(tmp_path).left() == []


def test_two_that_read_alike_and_began_together_both_end(tmp_path: Path) -> None:
    first = Unfinished(str(tmp_path))
    twin = replace(BEGAN, id="r-9")
    first.note([BEGAN, twin])
    assert [event.id for event in next_start(tmp_path).left()] == ["r-1-end", "r-9-end"]
    first.note([ENDED])
    assert [event.id for event in next_start(tmp_path).left()] == ["r-9-end"]
    first.note([replace(ENDED, id="r-10"), RAISED, replace(RAISED, id="r-11")])
    assert [event.id for event in next_start(tmp_path).left()] == ["r-11-end"]


def test_a_start_that_is_killed_too_says_the_same_words(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BEGAN])
    once, again = next_start(tmp_path).left(), next_start(tmp_path).left()
    assert once == again
    assert once[0].id == "r-1-end"


def test_once_told_it_is_over(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BEGAN, BUSY])
    second = next_start(tmp_path)
    second.note(second.left())
    assert second.left() == []
    second.note([BUSY])
    assert next_start(tmp_path).left() == []


def test_the_state_is_put_right_once(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BUSY])
    second = next_start(tmp_path)
    (told,) = second.state_now(HostState.QUIET)
    assert (told.event, told.state, told.previous_state) == ("state_changed", "quiet", "busy")
    assert told.id == "r-4-end"
    assert second.state_now(HostState.QUIET) == []
    second.note([told])
    assert next_start(tmp_path).state_now(HostState.QUIET) == []


def test_a_state_that_is_told_anyway_is_not_told_twice(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BUSY])
    assert next_start(tmp_path).state_now(HostState.BUSY) == []
    second = next_start(tmp_path)
    second.note([BUSY])
    assert second.state_now(HostState.QUIET) == []


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"version":1}', '{"version":1,"state":3,"open":[3]}', "[" * 100_000,
     '{"version":1,"state":"busy","state_id":"","open":[{"event":"cause_began","id":{}}, {}]}'],
)  # fmt: skip
def test_a_spoilt_file_ends_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "open.json").write_text(content)
    unfinished = next_start(tmp_path)
    unfinished.left()
    unfinished.state_now(HostState.QUIET)


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    unfinished = Unfinished(str(tmp_path / "file" / "below"))
    unfinished.note([BEGAN])
    unfinished.note([ENDED])
    assert len(caplog.messages) == 1


def test_who_is_killed_right_after_he_told_it_ends_it(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).expect([BEGAN, BUSY])
    second = next_start(tmp_path)
    assert [event.id for event in second.left()] == ["r-1-end"]
    assert [event.id for event in second.state_now(HostState.QUIET)] == ["r-4-end"]


def test_what_ends_stays_open_until_the_end_is_kept(tmp_path: Path) -> None:
    first = Unfinished(str(tmp_path))
    first.note([BEGAN, BUSY])
    calm = replace(BUSY, id="r-5", state=HostState.QUIET, previous_state=HostState.BUSY)
    first.expect([ENDED, calm])
    assert [event.id for event in next_start(tmp_path).left()] == ["r-1-end"]
    first.note([ENDED, calm])
    assert next_start(tmp_path).left() == []
    assert next_start(tmp_path).state_now(HostState.QUIET) == []


def test_what_only_begins_is_written_once(tmp_path: Path) -> None:
    first = Unfinished(str(tmp_path))
    first.expect([BEGAN])
    before = (tmp_path / "open.json").stat().st_ino
    first.note([BEGAN])
    assert (tmp_path / "open.json").stat().st_ino == before


def test_a_state_that_is_not_put_right_yet_is_not_forgotten(tmp_path: Path) -> None:
    Unfinished(str(tmp_path)).note([BUSY])
    next_start(tmp_path).expect([BEGAN])
    assert [event.id for event in next_start(tmp_path).state_now(HostState.QUIET)] == ["r-4-end"]
