"""Energy by kind of work is what the energy dashboard takes, and it never falls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from homeassistant.harness import House
from servers import wait_until

HOUSE = {"settings": "[publishing]\nheartbeat_seconds = 10\n[report]\nprice_per_kwh = 0.3"}
WATTS = 600.0


@pytest.fixture
def drawing(house: House) -> Iterator[House]:
    """A machine whose processor draws power, whoever works."""
    meters = list(house.machine.root.glob("sys/devices/**/energy_uj"))
    assert meters
    over = threading.Event()

    def draw() -> None:
        began = time.monotonic()
        before = {meter: int(meter.read_text()) for meter in meters}
        while not over.wait(0.5):
            joules = WATTS * (time.monotonic() - began)
            for meter, counted in before.items():
                meter.write_text(f"{counted + round(joules * 1e6)}\n")

    thread = threading.Thread(target=draw)
    thread.start()
    yield house
    over.set()
    thread.join()


def energy(house: House) -> dict[str, dict[str, Any]]:
    states = house.assistant.states()
    return {
        entry["entity_id"]: states[entry["entity_id"]]
        for key, entry in house.assistant.registry().items()
        if key.endswith("_energy_kilowatt_hours") and "_energy_kinds_" in key
        if entry["entity_id"] in states
    }


def used(house: House) -> float:
    states = [each["state"] for each in energy(house).values()]
    return sum(float(state) for state in states if state not in ("unknown", "unavailable"))


def test_kilowatt_hours_come_by_kind_of_work_and_outlive_a_crash(drawing: House) -> None:
    wait_until(lambda: used(drawing) >= 0.001, 150, "no energy is told")
    for state in energy(drawing).values():
        attributes = state["attributes"]
        assert attributes["unit_of_measurement"] == "kWh"
        assert attributes["device_class"] == "energy"
        assert attributes["state_class"] == "total_increasing"
    names = {entry["original_name"] for entry in drawing.assistant.registry().values()}
    assert any(name.endswith(" energy today") for name in filter(None, names))
    assert any(name.endswith(" cost today") for name in filter(None, names))
    before = used(drawing)
    drawing.daemon.kill()
    drawing.daemon.start()
    wait_until(lambda: used(drawing) > before, 150, "it does not go on")
    assert drawing.assistant.complaints() == []
