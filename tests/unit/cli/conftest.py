from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.cli.program import Outcome, Program

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A configuration that says nothing, so that the one of this machine stays out."""
    file = tmp_path / "empty.toml"
    file.write_text("")
    return file


@pytest.fixture
def fanwhy(tmp_path: Path, empty: Path) -> Program:
    """Runs the real program, as a user would, without a terminal."""

    def call(*arguments: str, stdin: str = "", **variables: str) -> Outcome:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(_ROOT),
            "FANWHY_CONFIG": str(empty),
            "STATE_DIRECTORY": str(tmp_path / "state"),
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "-m", "publisher", *arguments],
            input=stdin, capture_output=True, encoding="utf-8", check=False, timeout=60,
            env=environment, cwd=tmp_path,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
