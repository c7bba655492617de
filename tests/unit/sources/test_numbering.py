"""Whether the numbering of processes that we are told is that of the processes that we see."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.numbering import Trust, last_number, trust


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """This machine's processes, and a load average of which the tests decide."""
    (tmp_path / "proc").mkdir()
    (tmp_path / f"proc/{os.getpid()}").symlink_to(f"/proc/{os.getpid()}")
    (tmp_path / "proc/stat").symlink_to("/proc/stat")
    return tmp_path


def _told(root: Path, loadavg: str) -> Trust:
    (root / "proc/loadavg").write_text(loadavg)
    return trust(KernelFiles(root))


def test_the_kernels_own_word_is_good() -> None:
    threads = threading.active_count()
    assert trust(KernelFiles()) == Trust(last=True, forks=True)
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    "loadavg",
    [
        "0.10 0.20 0.30 1/80 1\n",  # as lxcfs had it some time ago
        "0.10 0.20 0.30 1/80 4194303\n",  # the host's numbers
        "0.00 0.00 0.00 0/0 0\n",  # gVisor
        "0.10 0.20 0.30\n",
        "",
    ],
)
def test_a_frozen_or_foreign_number_is_not_gone_by(root: Path, loadavg: str) -> None:
    assert _told(root, loadavg) == Trust(last=False, forks=True)


@pytest.mark.parametrize("ahead", [1, 2, 3, 40])
def test_a_frozen_number_that_we_are_about_to_get_is_not_gone_by(root: Path, ahead: int) -> None:
    """As in a young container, where the numbers are small and those of long ago near."""
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert thread.native_id is not None

    assert not _told(root, f"0.10 0.20 0.30 1/80 {thread.native_id + ahead}\n").last


def test_a_count_of_forks_that_stands_still_is_not_gone_by(root: Path) -> None:
    (root / "proc/stat").unlink()
    (root / "proc/stat").write_text("cpu  0 0 0 0\nprocesses 0\n")  # gVisor

    assert _told(root, "0.00 0.00 0.00 0/0 0\n") == Trust(last=False, forks=False)


def test_numbers_of_who_reads_are_not_those_of_the_machine_that_is_read(root: Path) -> None:
    """The kernel tells the reader's, also below another root."""
    (root / f"proc/{os.getpid()}").unlink()
    (root / "proc/loadavg").symlink_to("/proc/loadavg")

    assert trust(KernelFiles(root)) == Trust(last=False, forks=True)


def test_what_is_not_told_is_unknown(root: Path) -> None:
    assert last_number(KernelFiles(root)) == (None, 0)
