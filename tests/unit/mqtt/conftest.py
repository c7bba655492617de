"""A scripted broker, and sessions to run against it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from running_session import QUICK, Recorded, RunningSession
from scripted_broker import ScriptedBroker

from publisher.mqtt.backoff import ReconnectTimes
from publisher.mqtt.broker import BrokerSettings


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    yield scripted
    scripted.close()


@pytest.fixture
def run() -> Iterator[Callable[..., RunningSession]]:
    """Makes sessions, not yet started, and ends them: ``run(url, protocol="5")``."""
    running: list[RunningSession] = []

    def make(
        url: str,
        *,
        times: ReconnectTimes = QUICK,
        connect: float = 5.0,
        outbox: Recorded | None = None,
        **settings: Any,
    ) -> RunningSession:
        of_broker = BrokerSettings(url=url, **settings)
        running.append(RunningSession(of_broker, times=times, connect=connect, outbox=outbox))
        return running[-1]

    yield make
    for each in running:
        each.session.stop([], timeout=3)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, and nothing listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
