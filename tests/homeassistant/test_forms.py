"""Parts of the machine as devices of their own, in both ways; withdrawn, and back again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from homeassistant.harness import NEWEST, House, build, releases
from servers import wait_until


@pytest.fixture(
    params=[
        (form, release)
        for form in ("via_device", "child_devices")
        for release in releases()
        if form == "via_device" or release == NEWEST  # older ones do not know child devices
    ],
    ids="-".join,
)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    form, release = request.param
    settings = f'[homeassistant]\ndevices = "{form}"'
    yield from build(tmp_path, release=release, settings=settings)


def test_disks_are_devices_below_the_machine(house: House) -> None:
    documents = json.loads(house.daemon.command("homeassistant", "preview", "--json").stdout)
    expected = sum(1 + len(body.get("child_devices", ())) for body in documents.values())
    assert expected > 5
    wait_until(lambda: len(house.assistant.devices()) == expected, 60)
    wait_until(lambda: house.assistant.states().get("sensor.nas_why", {}).get("state"), 20)
    devices = house.assistant.devices()
    (machine,) = (device for device in devices if device["name"] == "nas")
    parts = [device for device in devices if device is not machine]
    assert {part.get("via_device_id") or part.get("parent_device_id") for part in parts} == {
        machine["id"]
    }
    assert house.assistant.complaints() == []
    # Older releases cannot remove what is disabled (home-assistant/core, pull request 168382), and
    # complain of what they themselves send when a device goes.
    old = house.release != NEWEST
    if old:
        entities = len(house.assistant.registry())
        house.assistant.enable_everything()
        wait_until(lambda: len(house.assistant.states()) >= entities, 30)
    # Withdrawn, all is gone; announced again, all has its old names.
    registry = house.assistant.registry()
    before = {key: entry["entity_id"] for key, entry in registry.items()}
    of_parts = {key for key, entry in registry.items() if entry["device_id"] != machine["id"]}
    assert len(of_parts) > 40
    house.daemon.stop()
    removed = house.daemon.command("homeassistant", "remove")
    assert removed.returncode == 0, removed.stderr
    wait_until(lambda: not house.assistant.registry(), 20)
    assert house.assistant.devices() == []
    house.daemon.start()
    # The machine's own come with its own document; some of them only now and then.
    wait_until(lambda: of_parts <= house.assistant.registry().keys(), 90)
    after = {key: entry["entity_id"] for key, entry in house.assistant.registry().items()}
    both = before.keys() & after.keys()
    assert {key: after[key] for key in both} == {key: before[key] for key in both}
    assert "sensor.nas_why" in after.values()
    said = house.assistant.complaints()
    assert [line for line in said if not old or "components to cleanup" not in line] == []
