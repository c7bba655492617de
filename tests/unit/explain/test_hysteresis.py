"""Hysteresis in time: what opens a gate, what closes it, and what does neither."""

from __future__ import annotations

from publisher.explain.detect.hysteresis import Gate


def run(gate: Gate, *windows: tuple[float, bool]) -> list[bool]:
    """Feeds (length, above) windows; what the gate says after each."""
    now, answers = 0.0, []
    for seconds, above in windows:
        gate.update(above=above, below=not above, start=now, now=now + seconds)
        now += seconds
        answers.append(gate.is_open)
    return answers


def test_opens_after_the_dwell_and_two_windows() -> None:
    assert run(Gate(1, 4), (0.5, True), (0.5, True)) == [False, True]


def test_one_long_window_is_not_enough() -> None:
    assert run(Gate(1, 4), (2, True), (0.3, True)) == [False, True]


def test_a_blip_opens_nothing() -> None:
    assert not any(run(Gate(1, 4), (0.5, True), (0.5, False), (0.5, True), (2, False)))


def test_closes_after_its_own_dwell() -> None:
    windows = [(1, True), (1, True), (2, False), (1, True), (2, False), (1.9, False), (0.2, False)]
    assert run(Gate(1, 4), *windows) == [False, True, True, True, True, True, False]


def test_between_the_thresholds_nothing_changes() -> None:
    gate = Gate(1, 2)
    run(gate, (1, True), (1, True))
    for moment in range(2, 30):
        gate.update(above=False, below=False, start=moment, now=moment + 1)
    assert gate.is_open


def test_asks_for_the_window_that_would_settle_it() -> None:
    gate = Gate(1, 4)
    assert gate.wants_soon(0) is None
    gate.update(above=True, below=False, start=0, now=0.4)
    assert gate.wants_soon(0.4) == 0.6
    gate.update(above=True, below=False, start=0.4, now=1.0)
    assert gate.wants_soon(1.0) is None
    gate.update(above=False, below=True, start=1.0, now=2.0)
    assert gate.wants_soon(2.0) == 3.0
