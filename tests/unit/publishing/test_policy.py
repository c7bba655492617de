"""Timelines for the event policy: (time, value) in, times of messages out."""

from __future__ import annotations

import pytest

from publisher.contract.metric import (
    Reading,
    Unit,
    flag,
    gauge,
    instances,
    reading,
    records,
    text,
)
from publisher.publishing.policy import Policy, TopicChannel


@reading
class Disk(Reading):
    busy_percent: float | None = gauge("Busy", "", unit=Unit.PERCENT, deadband=10)


@reading
class Consumer(Reading):
    label: str | None = text("Label", "")


@reading
class Machine(Reading):
    usage_percent: float | None = gauge("Usage", "", unit=Unit.PERCENT, deadband=5)
    rate_bytes_per_second: float | None = gauge(
        "Rate", "", unit=Unit.BYTES_PER_SECOND, deadband=1000, deadband_percent=25
    )
    speeds_rpm: list[int] | None = gauge("Speeds", "", unit=Unit.RPM, deadband=100)
    detail: int | None = gauge("Detail", "")
    fault: bool | None = flag("Fault", "")
    disks: dict[str, Disk] = instances(Disk, "Disks", "")
    top: tuple[Consumer, ...] = records(Consumer, "Top", "")


def sent_at(timeline: list[tuple[float, Machine]], policy: Policy | None = None) -> list[float]:
    channel = TopicChannel(policy or Policy())
    times = []
    for now, value in timeline:
        if channel.due(value, now):
            channel.sent(value, now)
            times.append(now)
    return times


def ranking(*labels: str) -> Machine:
    return Machine(top=tuple(Consumer(label=label) for label in labels))


USAGE = lambda value: Machine(usage_percent=value)  # noqa: E731


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        pytest.param([(0, USAGE(1)), (2, USAGE(4)), (4, USAGE(1))], [0], id="within the deadband"),
        pytest.param([(0, USAGE(1)), (2, USAGE(6))], [0, 2], id="a move of the deadband itself"),
        pytest.param(
            [(t, USAGE(t)) for t in range(12)],
            [0, 5, 10],
            id="a drift is compared with what was sent",
        ),
        pytest.param(
            [(0, USAGE(0)), (0.5, USAGE(50)), (1, USAGE(50))],
            [0, 1],
            id="numbers wait for a second",
        ),
        pytest.param(
            [(0, USAGE(0)), (0.1, Machine(usage_percent=0.0, fault=True))],
            [0, 0.1],
            id="a state does not wait",
        ),
        pytest.param(
            [(0, USAGE(0)), (0.1, Machine())], [0, 0.1], id="a value that vanished is a state"
        ),
        pytest.param(
            [(0, USAGE(0)), (299, USAGE(0)), (300, USAGE(0))], [0, 300], id="the heartbeat"
        ),
        pytest.param(
            [(0, Machine(detail=1)), (2, Machine(detail=99))],
            [0],
            id="no deadband rides along only",
        ),
        pytest.param(
            [
                (0, Machine(rate_bytes_per_second=10_000)),
                (2, Machine(rate_bytes_per_second=12_000)),
                (4, Machine(rate_bytes_per_second=12_500)),
            ],
            [0, 4],
            id="both the absolute and the relative deadband",
        ),
        pytest.param(
            [(0, Machine(speeds_rpm=[900, 900])), (2, Machine(speeds_rpm=[900, 1000]))],
            [0, 2],
            id="one element of a list",
        ),
        pytest.param(
            [
                (0, Machine(disks={"a": Disk(busy_percent=0)})),
                (0.1, Machine(disks={"a": Disk(busy_percent=0), "b": Disk()})),
                (0.2, Machine(disks={"a": Disk(busy_percent=0)})),
                (0.3, Machine(disks={"a": Disk(busy_percent=50)})),
                (1.2, Machine(disks={"a": Disk(busy_percent=50)})),
            ],
            [0, 0.1, 0.2, 1.2],
            id="a device that came, went, and worked",
        ),
        pytest.param(
            [
                (0, ranking("xz", "make")),
                (2, ranking("make", "xz")),
                (4, ranking("make", "sort")),
                (6, ranking("make")),
                (8, ranking()),
            ],
            [0, 4],
            id="a new leader of a ranking, but not two that take turns",
        ),
    ],
)
def test_timeline(timeline: list[tuple[float, Machine]], expected: list[float]) -> None:
    assert sent_at(timeline) == expected


def test_without_a_heartbeat_only_change_speaks() -> None:
    policy = Policy(heartbeat_seconds=None)
    assert sent_at([(0, USAGE(0)), (1e6, USAGE(0))], policy) == [0]
