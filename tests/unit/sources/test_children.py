"""Programs that are asked, answer late, or never."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from publisher.errors import AbsentError
from publisher.sources.children import Child, find


def _ended(child: Child) -> tuple[int, bytes]:
    while (answer := child.poll()) is None:
        os.sched_yield()
    return answer


def _shell(script: str) -> Child:
    path = find("sh")
    assert path
    return Child([path, "-c", script])


def test_what_it_printed_and_how_it_ended() -> None:
    assert _ended(_shell("echo an answer; echo noise >&2; exit 4")) == (4, b"an answer\n")


def test_until_it_has_ended_there_is_no_answer() -> None:
    child = _shell("exec sleep 1000")

    assert child.poll() is None
    child.kill()
    assert _ended(child) == (-signal.SIGKILL, b"")


def test_none_of_our_files_is_handed_down(tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w"):
        _, answer = _ended(_shell("ls -l /proc/self/fd"))

    assert b"ours" not in answer
    assert b"/dev/null" in answer


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert find("no-such-program-anywhere") is None
    with pytest.raises(AbsentError):
        Child([str(tmp_path / "nothing")])


def test_a_folder_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zpool-of-a-test").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find("zpool-of-a-test") is None


def test_without_memory_files_the_answer_comes_by_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")

    assert _ended(_shell("echo an answer")) == (0, b"an answer\n")


def test_where_no_program_can_be_asked_that_is_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_spawn")

    with pytest.raises(AbsentError, match="no way to ask"):
        Child(["/bin/sh", "-c", "exit"])
