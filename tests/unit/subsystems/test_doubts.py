"""What a driver says and cannot be: absent, and said once, device by device."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from publisher.contract.metric import Reading, celsius, instances, reading
from publisher.sources import Sources
from publisher.subsystems.base import Subsystem
from publisher.subsystems.runner import SubsystemRunner


@reading
class Card(Reading):
    """One card."""

    warmth_celsius: float | None = celsius("Warmth", "Of it.")


@reading
class Cards(Reading):
    """All of them."""

    warmth_celsius: float | None = celsius("Warmth", "Of the hottest.")
    devices: dict[str, Card] = instances(Card, "Cards", "Every one.")


class Bench(Subsystem):
    name = "bench"
    reading = Cards
    values: Iterator[dict[str, float]]

    def read(self) -> Cards:
        devices = {name: Card(warmth_celsius=value) for name, value in next(self.values).items()}
        known = [each.warmth_celsius for each in devices.values() if each.warmth_celsius]
        return Cards(warmth_celsius=max(known, default=None), devices=devices)


class Looks:
    def __init__(self) -> None:
        self.now = 0.0
        self.runner = SubsystemRunner(
            Sources(monotonic=lambda: self.now, wall=lambda: self.now), [Bench], patient=True
        )

    def read(self, later: float = 2.0, **values: float) -> Cards:
        bench = self.runner.subsystem("bench")
        assert isinstance(bench, Bench)
        bench.values = iter([values])
        self.now += later
        found = self.runner.read()["bench"]
        assert isinstance(found, Cards)
        return found

    def state(self, name: str) -> tuple[str, str]:
        health = self.runner.health[name]
        return health.state, health.reason


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_one_bad_card_leaves_the_others_and_what_is_made_of_them(looks: Looks) -> None:
    found = looks.read(a=511.0, b=61.0)

    assert found.devices["a"].warmth_celsius is None
    assert (found.devices["b"].warmth_celsius, found.warmth_celsius) == (61, 61)
    reason = "511 °C cannot be: -40 to 125 °C"
    assert looks.state("bench.a.warmth_celsius") == ("failing", reason)
    assert looks.state("bench")[0] == "ok"


def test_it_is_said_once(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for value in (511.0, 510.0, 60.0, 511.0, 61.0, 255.0):
            looks.read(a=value)
    said = [record for record in caplog.records if "bench.a" in record.message]
    assert len(said) == 1
    assert looks.state("bench.a.warmth_celsius")[1] == "511 °C cannot be: -40 to 125 °C"


def test_it_is_over_when_it_was_good_for_five_minutes(looks: Looks) -> None:
    looks.read(a=511.0)
    looks.read(a=60.0)
    assert looks.state("bench.a.warmth_celsius")[0] == "failing"
    looks.read(300.0, a=60.0)
    assert looks.state("bench.a.warmth_celsius")[0] == "ok"


def test_a_card_that_is_gone_is_of_no_concern(looks: Looks) -> None:
    looks.read(a=511.0)
    looks.read()
    assert looks.state("bench.a.warmth_celsius")[0] == "ok"
