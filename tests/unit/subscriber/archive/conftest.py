"""Archives in files of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from subscriber_cli.archive.reader import Archive
from subscriber_cli.archive.writer import Writer
from subscriber_cli.model.decode import Received

Put = Callable[..., None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    made = Writer(path, 1 << 30)
    yield made
    made.close()


@pytest.fixture
def put(writer: Writer, say: Callable[..., Received], catalogue: dict[str, Any], now: float) -> Put:
    """Writes one message that comes when it was made."""
    writer.write([(say("catalogue", {"host": "nas", **catalogue}), now)], now)

    def one(leaf: str, content: Any, *, at: float = now, came: float | None = None) -> None:
        came = at if came is None else came
        writer.write([(say(leaf, content, at=at), came)], came)

    return one


@pytest.fixture
def ask(path: Path) -> Iterator[Callable[[], Archive]]:
    """Opens the archive for reading."""
    made: list[Archive] = []

    def one() -> Archive:
        made.append(Archive(path))
        return made[-1]

    yield one
    for archive in made:
        archive.__exit__(None, None, None)
