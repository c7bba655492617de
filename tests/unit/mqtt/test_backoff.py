"""The waits between attempts, and what a day without a broker costs."""

from __future__ import annotations

import itertools

from publisher.mqtt.backoff import Backoff, ReconnectTimes


def test_waits_double_up_to_a_bound_and_spread() -> None:
    steady = Backoff(1.0, lambda: 0.0)
    assert [steady.next(8) for _ in range(6)] == [1, 2, 4, 8, 8, 8]
    steady.reset()
    assert steady.next(8) == 1
    spread = Backoff(1.0, lambda: 1.0)
    assert [spread.next(60) for _ in range(3)] == [0.5, 1, 2]


def test_an_hour_without_a_broker_takes_fewer_attempts_than_messages_with_one() -> None:
    """An attempt costs less than a message; at rest a daemon sends ten messages a minute."""
    times = ReconnectTimes()
    backoff = Backoff(times.first, lambda: 0.5)

    def wait(elapsed: float) -> float:
        return backoff.next(times.away if elapsed < times.patient else times.longest)

    moments = [0.0]
    while moments[-1] < 3600:
        moments.append(moments[-1] + wait(moments[-1]))
    in_first_minutes = sum(moment < 300 for moment in moments)
    assert in_first_minutes <= 60
    assert len(moments) - in_first_minutes <= 80
    gaps = [b - a for a, b in itertools.pairwise(moments) if b < 300]
    assert max(gaps) < 10
