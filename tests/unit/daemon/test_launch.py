"""How the daemon gets what it needs from the command that starts it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from publisher.contract.readings import InfoReading
from publisher.daemon.launch import Launch
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError

_LAUNCH = Launch(
    settings=Settings(),
    catalogue=b"{}" * 100_000,
    identity=InfoReading(machine_id="42"),
    reload=("python", "-m"),
)


@pytest.fixture(params=["memory", "file"], autouse=True)
def door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory where the system can do that, else in a file without a name."""
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create")


def test_through_a_descriptor() -> None:
    assert Launch.take_over(_LAUNCH.hand_over()) == _LAUNCH


def test_through_exec() -> None:
    descriptor = _LAUNCH.hand_over()
    program = (
        "import sys; from publisher.daemon.launch import Launch; "
        "print(len(Launch.take_over(int(sys.argv[1])).catalogue))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(descriptor)],
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "200000\n"


@pytest.mark.parametrize("content", [b"", b"garbage", b"N."])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(FanwhyError, match="not started by fanwhy-pub run"):
        Launch.parse(content)


def test_no_descriptor() -> None:
    with pytest.raises(FanwhyError, match="not started by fanwhy-pub run"):
        Launch.take_over(987)


def test_the_daemon_loads_its_settings_without_pydantic() -> None:
    program = "import sys, publisher.daemon.launch; print('pydantic' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"
