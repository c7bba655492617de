"""The broker of those who miss nothing while they are away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.parties import keeping_broker
from servers import Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that keeps what it has on disk, also when it is killed."""
    broker = keeping_broker(tmp_path / "broker").start()
    yield broker
    broker.kill()
