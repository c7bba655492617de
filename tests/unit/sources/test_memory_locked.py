"""A process whose memory is locked for ever keeps neither the books nor other names waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
