from __future__ import annotations

from collections.abc import Callable

from subscriber_cli.model.budget import JOURNAL_ENTRIES
from subscriber_cli.model.decode import Received
from subscriber_cli.model.journal import Entry, Journal

Say = Callable[..., Received]


def kept(journal: Journal) -> list[str]:
    return [entry.message for entry in journal.of("host")]


def test_an_event_is_kept_once_however_often_it_comes(say: Say, now: float) -> None:
    journal = Journal()
    for number in (1, 2, 1):
        journal.apply(say("event", {"id": f"e{number}", "message": f"event {number}"}), now)
    for _ in range(2):  # nobody said that these are the same
        journal.apply(say("event", {"message": "no id"}), now)

    assert kept(journal) == ["event 1", "event 2", "no id", "no id"]


def test_a_change_of_state_is_called_by_the_state(say: Say, now: float) -> None:
    journal = Journal()
    content = {"event": "state_changed", "state": "hot", "message": "Hot", "severity": "warning"}
    journal.apply(say("event", content | {"time": "2027-01-15T08:00:00Z"}), now)

    assert list(journal.of("host")) == [Entry("host", 1_800_000_000.0, "hot", "warning", "Hot")]


def test_the_oldest_are_forgotten_and_the_longest_cut(say: Say, now: float) -> None:
    journal = Journal()
    for number in range(JOURNAL_ENTRIES + 5):
        journal.apply(say("event", {"id": str(number), "message": f"{number} " + "x" * 5000}), now)

    assert len(kept(journal)) == JOURNAL_ENTRIES
    assert kept(journal)[0].startswith("5 ")
    assert max(map(len, kept(journal))) < 500


def test_what_is_no_event_is_not_kept(say: Say, now: float) -> None:
    journal = Journal()
    for leaf, content in (("cpu", {"message": "x"}), ("event", None), ("event", {"id": "1"})):
        journal.apply(say(leaf, content), now)

    assert kept(journal) == []
