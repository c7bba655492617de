"""What ``once`` and ``doctor`` leave alone: they look at a machine as the daemon does."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
import servers
from unit.cli.program import Program

from publisher.daemon.settings import Settings
from publisher.pipeline import Pipeline

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


@pytest.fixture
def nas(tmp_path: Path) -> Path:
    return shutil.copytree(_NAS, tmp_path / "nas", symlinks=True)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder whose smartctl leaves a file ``asked`` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "smartctl").write_text(_SMARTCTL.format(diary=folder / "asked"))
    (folder / "smartctl").chmod(0o755)
    return folder


def at_work(root: Path) -> AbstractContextManager[None]:
    (counters,) = root.glob("sys/devices/**/block/sda/stat")
    return busy(counters)


@pytest.mark.parametrize("command", ["once", "doctor"])
def test_disks_that_are_not_to_be_asked_are_not_asked(
    command: str, nas: Path, programs: Path, fanwhy: Program
) -> None:
    with at_work(nas):
        fanwhy(
            command, FANWHY_ROOT=str(nas), FANWHY_SMART__SMART_MINUTES="0",
            PATH=f"{programs}:/usr/bin:/bin",
        )  # fmt: skip
    assert not (programs / "asked").exists()


def test_disks_that_may_be_asked_are(
    nas: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the test above would hold for a machine on which nothing is ever asked."""
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    with at_work(nas), closing(Pipeline.of(Settings(root=str(nas)), ledger=False)) as pipeline:

        def asked() -> bool:
            pipeline.sample()
            return (programs / "asked").exists()

        servers.wait_until(asked)
