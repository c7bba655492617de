"""The scheduler of samples on a made-up machine: when each one is taken."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from publisher.daemon.scheduler import SamplingSettings, Scheduler


class Load:
    """A load that follows a given course of busy cores over time."""

    def __init__(self, course: Callable[[float], float]) -> None:
        self._course = course

    def busy_cores(self, now: float) -> float:
        return self._course(now)


def samples(
    course: Callable[[float], float],
    *,
    until: float,
    settings: SamplingSettings | None = None,
    again_in: float | None = None,
) -> list[float]:
    scheduler = Scheduler(settings or SamplingSettings(), Load(course), now=0.0)  # type: ignore[arg-type]
    times, now = [], 0.0
    while now <= until:
        scheduler.tick(now)
        if now >= scheduler.next_sample:
            times.append(now)
            scheduler.sampled(now, again_in=again_in)
        now = scheduler.next_wake
    return times


def gaps(times: list[float]) -> list[float]:
    return [round(b - a, 6) for a, b in itertools.pairwise(times)]


def test_a_working_machine_is_sampled_at_the_period() -> None:
    assert set(gaps(samples(lambda _: 1.0, until=30))) == {2.0}


def test_a_resting_machine_is_sampled_at_the_rest_period_after_a_while() -> None:
    found = gaps(samples(lambda _: 0.01, until=120))
    assert found[0] == 2.0
    assert found[-1] == 6.0
    assert found == sorted(found)


def test_a_machine_on_which_something_wakes_up_now_and_then_rests_too() -> None:
    times = samples(lambda now: 0.2 if now % 3 < 0.5 else 0.01, until=120)
    assert gaps(times)[-1] == 6.0


def test_a_machine_that_works_a_little_all_the_time_does_not_rest() -> None:
    assert gaps(samples(lambda _: 0.15, until=120))[-1] == 2.0


def test_an_onset_is_sampled_within_a_second_even_at_rest() -> None:
    onset = 103.7
    times = samples(lambda now: 1.0 if now > onset else 0.0, until=110)
    assert min(t for t in times if t > onset) - onset <= 1.0


def test_an_end_is_noticed_as_fast_as_an_onset() -> None:
    end = 41.1
    times = samples(lambda now: 0.0 if now > end else 2.0, until=50)
    assert min(t for t in times if t > end) - end <= 1.0


def test_an_onset_is_seen_at_once_even_after_a_load_that_flickered_before_the_rest() -> None:
    def course(now: float) -> float:
        return float(int(now * 2) % 2) if now < 60 else float(now >= 100)

    times = samples(course, until=102)
    after = next(time for time in times if time >= 100)
    assert after - 100 <= 0.5


def test_with_nothing_to_spare_an_onset_at_rest_is_sampled_in_turn() -> None:
    scheduler = Scheduler(SamplingSettings(), Load(lambda _: 0.0), now=0.0)  # type: ignore[arg-type]
    for moment in range(0, 60, 4):
        scheduler.sampled(float(moment))
    scheduler._extra = 0.0
    scheduler.sampled(60.0)
    assert scheduler.next_sample == 66.0
    scheduler._extra = 0.0
    scheduler.hurry(60.5)
    assert scheduler.next_sample == 62.0


def test_a_flickering_load_does_not_double_our_cost() -> None:
    times = samples(lambda now: 2.0 if int(now * 2) % 2 else 0.0, until=200)
    assert len(times) <= 2 * 100


def test_an_open_question_brings_the_next_sample_forward() -> None:
    assert set(gaps(samples(lambda _: 1.0, until=10, again_in=0.7))) == {0.7}
    # but never closer than is seemly
    assert min(gaps(samples(lambda _: 1.0, until=10, again_in=0.01))) >= 0.4


def test_without_a_probe_the_clock_alone_decides() -> None:
    settings = SamplingSettings(pulse=False)
    times = samples(lambda now: 9.0 if now > 50 else 0.0, until=100, settings=settings)
    assert set(gaps(times)) == {2.0}


def test_nothing_is_caught_up_on_after_a_suspend() -> None:
    scheduler = Scheduler(SamplingSettings(), None, now=0.0)
    scheduler.sampled(0.0)
    scheduler.sampled(3600.0)
    assert scheduler.next_sample == 3602.0
