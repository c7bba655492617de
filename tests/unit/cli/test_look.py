"""What ``once`` and ``doctor`` leave alone: they look at a machine as the daemon does."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NAS = Path(__file__).parents[2] / "fixtures/disk/nas"
_SMARTCTL = """#!/bin/sh
echo asked >> "{diary}"
echo '{{}}'
"""


@contextmanager
def busy(counters: Path) -> Iterator[None]:
    """A disk that never stops reading; its file is written in place, as the kernel's is."""
    before = [int(word) for word in counters.read_text().split()]
    over = threading.Event()

    def work() -> None:
        for turn in itertools.count(1):
            now = " ".join(str(number + 500 * turn) for number in before)
            with counters.open("r+b", buffering=0) as file:
                file.write(f"{now}\n".encode())
            if over.wait(0.05):
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("command", ["once", "doctor"])
@pytest.mark.parametrize("minutes", [0, 60])
def test_disks_that_are_not_to_be_asked_are_not_asked(
    command: str, minutes: int, tmp_path: Path, fanwhy: Callable
) -> None:
    root = shutil.copytree(_NAS, tmp_path / "nas", symlinks=True)
    diary = tmp_path / "diary"
    program = tmp_path / "bin/smartctl"
    program.parent.mkdir()
    program.write_text(_SMARTCTL.format(diary=diary))
    program.chmod(0o755)
    (counters,) = root.glob("sys/devices/**/block/sda/stat")
    with busy(counters):
        fanwhy(
            command, FANWHY_ROOT=str(root), FANWHY_SMART__SMART_MINUTES=str(minutes),
            PATH=f"{program.parent}:/usr/bin:/bin",
        )  # fmt: skip
    assert diary.exists() == (minutes > 0)
