from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from publisher.contract.readings import ExplanationReading
from subscriber_cli.model.decode import Received
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.fleet import Fleet

Say = Callable[..., Received]


def test_the_newest_counts(fleet: Fleet, say: Say, cpu: Any, now: float) -> None:
    fleet.apply(say("cpu", cpu(3.0), at=now + 2), now + 2)
    (host,) = fleet

    assert host.name == "nas"
    assert host.row("cpu").number("usage_percent") == 3.0
    assert host.age("cpu", now + 5) == 3.0
    assert host.state == "busy"


def test_a_machine_may_come_under_its_own_level(fleet: Fleet, say: Say, explanation: Any) -> None:
    fleet.apply(say("explanation", explanation, prefix="host/pi"), 0)

    assert [host.name for host in fleet] == ["nas", "pi"]


def test_what_only_looks_like_a_topic_is_no_machine(fleet: Fleet, say: Say) -> None:
    fleet.apply(say("weather", {"sunny": True}, prefix="host/garden"), 0)

    assert [host.name for host in fleet] == ["nas"]


def test_a_topic_that_the_catalogue_lacks_names_no_host(fleet: Fleet, say: Say) -> None:
    fleet.apply(say("evil", {"host": "another"}), 0)
    (host,) = fleet

    assert host.name == "nas"


def test_the_catalogue_names_its_host(say: Say, catalogue: Any) -> None:
    host = Fleet().apply(say("catalogue", {"host": "nas", **catalogue}), 0)
    assert host
    assert (host.name, host.named) == ("nas", True)


def test_offline_goes_before_the_last_verdict(fleet: Fleet, say: Say, now: float) -> None:
    fleet.apply(say("status", "offline"), now)
    (host,) = fleet

    assert (host.offline, host.state) == (True, "offline")


def test_a_withdrawn_topic_is_forgotten(fleet: Fleet, say: Say, now: float) -> None:
    fleet.apply(say("cpu", None), now)
    (host,) = fleet

    assert "cpu" not in host.latest
    assert host.row("cpu").cells == ()


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_ages_survive_a_clock_that_is_wrong(say: Say, cpu: Any, now: float, ahead: float) -> None:
    fleet = Fleet()
    host = fleet.apply(say("cpu", cpu(1.0), at=now + ahead - 40, retained=True), now)
    assert host
    fleet.apply(say("memory", cpu(1.0), at=now + ahead), now)

    assert host.age("cpu", now) == 40
    assert host.age("memory", now + 7) == 7


def test_a_clock_that_agrees_is_left_alone(say: Say, cpu: Any) -> None:
    host = Fleet().apply(say("cpu", cpu(1.0), at=998.5), 1000)
    assert host

    assert host.age("cpu", 1000) == 1.5


def test_sparklines_begin_with_what_was_kept(say: Say, cpu: Any, catalogue: Any) -> None:
    fleet = Fleet()
    fleet.apply(say("cpu", cpu(10.0), at=970, retained=True), 1000)
    host = fleet.apply(say("catalogue", catalogue), 1000)
    assert host
    fleet.apply(say("cpu", cpu(20.0), at=1001), 1001)

    points = list(host.history["cpu", "usage_percent"])
    assert points[0] == (970.0, 10.0)
    assert points[-1] == (1001.0, 20.0)


def test_old_points_go(fleet: Fleet, say: Say, cpu: Any, now: float) -> None:
    for second in range(1000):
        fleet.apply(say("cpu", cpu(float(second % 7)), at=now + second), now + second)
    (host,) = fleet

    points = host.history["cpu", "usage_percent"]
    assert len(points) <= 130
    assert points[0][0] <= now + 999 - 120


def test_each_device_has_its_own_line(fleet: Fleet) -> None:
    (host,) = fleet

    assert ("thermal", "fans", "nct6798/CPU fan", "speed_rpm") in host.history


def test_no_client_can_fill_the_memory(say: Say) -> None:
    fleet = Fleet()
    for index in range(2000):
        fleet.apply(say("status", "online", prefix=f"host/{index}"), 0)
        fleet.apply(say(f"topic{index}", {"a": index}, prefix="host/0"), 0)
    hosts = list(fleet)

    assert len(hosts) == 500
    assert len(hosts[0].latest) == 64


def test_what_came_before_the_catalogue_is_read_again(
    say: Say, catalogue: dict[str, Any], explanation: ExplanationReading, now: float
) -> None:
    fleet = Fleet()
    host = fleet.apply(say("explanation", explanation, retained=True), now)
    fleet.apply(say("cpu", {"usage_percent": 3}, retained=True), now)
    assert host
    assert [cell.column.unit for cell in host.row("cpu").cells] == [""]

    fleet.apply(say("catalogue", catalogue), now)

    assert [cell.column.unit for cell in host.row("cpu").cells] == ["%"]
    assert {cell.column.unit for cell in host.explanation.evidence.cells} == {"rpm", "°C", "%"}


def test_a_withdrawn_verdict_and_identity_are_forgotten(fleet: Fleet, say: Say, now: float) -> None:
    (before,) = fleet
    assert before.explanation.causes
    assert before.subsystems

    fleet.apply(say("explanation", None), now)
    fleet.apply(say("info", None), now)

    (after,) = fleet
    assert after.explanation == Explanation()
    assert after.subsystems == ()


def test_of_many_hosts_only_the_one_that_is_shown_has_sparklines(
    say: Say, cpu: Any, now: float
) -> None:
    fleet = Fleet()
    fleet.shown = "host/h3"
    for second in (0, 1):
        for number in range(6):
            message = say("cpu", cpu(50.0 + second), prefix=f"host/h{number}", at=now + second)
            fleet.apply(message, now + second)

    series = {number: fleet.get(f"host/h{number}") for number in range(6)}
    drawn = {number: bool(host and host.history) for number, host in series.items()}
    # The first few were few when they spoke first.
    assert [number for number in (4, 5) if drawn[number]] == []
    assert drawn[3]


def test_a_host_whose_clock_is_wrong_is_asked_by_its_own(say: Say, now: float) -> None:
    fleet = Fleet()
    fleet.apply(say("cpu", {"time": "2027-01-15T09:00:00Z", "usage_percent": 1}), now)
    host = fleet.get("host")
    assert host is not None
    assert host.there(now) == now + 3600
