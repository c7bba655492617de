"""The table that our declarations are held to is what Home Assistant itself says."""

from __future__ import annotations

import json
import subprocess
import tomllib

import pytest
from homeassistant.harness import environment, releases
from servers import REPOSITORY

OURS = tomllib.loads((REPOSITORY / "tests/fixtures/homeassistant/classes.toml").read_text())
THEIRS = """
import json
from homeassistant.components.binary_sensor import BinarySensorDeviceClass
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
def plain(table):
    return {str(key): [str(value) for value in values] for key, values in table.items()}
print(json.dumps({
    "binary": [str(name) for name in BinarySensorDeviceClass],
    "units": plain(DEVICE_CLASS_UNITS), "state_classes": plain(DEVICE_CLASS_STATE_CLASSES),
}))
"""


@pytest.mark.parametrize("release", releases())
def test_every_class_and_unit_of_ours_is_theirs(release: str) -> None:
    assert release in OURS["releases"]
    python = ["chroot", str(environment(release)), "/venv/bin/python", "-c", THEIRS]
    theirs = json.loads(subprocess.check_output(python))
    assert set(OURS["binary"]) <= set(theirs["binary"])
    for table in ("units", "state_classes"):
        for name, values in OURS[table].items():
            assert set(values) <= set(theirs[table][name]), (table, name)
