"""A place for real processes of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.harness import Stage, compiled


@pytest.fixture(scope="session")
def burner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("burner"))


@pytest.fixture
def stage(tmp_path: Path, burner: Path) -> Iterator[Stage]:
    """Where a test starts what it asks about; all of it ends with the test."""
    made = Stage(tmp_path, burner)
    yield made
    made.stop()
