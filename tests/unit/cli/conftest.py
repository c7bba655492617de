from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import Forkable, Outcome
from unit.cli.program import Program

from publisher.cli import COMMANDS

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A configuration that says nothing, so that the one of this machine stays out."""
    file = tmp_path / "empty.toml"
    file.write_text("")
    return file


@pytest.fixture
def surroundings(tmp_path: Path, empty: Path) -> dict[str, str]:
    """The environment of a program that sees nothing of this machine's configuration."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(_ROOT),
        "FANWHY_CONFIG": str(empty),
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }


@pytest.fixture(scope="session")
def forkable() -> Iterator[Forkable]:
    made = Forkable(["publisher", *(f"publisher.cli.{name}" for name in COMMANDS)])
    yield made
    made.close()


@pytest.fixture
def fanwhy(forkable: Forkable, tmp_path: Path, surroundings: dict[str, str]) -> Program:
    """Runs the real program, as a user would, without a terminal; it is imported already."""

    def call(*arguments: str, stdin: str = "", **variables: str) -> Outcome:
        return forkable.run(
            *arguments, environment=surroundings | variables, folder=tmp_path, stdin=stdin
        )

    return call


@pytest.fixture
def started_fanwhy(tmp_path: Path, surroundings: dict[str, str]) -> Program:
    """Likewise, by an interpreter of its own."""

    def call(*arguments: str, stdin: str = "", **variables: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "publisher", *arguments],
            input=stdin, capture_output=True, encoding="utf-8", check=False, timeout=60,
            env=surroundings | variables, cwd=tmp_path,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
