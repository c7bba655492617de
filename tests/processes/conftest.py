"""A place for real processes of every kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes.harness import Stage, compiled


@pytest.fixture(scope="session")
def burner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("burner"))


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder that a package manager of a user's own would put programs in.

    What lies in /tmp is not believed to be what it is called.
    """
    above = Path.home() / ".local/lib"
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fanwhy-tests-", dir=above) as folder:
        yield Path(folder)


@pytest.fixture
def stage(tmp_path: Path, burner: Path, programs: Path) -> Iterator[Stage]:
    """Where a test starts what it asks about; all of it ends with the test."""
    made = Stage(tmp_path, burner, programs)
    yield made
    made.stop()
