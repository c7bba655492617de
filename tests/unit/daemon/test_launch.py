"""What the daemon is started with reaches it, by memory or by a file without a name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from publisher.config.state import nameless
from publisher.contract.readings import InfoReading
from publisher.daemon.launch import Launch
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError

BIG = b"x" * 300_000  # no pipe holds that much without a reader


@pytest.fixture(params=["memory", "file"])
def door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create", raising=False)


@pytest.mark.usefixtures("door")
def test_a_program_that_inherits_the_descriptor_takes_it_over() -> None:
    launch = Launch(settings=Settings(), catalogue=BIG, identity=InfoReading(machine_id="abc"))
    descriptor = launch.hand_over()
    program = (
        "import sys; from publisher.daemon.launch import Launch;"
        "launch = Launch.take_over(int(sys.argv[1]));"
        "print(len(launch.catalogue), launch.identity.machine_id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(descriptor)],
        pass_fds=(descriptor,),
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(descriptor)
    assert done.stdout.split() == [str(len(BIG)), "abc"]


@pytest.mark.usefixtures("door")
def test_a_file_without_a_name_is_empty_and_nobody_inherits_it() -> None:
    descriptor = nameless("fanwhy-test")
    assert os.fstat(descriptor).st_size == 0
    assert not os.get_inheritable(descriptor)
    os.write(descriptor, b"kept")
    os.lseek(descriptor, 0, os.SEEK_SET)
    assert os.read(descriptor, 10) == b"kept"
    os.close(descriptor)


def test_what_was_not_handed_over_is_refused() -> None:
    descriptor = nameless("fanwhy-test")
    with pytest.raises(FanwhyError, match="not started by fanwhy-pub run"):
        Launch.take_over(descriptor)
