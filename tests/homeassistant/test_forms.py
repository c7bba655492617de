"""Parts of the machine as devices of their own, in both ways; withdrawn, and back again."""

from __future__ import annotations

import pytest
from conftest import build
from harness import wait_until


@pytest.fixture(params=["via_device", "child_devices"])
def house(request, tmp_path):
    yield from build(tmp_path, settings=f'[homeassistant]\ndevices = "{request.param}"')


def test_disks_are_devices_below_the_machine(house):
    wait_until(lambda: len(house.assistant.devices()) > 5, 60)
    wait_until(lambda: house.assistant.states().get("sensor.nas_why", {}).get("state"), 20)
    devices = house.assistant.devices()
    (machine,) = (device for device in devices if device["name"] == "nas")
    parts = [device for device in devices if device is not machine]
    assert {part.get("via_device_id") or part.get("parent_device_id") for part in parts} == {
        machine["id"]
    }
    assert house.assistant.complaints() == []
    # Withdrawn, all is gone; announced again, all has its old names.
    before = {key: entry["entity_id"] for key, entry in house.assistant.registry().items()}
    house.daemon.stop()
    removed = house.daemon.command("homeassistant", "remove")
    assert removed.returncode == 0, removed.stderr
    wait_until(lambda: not house.assistant.registry(), 20)
    assert house.assistant.devices() == []
    house.daemon.start()
    wait_until(lambda: len(house.assistant.registry()) >= len(before), 90)
    after = {key: entry["entity_id"] for key, entry in house.assistant.registry().items()}
    assert {key: after[key] for key in before} == before
    assert house.assistant.complaints() == []
