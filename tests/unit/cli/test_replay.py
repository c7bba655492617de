"""``fanwhy-pub replay``: a captured machine, and nothing that only looks like one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from unit.cli.program import Program

_MEMORY = next((Path(__file__).parents[2] / "fixtures/memory").iterdir())


def test_it_prints_what_is_read_there(fanwhy: Program) -> None:
    found = fanwhy("replay", str(_MEMORY))
    assert (found.code, found.err) == (0, "")
    assert json.loads(found.out) == json.loads((_MEMORY / "expected.json").read_text())


def test_it_keeps_that_when_asked(fanwhy: Program, tmp_path: Path) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "expected.json").unlink()
    found = fanwhy("replay", str(case), "--write")
    assert json.loads((case / "expected.json").read_text()) == json.loads(found.out)


def test_one_of_several_subsystems(fanwhy: Program, tmp_path: Path) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "case", symlinks=True)
    found = fanwhy("replay", str(case), "memory")
    assert json.loads(found.out) == json.loads((_MEMORY / "expected.json").read_text())
    assert "memroy" in fanwhy("replay", str(case), "memroy").err


@pytest.mark.parametrize("folder", ["/", "/nowhere", "{empty}"])
def test_what_is_no_captured_machine(folder: str, fanwhy: Program, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = fanwhy("replay", folder.format(empty=tmp_path / "empty"))
    assert (found.code, found.out) == (2, "")
    assert len(found.err.splitlines()) == 1


def test_a_pipe_in_the_tree_is_passed_over(fanwhy: Program, tmp_path: Path) -> None:
    """It would be read for ever."""
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "sys").mkdir(exist_ok=True)
    os.mkfifo(case / "sys/kmsg")
    assert fanwhy("replay", str(case)).code == 0
