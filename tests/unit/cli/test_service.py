"""The systemd unit that we ship: what it shuts out, the senses need not see."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[3] / "publisher/service/fanwhy-pub.service"


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


def test_no_right_is_given_that_is_not_asked_for() -> None:
    lines = UNIT.read_text("utf-8").splitlines()
    given = [
        line for line in lines if re.match(r"(AmbientCapabilities|CapabilityBoundingSet)=", line)
    ]
    assert given == ["CapabilityBoundingSet="]
    # An empty value takes back what stands before it: it must come first.
    commented = [at for at, line in enumerate(lines) if line.startswith("#CapabilityBoundingSet=")]
    assert len(commented) == 4
    assert min(commented) > lines.index("CapabilityBoundingSet=")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize("unit", [UNIT, UNIT.with_name("fanwhy-sub.service")])
def test_little_of_the_machine_is_exposed(unit: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level.*?: (\d+\.\d)", done.stdout)
    if found is None:
        pytest.skip("a systemd that cannot tell it without running")
    assert float(found[1]) <= 2.5
