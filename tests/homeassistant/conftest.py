"""One Home Assistant, one broker and one machine for each file of tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import WITHOUT, Broker, Daemon, HomeAssistant, Machine, environment, releases


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.homeassistant)
            item.add_marker(pytest.mark.timeout(240))
            if os.environ.get(WITHOUT) == "1":
                item.add_marker(pytest.mark.skip(reason=f"{WITHOUT}=1"))


@dataclass
class House:
    """Everything that a test needs."""

    broker: Broker
    machine: Machine
    daemon: Daemon
    assistant: HomeAssistant
    release: str


@pytest.fixture(scope="module", params=releases())
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    wanted = getattr(request.module, "HOUSE", {})
    yield from build(tmp_path_factory.mktemp("house"), release=request.param, **wanted)


def build(
    directory: Path, *, release: str, broker: str = "", settings: str = "", configuration: str = ""
) -> Iterator[House]:
    root = environment(release)
    server = Broker(directory, broker).start()
    machine = Machine(directory)
    daemon = Daemon(directory, server, machine.root, settings)
    assistant = HomeAssistant(root, server.port, configuration)
    try:
        daemon.start()
        assistant.start()
        yield House(server, machine, daemon, assistant, release)
    finally:
        assistant.close()
        daemon.kill()
        server.stop()
