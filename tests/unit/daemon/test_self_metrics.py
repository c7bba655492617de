"""What fanwhy says of its own cost: soon, and then over the last minute."""

from __future__ import annotations

from publisher.daemon.self_metrics import SelfMetrics
from publisher.sources.files import KernelFiles


def said(costs: dict[float, float]) -> dict[float, float | None]:
    """CPU percent at each moment, for CPU seconds used until then."""
    clock = iter(costs.values())
    spent = 0.0

    def cpu_seconds() -> float:
        return spent

    cost = SelfMetrics(KernelFiles(), cpu_seconds)
    found: dict[float, float | None] = {}
    for moment in costs:
        spent = next(clock)
        reading = cost.read(moment, messages=0, payload_bytes=0, connections=1)
        found[moment] = reading.cpu_percent
    return found


def test_it_is_known_after_five_seconds_and_not_before() -> None:
    assert said({100: 7, 102: 7.5, 104: 7.9, 106: 8.5}) == {
        100: None, 102: None, 104: None, 106: 25,
    }  # fmt: skip


def test_the_window_grows_to_a_minute_and_then_slides() -> None:
    # Three seconds of work at the start, none after.
    found = said({moment: min(moment, 3) for moment in range(200)})
    assert found[10] == 30
    assert found[30] == 10
    assert found[60] == 5
    assert found[70] == 0


def test_after_a_long_sleep_it_is_over_the_sleep() -> None:
    found = said({0: 0, 5: 1, 1005: 2, 1010: 3})
    assert found[1005] == 0.1
    assert found[1010] == 100 * 2 / 1005


def test_what_was_sent_is_counted_over_all_sessions() -> None:
    metrics = SelfMetrics(KernelFiles())
    metrics.read(0.0, messages=5, payload_bytes=500, connections=1)
    metrics.disconnected(messages=7, payload_bytes=700, connections=2)
    reading = metrics.read(2.0, messages=1, payload_bytes=10, connections=1)
    assert (reading.messages_sent, reading.payload_sent_bytes, reading.connections) == (8, 710, 3)
