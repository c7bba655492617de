"""One engine, and one stack of the compose file, for all tests here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from containers.engine import SOCKET, Checkout, Engine
from servers import REPOSITORY


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made: Path | None = None
    if not SOCKET.exists():
        done = subprocess.run(
            [REPOSITORY / "scripts/docker-engine"], stdout=subprocess.PIPE, text=True, check=True
        )
        made = Path(done.stdout.strip())
    # Not pytest's folder: it keeps three, and this one takes a gigabyte.
    with TemporaryDirectory(prefix="fanwhy-docker-") as folder:
        engine = Engine(made, Path(folder))
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()


@pytest.fixture(scope="session")
def checkout(engine: Engine) -> Iterator[Checkout]:
    """The tree, in which nothing was done yet."""
    with TemporaryDirectory(prefix="fanwhy-tree-") as folder:
        tree = Checkout(engine, Path(folder, "fanwhy"))
        yield tree
        tree.compose("--profile", "*", "down", "--volumes", "--timeout", "5")
