"""Messages in, answers out: what is kept of them, and that nothing is kept twice."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive_parties import STATES, event, timeline

from publisher.contract.payload import rfc3339, to_json
from publisher.contract.readings import EventReading
from publisher.contract.timeline import PastCauseReading, SeriesReading, TimelineReading
from subscriber_cli.archive.reader import Archive
from subscriber_cli.archive.schema import ArchiveError
from subscriber_cli.archive.writer import Writer
from subscriber_cli.model.decode import Received

Put = Callable[..., None]
Ask = Callable[[], Archive]


def values(archive: Archive, name: str, begin: float, end: float) -> list[tuple[float, float]]:
    (host,) = archive.hosts()
    topic, _, path = name.partition("/")
    series = archive.find(host, topic, path)
    assert series is not None, [each.name for each in archive.series(host)]
    return [(row.begin, row.mean) for row in archive.values(host, series, begin, end)]


def test_every_value_that_the_catalogue_declares_is_kept(
    put: Put, ask: Ask, cpu: Callable[[float], Any], now: float
) -> None:
    put("cpu", cpu(10.0))
    put("cpu", cpu(20.0), at=now + 5)

    archive = ask()
    assert values(archive, "cpu/usage_percent", now - 60, now + 60) == [
        (now, 10.0),
        (now + 5, 20.0),
    ]
    (host,) = archive.hosts()
    series = archive.find(host, "cpu", "usage_percent")
    assert (host.name, series and series.title, series and series.unit) == ("nas", "Usage", "%")


def test_devices_rankings_and_lists_have_names(
    put: Put, ask: Ask, fleet_contents: dict[str, Any], now: float
) -> None:
    for leaf, content in fleet_contents.items():
        put(leaf, content)

    archive = ask()
    (host,) = archive.hosts()
    names = {series.name for series in archive.series(host)}
    assert "thermal/fans/nct6798/CPU fan/speed_rpm" in names
    assert "thermal/fans/nct6798/CPU fan/fault" in names
    assert "cpu/per_core_percent/3" in names
    assert "cpu/top/make -j8/cpu_percent" in names
    assert "explanation/evidence/fan_speed_rpm" in names
    assert "explanation/state" in names
    assert not any("pid" in name for name in names)


def test_a_subsystem_that_nobody_has_heard_of_is_kept(put: Put, ask: Ask, now: float) -> None:
    put(
        "doorbell",
        {"host": "nas", "time": rfc3339(now), "supply_volts": 3.0, "bells": {"a": {"rings": 2}}},
    )

    archive = ask()
    assert values(archive, "doorbell/supply_volts", now - 1, now + 1)[0][1] == 3.0
    assert values(archive, "doorbell/bells/a/rings", now - 1, now + 1)[0][1] == 2.0


def test_words_are_kept_where_they_are_states(
    put: Put, ask: Ask, explanation: Any, now: float
) -> None:
    put("explanation", explanation)

    archive = ask()
    (found,) = values(archive, "explanation/state", now - 1, now + 1)
    assert archive.words()[found[1]] == "busy"


def test_a_catalogue_that_comes_late_gives_titles_and_units(
    *, writer: Writer, say: Callable[..., Received], catalogue: dict[str, Any], ask: Ask,
    cpu: Callable[[float], Any], now: float,
) -> None:  # fmt: skip
    writer.write([(say("cpu", cpu(1.0)), now)], now)
    writer.write([(say("catalogue", {"host": "nas", **catalogue}), now)], now)
    writer.write([(say("cpu", cpu(2.0), at=now + 1), now + 1)], now + 1)

    archive = ask()
    (host,) = archive.hosts()
    (series,) = archive.series(host)
    assert (series.title, series.unit) == ("Usage", "%")


def test_a_value_that_stays_is_not_written_again_and_again(
    put: Put, writer: Writer, cpu: Callable[[float], Any], now: float
) -> None:
    for second in range(100):
        put("cpu", cpu(10.0), at=now + second)

    assert writer.counts.values == 1


def test_what_is_not_told_any_more_is_not_known(
    put: Put, ask: Ask, cpu: Callable[[float], Any], now: float
) -> None:
    put("cpu", cpu(10.0))
    put("cpu", dataclasses.replace(cpu(0.0), usage_percent=None), at=now + 10)

    (row,) = values(ask(), "cpu/usage_percent", now - 1, now + 60)
    assert row == (now, 10.0)


def test_a_host_that_is_offline_has_no_values(
    put: Put, ask: Ask, cpu: Callable[[float], Any], now: float
) -> None:
    put("cpu", cpu(10.0))
    put("status", "offline", at=now + 30)

    archive = ask()
    (host,) = archive.hosts()
    series = archive.find(host, "cpu", "usage_percent")
    assert series
    (row,) = archive.values(host, series, now, now + 600)
    assert row.end == now + 30


def test_an_event_is_kept_once(put: Put, ask: Ask, writer: Writer, now: float) -> None:
    for _ in range(3):
        put("event", event("a-1", now))
    put("event", event("a-2", now))

    archive = ask()
    (host,) = archive.hosts()
    assert [each.body["id"] for each in archive.events(host, 0, now + 1)] == ["a-1", "a-2"]
    assert (writer.counts.events, writer.counts.repeated) == (2, 2)


def test_an_event_without_an_id_is_kept_once_too(put: Put, ask: Ask, now: float) -> None:
    for _ in range(2):
        put("event", EventReading(event="cause_began", message="It began"))

    archive = ask()
    (host,) = archive.hosts()
    assert [each.message for each in archive.events(host, 0, now + 1)] == ["It began"]


def test_a_late_event_keeps_its_time(put: Put, ask: Ask, now: float) -> None:
    put("event", event("a-1", now), came=now + 5 * 3600)

    archive = ask()
    (host,) = archive.hosts()
    assert archive.events(host, 0, now + 86400)[0].at == now


def test_a_clock_that_is_wrong_is_not_believed(
    put: Put, ask: Ask, cpu: Callable[[float], Any], now: float
) -> None:
    put("cpu", cpu(10.0), at=now + 1e9, came=now)
    put("cpu", cpu(20.0), at=1000.0, came=now + 10)
    put("event", event("a-1", 1e10), at=1e10, came=now)

    archive = ask()
    (host,) = archive.hosts()
    assert [at for at, _ in values(archive, "cpu/usage_percent", 0, now + 60)] == [now, now + 10]
    assert archive.events(host, 0, 1e12)[0].at == now


def test_spans_are_told_again_and_again_and_kept_once(put: Put, ask: Ask, now: float) -> None:
    put("timeline", timeline(now, causes=[("restic", now - 100, None)]))
    put("timeline", timeline(now + 60, causes=[("restic", now - 100, now + 50)]), at=now + 60)

    archive = ask()
    (host,) = archive.hosts()
    told = archive.timeline(host, now - 3600, now + 3600)
    assert [(cause.label, cause.ended) for cause in told.causes] == [("restic", rfc3339(now + 50))]
    assert len(told.states) == len(STATES)


def test_what_is_not_told_of_any_more_is_over(put: Put, ask: Ask, now: float) -> None:
    put("timeline", timeline(now, causes=[("restic", now - 100, None)]))
    put("timeline", timeline(now + 600), at=now + 600)

    archive = ask()
    (host,) = archive.hosts()
    (cause,) = archive.timeline(host, now - 3600, now + 3600).causes
    assert (cause.ended, cause.unwatched) == (rfc3339(now), True)


def test_a_cause_that_had_no_room_is_known_by_its_event(put: Put, ask: Ask, now: float) -> None:
    ended = event("a-1", now, event="cause_ended", label="Borg (borg)", resource="cpu",
                  began=rfc3339(now - 30), duration_seconds=20.0, energy_joules=500.0)  # fmt: skip
    put("event", ended)
    put("event", ended)

    archive = ask()
    (host,) = archive.hosts()
    (cause,) = archive.timeline(host, now - 3600, now + 3600).causes
    assert (cause.label, cause.began, cause.ended) == (
        "Borg (borg)", rfc3339(now - 30), rfc3339(now - 10),
    )  # fmt: skip

    # The host's memory tells it better, some turns of it as one.
    better = timeline(now + 60, causes=[("Borg", now - 30, now - 5, "borg")])
    put("timeline", better, at=now + 60)
    (cause,) = archive.timeline(host, now - 3600, now + 3600).causes
    assert (cause.label, cause.ended) == ("Borg", rfc3339(now - 5))


def test_an_event_adds_nothing_to_a_span_that_is_told(put: Put, ask: Ask, now: float) -> None:
    put("timeline", timeline(now, causes=[("Borg", now - 30, now - 5, "borg")]))
    put("event", event("a-1", now, event="cause_ended", label="Borg (borg)", resource="cpu",
                       began=rfc3339(now - 30), duration_seconds=20.0))  # fmt: skip

    archive = ask()
    (host,) = archive.hosts()
    assert len(archive.timeline(host, now - 3600, now + 3600).causes) == 1


def test_a_time_in_which_nothing_was_heard_is_marked_and_filled_in(
    *, put: Put, ask: Ask, writer: Writer, cpu: Callable[[float], Any], now: float
) -> None:
    put("cpu", cpu(10.0))
    assert writer.resume(now + 900, "recorder") == 900
    archive = ask()
    (host,) = archive.hosts()
    told = archive.timeline(host, now - 3600, now + 3600)
    assert [(gap.reason, gap.began, gap.ended) for gap in told.gaps] == [
        ("not_recorded", rfc3339(now), rfc3339(now + 900))
    ]
    assert archive.filled(host, now, now + 3600) == []

    series = SeriesReading(began=rfc3339(now - 300), step_seconds=300, cpu_percent=[1, 2, 3, 4])
    put("timeline", timeline(now + 901, series=(series,)), at=now + 901)
    told = archive.timeline(host, now - 3600, now + 3600)
    assert told.gaps == ()
    assert archive.filled(host, now, now + 3600) == [(now, now + 900)]
    assert [each for run in told.series for each in run.cpu_percent or ()][:5] == [1] * 5
    # What was measured before does not stand for what nobody heard.
    found = archive.find(host, "cpu", "usage_percent")
    assert found
    assert archive.values(host, found, now, now + 800) == []


def test_a_memory_that_does_not_reach_back_leaves_a_gap(
    put: Put, ask: Ask, writer: Writer, now: float
) -> None:
    put("timeline", timeline(now))
    writer.resume(now + 900, "recorder")
    young = dataclasses.replace(timeline(now + 901), since=rfc3339(now + 600))
    put("timeline", young, at=now + 901)

    archive = ask()
    (host,) = archive.hosts()
    (gap,) = archive.timeline(host, now - 3600, now + 3600).gaps
    assert (gap.began, gap.ended) == (rfc3339(now), rfc3339(now + 600))


def test_a_batch_is_written_as_a_whole_or_not_at_all(
    *, path: Path, put: Put, ask: Ask, say: Callable[..., Received],
    cpu: Callable[[float], Any], now: float,
) -> None:  # fmt: skip
    put("cpu", cpu(1.0))
    writer = Writer(path, 1 << 30, busy_seconds=0.05)
    batch = [(say("cpu", cpu(2.0), at=now + 1), now + 1), (say("event", event("a-1", now)), now)]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ArchiveError, match="another program holds it"):
        writer.write(batch, now + 1)
    other.execute("ROLLBACK")
    assert len(values(ask(), "cpu/usage_percent", now, now + 60)) == 1

    writer.write(batch, now + 1)
    assert len(values(ask(), "cpu/usage_percent", now, now + 60)) == 2
    assert writer.counts.events == 1
    writer.close()
    other.close()


def test_a_new_writer_goes_on_where_the_last_one_ended(
    *, path: Path, put: Put, writer: Writer, ask: Ask, say: Callable[..., Received], now: float
) -> None:
    put("event", event("a-1", now))
    name = writer.client_id()
    writer.close()

    again = Writer(path, 1 << 30)
    assert again.client_id() == name
    again.write(
        [(say("event", event("a-1", now)), now), (say("event", event("a-2", now)), now)], now
    )
    again.close()
    archive = ask()
    (host,) = archive.hosts()
    assert len(archive.events(host, 0, now + 1)) == 2


@pytest.mark.parametrize(
    "hostile",
    [
        {"causes": "x"},
        {"causes": [{"began": "x"}, {"began": "9999-12-31T23:59:59Z"}, 5]},
        {"until": "2026-01-01T00:00:00Z", "states": [{}] * 9},
        {
            "series": [
                {"began": "1970-01-01T00:00:00Z", "step_seconds": 1, "cpu_percent": [1] * 2000}
            ]
        },
        {
            "series": [
                {"began": "9998-01-01T00:00:00Z", "step_seconds": 1e300, "fan_speed_rpm": [1]}
            ]
        },
        {"since": 5, "until": None},
    ],
)
def test_a_memory_of_nonsense_harms_nothing(
    hostile: dict[str, Any], put: Put, ask: Ask, now: float
) -> None:
    content = json.loads(json.dumps(to_json(timeline(now)))) | hostile
    put("timeline", {"host": "nas", "time": rfc3339(now), **content})

    archive = ask()
    (host,) = archive.hosts()
    told = archive.timeline(host, 0, now + 1e6)
    assert all(isinstance(cause, PastCauseReading) for cause in told.causes)


def test_names_without_end_are_bounded(
    put: Put, writer: Writer, say: Callable[..., Received], ask: Ask, now: float
) -> None:
    for number in range(8):
        fields = {f"field_{number}_{index}": index for index in range(1000)}
        writer.write(
            [(say("doorbell", {"host": "nas", "time": rfc3339(now + number), **fields}), now)],
            now + number,
        )
    notices = writer.write(
        [(say("doorbell", {"host": "nas", "time": rfc3339(now + 9), "one": 1}), now)], now
    )

    archive = ask()
    (host,) = archive.hosts()
    assert len(archive.series(host)) <= 4000
    assert notices == []  # told once, when it happened


def test_causes_without_end_are_bounded(
    writer: Writer, say: Callable[..., Received], ask: Ask, now: float
) -> None:
    notices: list[str] = []
    for number in range(15):
        causes = [(f"c{number}-{index}", now - index, now) for index in range(1900)]
        notices += writer.write([(say("timeline", timeline(now, causes=causes)), now)], now)

    archive = ask()
    (host,) = archive.hosts()
    assert len(archive.spans(host, "cause", 0, now + 1)) <= 20_000
    assert notices == ["nas: more than 20,000 causes and the like in a day"]


def test_an_archive_that_is_full_takes_events_and_no_values(
    path: Path, say: Callable[..., Received], ask: Ask, cpu: Callable[[float], Any], now: float
) -> None:
    small = Writer(path, 10_000)
    notices = small.write(
        [(say("cpu", cpu(1.0)), now), (say("event", event("a-1", now)), now)], now
    )
    small.close()

    archive = ask()
    (host,) = archive.hosts()
    assert [each.body["id"] for each in archive.events(host, 0, now + 1)] == ["a-1"]
    assert values(archive, "cpu/usage_percent", 0, now + 1) == []
    assert notices == ["the archive is as large as record.largest_megabytes allows: no new values"]


def test_too_many_hosts_are_told_once(
    writer: Writer, say: Callable[..., Received], ask: Ask, now: float
) -> None:
    batch = [
        (Received(f"host/h{number}", "cpu", {"host": f"h{number}", "x": 1}), now)
        for number in range(510)
    ]
    notices = writer.write(batch, now)
    assert len(ask().hosts()) == 500
    assert any("more than 500 hosts" in notice for notice in notices)


def test_others_who_use_the_prefix_are_no_hosts(writer: Writer, ask: Ask, now: float) -> None:
    writer.write([(Received("host/lamp", "state", {"on": True}), now)], now)
    assert ask().hosts() == []


def test_what_a_host_measured_stands_where_nothing_was_heard(
    put: Put, ask: Ask, writer: Writer, now: float
) -> None:
    def memory(until: float, *values: float) -> TimelineReading:
        run = SeriesReading(began=rfc3339(now), step_seconds=60, cpu_percent=list(values))
        return timeline(until, series=(run,))

    put("timeline", memory(now + 90, 1, 2), at=now + 90)
    writer.resume(now + 300, "recorder")
    put("timeline", memory(now + 310, 1, 2, 3, 4, 5, 6), at=now + 310)

    found = values(ask(), "timeline/cpu_percent", now, now + 360)
    assert [value for _, value in found] == [1, 2, 3, 4, 5, 6]


def test_a_value_does_not_stand_for_a_time_before_the_daemon_was_there(
    put: Put, ask: Ask, now: float
) -> None:
    run = SeriesReading(began=rfc3339(now - 300), step_seconds=300, cpu_percent=[7, 8])
    told = dataclasses.replace(timeline(now + 300, series=(run,)), since=rfc3339(now - 60))
    put("timeline", told, at=now + 300)

    assert values(ask(), "timeline/cpu_percent", now - 3600, now + 300) == [
        (now - 60, 7), (now, 8),
    ]  # fmt: skip


def test_a_mean_of_five_minutes_does_not_replace_the_minutes_that_are_known(
    put: Put, ask: Ask, now: float
) -> None:
    fine = SeriesReading(began=rfc3339(now), step_seconds=60, cpu_percent=[1, 2, 3, 4, 5])
    coarse = SeriesReading(began=rfc3339(now), step_seconds=300, cpu_percent=[3])
    put("timeline", timeline(now + 300, series=(fine,)), at=now + 300)
    put("timeline", timeline(now + 4000, series=(coarse,)), at=now + 4000)

    found = values(ask(), "timeline/cpu_percent", now, now + 300)
    assert [value for _, value in found] == [1, 2, 3, 4, 5]
