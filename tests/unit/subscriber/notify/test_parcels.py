"""What waits for one target in as few messages as it can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.subscriber.notify.stage import NOON

from subscriber_cli.notify.incidents import Told
from subscriber_cli.notify.parcels import parcel
from subscriber_cli.notify.store import MOST_WAITING, Store, Waiting


def waiting(number: int, kind: str = Told.RAISED, incident: str = "", **more: object) -> Waiting:
    fields = {"title": f"thing {number}", "body": "because", **more}
    return Waiting(
        target="phone", at=NOON, kind=kind, incident=incident, id=number, **fields  # type: ignore[arg-type]
    )  # fmt: skip


def test_one_thing_is_told_as_it_is() -> None:
    made = parcel([waiting(1)], NOON)
    assert (made.ids, made.title, made.body, made.kind) == ((1,), "thing 1", "because", "warning")


def test_several_are_told_together() -> None:
    made = parcel([waiting(1), waiting(2, Told.OVER)], NOON)
    assert made.ids == (1, 2)
    assert made.title == "fanwhy: 2 things"
    assert made.body == "• 12:00 thing 1\n  because\n• 12:00 thing 2\n  because"


def test_what_began_and_is_over_meanwhile_is_told_as_one() -> None:
    things = [
        waiting(1, incident="a"), waiting(2, incident="b"),
        waiting(3, Told.OVER, incident="a", title="Over: a"),
        waiting(4, incident="a"), waiting(5, Told.OVER, incident="a", title="Over: a again"),
    ]  # fmt: skip
    made = parcel(things, NOON)
    assert sorted(made.ids) == [1, 2, 3, 4, 5]
    assert [line for line in made.body.splitlines() if line.startswith("•")] == [
        "• 12:00 thing 2", "• 12:00 Over: a", "• 12:00 Over: a again",
    ]  # fmt: skip


def test_a_hundred_things_are_a_few_messages_and_each_is_in_one() -> None:
    left = [
        waiting(number, title=f"Disk sd{number:03} of the machine fails") for number in range(100)
    ]
    told, count = [], 0
    while left:
        made = parcel(left, NOON)
        assert len(made.body.encode()) <= 3500
        told += [number for number in range(100) if f"sd{number:03}" in made.body]
        left = [each for each in left if each.id not in made.ids]
        count += 1
    assert told == list(range(100))
    assert count == 2


@pytest.mark.parametrize("size", [10, 100_000])
def test_however_long_a_thing_is_it_is_told(size: int) -> None:
    made = parcel([waiting(1, title="ä" * size), waiting(2)], NOON)
    assert made.ids[0] == 1


def test_what_was_given_up_is_said() -> None:
    assert parcel([waiting(1)], NOON, dropped=7).body == "because\n7 earlier ones are left out."


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ([(Told.RAISED, True)], "failure"),
        ([(Told.RAISED, False), (Told.OVER, False)], "warning"),
        ([(Told.OVER, False)], "success"),
        ([("news", False)], "info"),
    ],
)
def test_it_looks_as_grave_as_the_gravest(kinds: list[tuple[str, bool]], kind: str) -> None:
    things = [waiting(number, each, urgent=urgent) for number, (each, urgent) in enumerate(kinds)]
    assert parcel(things, NOON).kind == kind


def test_where_there_is_no_room_the_oldest_that_is_not_urgent_is_given_up(tmp_path: Path) -> None:
    store = Store(tmp_path / "notify.sqlite")
    with store.writing():
        for number in range(MOST_WAITING + 5):
            store.put(
                Waiting(target="phone", at=NOON, title=str(number), body="", urgent=number < 3)
            )
    kept = [each.title for each in store.waiting("phone")]
    assert len(kept) == MOST_WAITING
    assert kept[:4] == ["0", "1", "2", "8"]
    assert store.targets()["phone"].dropped == 5
    with store.writing():
        store.sent("phone", [each.id for each in store.waiting("phone")], NOON)
    assert store.targets()["phone"].dropped == 0
    store.close()


def test_what_is_older_than_a_week_or_for_nobody_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "notify.sqlite")
    with store.writing():
        store.put(Waiting(target="phone", at=NOON - 8 * 86400, title="old", body=""))
        store.put(Waiting(target="phone", at=NOON, title="new", body=""))
        store.put(Waiting(target="sold", at=NOON, title="new", body=""))
        store.keep_house(NOON, ["phone"])
    assert [each.title for each in store.waiting("phone")] == ["new"]
    assert store.counts() == {"phone": 1}
    store.close()


def test_what_is_not_whole_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "notify.sqlite")

    def half() -> None:
        with store.writing():
            store.take_event("host/nas", "run-1", NOON)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    with store.writing():
        assert store.take_event("host/nas", "run-1", NOON)
        assert not store.take_event("host/nas", "run-1", NOON)
    assert (tmp_path / "notify.sqlite").stat().st_mode & 0o077 == 0
    store.close()
