"""What ``fanwhy-sub`` reads in these tests, and a way to start it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.parties import Shipped
from broker.reading import Daemon, RunCommand, running


@pytest.fixture
def daemon(broker: Shipped, passwords: dict[str, str]) -> Iterator[Daemon]:
    """Publishes what a test wants, in place of a daemon."""
    daemon = Daemon(broker, passwords)
    yield daemon
    daemon.close()


@pytest.fixture
def run(broker: Shipped, tmp_path: Path) -> RunCommand:
    """Runs one command to its end, as a user who may read."""
    return running(broker, tmp_path)
