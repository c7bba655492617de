from __future__ import annotations

from collections.abc import Callable
from typing import Any

from publisher.contract.payload import rfc3339
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.ledger import ledger

Say = Callable[..., Received]


def host_of(fleet: Fleet) -> KnownHost:
    (host,) = fleet
    return host


def test_the_lists_of_all_topics_are_one_table(fleet: Fleet, say: Say, now: float) -> None:
    top = [{"label": "make -j8", "written_bytes_per_second": 5}, {"label": "rsync", "x_watts": 2}]
    fleet.apply(say("tape", {"top": top}), now)

    table = ledger(host_of(fleet))
    rows = {row.name: row for row in table.rows}
    assert set(rows) == {"make -j8", "restic", "rsync"}
    assert rows["make -j8"].number("cpu_percent") == 640.0
    assert rows["make -j8"].number("written_bytes_per_second") == 5
    assert {"cpu_percent", "x_watts"} <= {column.name for column in table.columns}


def test_the_newest_value_of_a_column_counts(fleet: Fleet, say: Say, now: float) -> None:
    for at, percent in ((now + 2, 70.0), (now + 1, 50.0)):
        top = [{"label": "make -j8", "cpu_percent": percent}]
        fleet.apply(say(f"at{percent:.0f}", {"time": rfc3339(at), "top": top}), now)

    (row,) = (row for row in ledger(host_of(fleet)).rows if row.name == "make -j8")
    assert row.number("cpu_percent") == 70.0


def test_two_of_one_name_are_told_apart_by_their_process(
    fleet: Fleet, say: Say, now: float
) -> None:
    top: list[dict[str, Any]] = [
        {"label": "python", "group": "python", "cpu_percent": 30, "pid": pid} for pid in (7, 8)
    ]
    fleet.apply(say("gpu", {"top": top}), now)

    rows = [row for row in ledger(host_of(fleet)).rows if row.name == "python"]
    assert len(rows) == 2
    assert len({row.key for row in rows}) == 2


def test_a_list_without_amounts_is_no_ledger(fleet: Fleet, say: Say, now: float) -> None:
    fleet.apply(say("doors", {"list": [{"label": "front", "pid": 3, "open": True}]}), now)

    assert "front" not in {row.name for row in ledger(host_of(fleet)).rows}


def test_rows_have_a_bound(fleet: Fleet, say: Say, now: float) -> None:
    for number in range(5):
        top = [{"label": f"{number}.{index}", "cpu_percent": 1} for index in range(900)]
        fleet.apply(say(f"t{number}", {"top": top}), now)

    assert len(ledger(host_of(fleet)).rows) == 1000
