"""``fanwhy-pub replay``: a captured machine, and nothing that only looks like one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from unit.cli.program import Program

from publisher.cli.replay import command, replay
from publisher.errors import ConfigError

_MEMORY = next((Path(__file__).parents[2] / "fixtures/memory").iterdir())


def test_it_prints_what_is_read_there_and_keeps_it_when_asked(
    fanwhy: Program, tmp_path: Path
) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "expected.json").unlink()
    found = fanwhy("replay", str(case), "--write")
    assert (found.code, found.err) == (0, "")
    expected = json.loads((_MEMORY / "expected.json").read_text())
    assert json.loads(found.out) == json.loads((case / "expected.json").read_text()) == expected


def test_one_of_several_subsystems(tmp_path: Path) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "case", symlinks=True)
    assert replay(case, ["memory"]) == json.loads((_MEMORY / "expected.json").read_text())
    with pytest.raises(ConfigError, match="memroy"):
        command(case, ["memroy"])


@pytest.mark.parametrize("folder", ["/", "/nowhere", "{empty}"])
def test_what_is_no_captured_machine(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        command(Path(folder.format(empty=tmp_path / "empty")))
    assert len(str(caught.value).splitlines()) == 1


def test_a_pipe_in_the_tree_is_passed_over(tmp_path: Path) -> None:
    """It would be read for ever."""
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "sys").mkdir(exist_ok=True)
    os.mkfifo(case / "sys/kmsg")
    assert replay(case, ["memory"])["memory"]
