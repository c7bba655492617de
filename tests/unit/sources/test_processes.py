"""Reading the process table: odd names, the dead, clocks and descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import AbsentError
from publisher.sources.files import KernelFiles
from publisher.sources.processes import GONE, LinuxProcesses, parse_stat

LINE = b"%d (%s) S 1 7 8 34817 9 4194560 0 0 0 0 150 50 30 20 20 0 3 0 12345 1000 25 0 0\n"


@given(st.integers(1, 1 << 22), st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_any_name_is_parsed(pid: int, name: bytes) -> None:
    stat = parse_stat(LINE % (pid, name))
    assert (stat.pid, stat.comm, stat.parent) == (pid, name, 1)
    assert (stat.process_group, stat.session) == (7, 8)
    assert stat.own == 2_000_000_000
    assert stat.reaped == 500_000_000
    assert (stat.threads, stat.start) == (3, 12345)
    assert not stat.kernel


@pytest.mark.parametrize("line", [b"", b"1 (x", b"1 (x) S 1", b"x (y) S" + b" 0" * 30])
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_stat(line)


def test_a_clock_is_the_time_of_all_threads() -> None:
    processes = LinuxProcesses(KernelFiles())
    assert processes.clocked
    own = os.getpid()
    before = time.process_time_ns()
    (mark,) = processes.marks([processes.handle(own)])
    assert before <= mark <= time.process_time_ns()


def test_clocks_are_used_where_another_root_shows_our_own_processes(tmp_path: Path) -> None:
    """As in a container that shares the host's numbers and has its /proc mounted elsewhere."""
    (tmp_path / "proc").symlink_to("/proc")
    assert LinuxProcesses(KernelFiles(tmp_path)).clocked


def test_clocks_are_not_used_where_our_number_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / f"proc/{os.getpid()}").mkdir(parents=True)
    (tmp_path / f"proc/{os.getpid()}/stat").write_bytes(LINE % (os.getpid(), b"x"))
    processes = LinuxProcesses(KernelFiles(tmp_path))
    assert processes.stat(os.getpid())
    assert not processes.clocked


def test_the_dead_are_told_from_the_living_in_any_order() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    processes = LinuxProcesses(KernelFiles())
    own, gone = os.getpid(), child.pid
    marks = processes.marks([processes.handle(pid) for pid in (gone, own, gone, gone, own, gone)])
    assert [mark == GONE for mark in marks] == [True, False, True, True, False, True]
    assert processes.stat(gone) is None
    assert processes.command_line(gone) == []
    with pytest.raises(AbsentError):
        processes.io(gone)


def test_descriptors_are_bounded_and_let_go(tmp_path: Path) -> None:
    for pid in range(2, 402):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/stat").write_bytes(LINE % (pid, b"x"))
    processes = LinuxProcesses(KernelFiles(tmp_path))
    assert not processes.clocked
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert all(processes.stat(pid) for pid in range(2, 402))
    held = len(os.listdir("/proc/self/fd")) - before
    assert 100 < held < 300
    processes.forget(range(2, 402))
    assert len(os.listdir("/proc/self/fd")) == before
    processes.close()


def test_a_zombie_is_still_there_and_a_reused_descriptor_is_not() -> None:
    processes = LinuxProcesses(KernelFiles())
    child = subprocess.Popen(["sleep", "60"])
    for _ in range(3):
        stat = processes.stat(child.pid)
        assert stat is not None
    child.kill()
    while (stat := processes.stat(child.pid)) is not None and stat.state != b"Z":
        time.sleep(0.001)
    assert stat is not None
    (mark,) = processes.marks([processes.handle(child.pid)])
    assert mark != GONE
    assert processes.command_line(child.pid) == []
    child.wait()
    assert processes.stat(child.pid) is None
    processes.close()


def test_who_ignores_its_children() -> None:
    processes = LinuxProcesses(KernelFiles())
    for command, expected in (
        (["bash", "-c", "echo; read x"], False),
        (["python3", "-c", "import signal as s; s.signal(17, s.SIG_IGN); print(); input()"], True),
    ):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            assert processes.ignores_children(child.pid) is expected
            child.kill()


def test_what_a_process_uses_besides_time() -> None:
    processes = LinuxProcesses(KernelFiles())
    own = os.getpid()
    processes.io(own)  # raises if this kernel's lines are not those that we look for
    resident = processes.resident(own)
    share = processes.proportional_set_size(own)
    assert resident
    assert share
    assert share <= resident * 1.2
    assert processes.command_line(own) == sys.orig_argv
    assert processes.executable(own).startswith("/")
    assert b":" in processes.cgroups(own)


@pytest.mark.parametrize(("cancelled", "written"), [(4096, 8192), (65536, 0)])
def test_what_was_truncated_before_it_was_written_does_not_count(
    tmp_path: Path, cancelled: int, written: int
) -> None:
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/io").write_text(
        "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\n"
        f"read_bytes: 512\nwrite_bytes: 12288\ncancelled_write_bytes: {cancelled}\n"
    )
    assert LinuxProcesses(KernelFiles(tmp_path)).io(7) == (512, written)


def test_waiting_is_added_up_over_all_threads(tmp_path: Path) -> None:
    for name, content in (
        ("schedstat", "900 300 7\n"),
        ("task/7/schedstat", "900 300 7\n"),
        ("task/8/schedstat", "10 40 1\n"),
        ("task/9/schedstat", "\n"),
    ):
        path = tmp_path / "proc/7" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    processes = LinuxProcesses(KernelFiles(tmp_path))
    assert processes.waited(7, 1) == 300
    assert processes.waited(7, 3) == 340
    assert processes.waited(6, 2) == 0
