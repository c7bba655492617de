"""The systemd unit that we ship: what it shuts out, the senses need not see."""

from __future__ import annotations

import configparser
from pathlib import Path

UNIT = Path(__file__).parents[3] / "examples/systemd/fanwhy-pub.service"


def test_the_sandbox_hides_nothing_that_is_watched() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    # man 5 systemd.exec: "yes" and "tmpfs" put empty folders over /home, /root and /run/user,
    # and with them over the disks that are mounted there.
    assert service["ProtectHome"] in ("no", "read-only")
    for setting in ("TemporaryFileSystem", "InaccessiblePaths", "RootDirectory"):
        assert setting not in service
    for processes in ("ProtectProc", "ProcSubset", "PrivatePIDs", "PrivateNetwork"):
        assert processes not in service
    for device in ("PrivateDevices", "ProtectClock", "DevicePolicy"):
        assert device not in service
