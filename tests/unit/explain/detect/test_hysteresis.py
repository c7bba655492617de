"""Hysteresis in time: what opens a hysteresis, what closes it, and what does neither."""

from __future__ import annotations

from publisher.explain.detect.hysteresis import Hysteresis


def run(hysteresis: Hysteresis, *windows: tuple[float, bool]) -> list[bool]:
    """Feeds (length, above) windows; what the hysteresis says after each."""
    now, answers = 0.0, []
    for seconds, above in windows:
        hysteresis.update(above=above, below=not above, start=now, now=now + seconds)
        now += seconds
        answers.append(hysteresis.active)
    return answers


def test_opens_after_the_dwell_and_two_windows() -> None:
    assert run(Hysteresis(1, 4), (0.5, True), (0.5, True)) == [False, True]


def test_one_long_window_is_not_enough() -> None:
    assert run(Hysteresis(1, 4), (2, True), (0.3, True)) == [False, True]


def test_a_blip_opens_nothing() -> None:
    assert not any(run(Hysteresis(1, 4), (0.5, True), (0.5, False), (0.5, True), (2, False)))


def test_closes_after_its_own_dwell() -> None:
    windows = [(1, True), (1, True), (2, False), (1, True), (2, False), (1.9, False), (0.2, False)]
    assert run(Hysteresis(1, 4), *windows) == [False, True, True, True, True, True, False]


def test_between_the_thresholds_nothing_changes() -> None:
    hysteresis = Hysteresis(1, 2)
    run(hysteresis, (1, True), (1, True))
    for moment in range(2, 30):
        hysteresis.update(above=False, below=False, start=moment, now=moment + 1)
    assert hysteresis.active


def test_asks_for_the_window_that_would_settle_it() -> None:
    hysteresis = Hysteresis(1, 4)
    assert hysteresis.wants_soon(0) is None
    hysteresis.update(above=True, below=False, start=0, now=0.4)
    assert hysteresis.wants_soon(0.4) == 0.6
    hysteresis.update(above=True, below=False, start=0.4, now=1.0)
    assert hysteresis.wants_soon(1.0) is None
    hysteresis.update(above=False, below=True, start=1.0, now=2.0)
    assert hysteresis.wants_soon(2.0) == 3.0


def test_a_load_that_warms_up_may_waver_once() -> None:
    def after(*windows: tuple[bool, bool]) -> bool:
        hysteresis = Hysteresis(1, 4)
        for number, (above, nearly) in enumerate(windows):
            hysteresis.update(
                above=above, below=False, nearly=nearly, start=number / 2, now=number / 2 + 0.5
            )
        return hysteresis.active

    up, hardly_below, below = (True, True), (False, True), (False, False)
    assert after(up, hardly_below, up)
    assert not after(up, below, up)
    assert not after(up, hardly_below, hardly_below, up)
    assert not after(hardly_below, hardly_below, hardly_below)
