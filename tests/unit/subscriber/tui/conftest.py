"""The screen without a broker: what comes in is handed over, and what is shown is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from unit.subscriber.tui.stage import Script, Stage

from publisher.mqtt.broker import parse_url
from subscriber_cli.client import Connected
from subscriber_cli.model.view import View
from subscriber_cli.tui.app import WatchApp
from subscriber_cli.watch import apply

Play = Callable[..., None]


@pytest.fixture(autouse=True)
def _greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the user's time zone; here in one that is the same for everybody."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def play(now: float) -> Play:
    """Runs a scene on a screen of some size, with some messages already there."""

    def run(
        scene: Callable[[Stage], Awaitable[None]],
        *items: Any,
        size: tuple[int, int] = (80, 24),
        connected: bool = True,
        **options: Any,
    ) -> None:
        async def perform() -> None:
            first = [Connected(parse_url("mqtt://broker"), "5")] if connected else []
            script = Script(*first, *items)
            view = View(place="mqtt://broker:1883")
            app = WatchApp(script, view, apply, clock=lambda: now, **options)
            async with app.run_test(size=size) as pilot:
                stage = Stage(app, script, pilot)
                await stage.settle()
                await scene(stage)

        asyncio.run(perform())

    return run
