"""Stages on which notifiers are watched."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.subscriber.notify.stage import MakeStage, Stage

from publisher.config.companions import NotifyRule


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are Berlin's wherever the tests run."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[MakeStage]:
    """Makes stages: ``stage(hot=NotifyRule(state=("hot",)))``."""
    made: list[Stage] = []
    # A store waits for the disk at every word; where there is a folder in memory, it need not.
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else tmp_path
    folder = tempfile.TemporaryDirectory(prefix="fanwhy-notify-", dir=parent)

    def make(*, now: float | None = None, **rules: NotifyRule) -> Stage:
        more: dict[str, Any] = {} if now is None else {"now": now}
        made.append(Stage(Path(folder.name, "notify.sqlite"), rules, **more))
        return made[-1]

    yield make
    for one in made:
        one.kill()
    folder.cleanup()
