"""A process whose memory is locked for ever keeps neither the books nor other names waiting."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path

import pytest
from servers import wait_until

from publisher.sources.files import KernelFiles
from publisher.sources.memory_locked import MemoryLocked
from publisher.sources.processes import LinuxProcesses

_STAT = "{pid} (java) {state} 1 {pid} {pid} 0 -1 4194304 1 0 0 0 5 5 0 0 20 0 {threads} 0 100 1 1 1"


def process(root: Path, pid: int, state: str, threads: int) -> Path:
    """A process of a made-up machine; its folder."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(_STAT.format(pid=pid, state=state, threads=threads))
    return folder


@pytest.mark.parametrize(("state", "threads"), [("D", 1), ("S", 40)])
def test_a_command_line_that_never_comes_is_done_without(
    tmp_path: Path, state: str, threads: int
) -> None:
    os.mkfifo(process(tmp_path, 7, state, threads) / "cmdline")  # which opens for nobody
    (process(tmp_path, 8, "S", 12) / "cmdline").write_bytes(b"java\0-jar\0paper.jar\0")
    processes = LinuxProcesses(KernelFiles(str(tmp_path)), clocked=False)
    assert processes.command_line(7) == []
    assert processes.command_line(7) == [], "nobody waits twice for the same"
    assert processes.command_line(8) == ["java", "-jar", "paper.jar"]
    assert processes.proportional_set_size(7) is None
    os.close(os.open(tmp_path / "proc/7/cmdline", os.O_WRONLY))  # what waited can go on


def test_so_many_are_waited_for_and_no_more() -> None:
    reader, writer = os.pipe()
    locked = MemoryLocked()
    try:
        for pid in range(8):
            assert locked.read(pid, lambda: os.read(reader, 1), b"-") == b"-"
        assert locked.read(99, lambda: b"here", b"-") == b"-"
    finally:
        os.write(writer, b"12345678")
        os.close(writer)


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "process-memory"]


def _wait_for(event: threading.Event) -> bytes:
    event.wait()
    return b"late"


def test_who_comes_back_late_leaves_no_thread_behind() -> None:
    """A machine that is busy keeps somebody waiting for a moment now and then, all its life."""
    before = len(_threads())
    locked = MemoryLocked()
    for pid in range(4):
        late = threading.Event()
        assert locked.read(pid, partial(_wait_for, late), b"-") == b"-"
        late.set()
        wait_until(lambda: locked.read(99, lambda: b"here", b"-") == b"here")
        wait_until(lambda: len(_threads()) <= before + 2)
    wait_until(lambda: locked.read(3, lambda: b"asked again", b"-") == b"asked again")
    locked.close()
    wait_until(lambda: len(_threads()) == before)


def test_a_thread_that_is_stuck_at_the_end_ends_when_it_comes_back() -> None:
    before = len(_threads())
    locked, late = MemoryLocked(), threading.Event()
    assert locked.read(7, partial(_wait_for, late), b"-") == b"-"
    locked.close()
    assert len(_threads()) == before + 1
    late.set()
    wait_until(lambda: len(_threads()) == before)
