"""Two daemons on one machine: one as a service and one in a container, say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.parties import PASSWORDS, MakeBroker, Shipped, Watch
from servers import Daemon

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


@pytest.fixture
def daemons(mosquitto: MakeBroker, tmp_path: Path) -> Iterator[tuple[Shipped, list[Daemon]]]:
    """A broker, and two daemons that have all but their state folders in common."""
    broker = mosquitto()
    made: list[Daemon] = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        daemon = Daemon(tmp_path / name, f'[broker]\nurl = "{broker.url}"\nusername = "fanwhy"')
        daemon.environment["FANWHY_BROKER__PASSWORD"] = PASSWORDS["fanwhy"]
        made.append(daemon)
    yield broker, made
    for daemon in made:
        daemon.kill()


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_the_second_ends_with_one_clear_line_and_the_first_goes_on(
    daemons: tuple[Shipped, list[Daemon]], watch: Watch, protocol: str
) -> None:
    broker, (first, second) = daemons
    for daemon in (first, second):
        daemon.environment["FANWHY_BROKER__PROTOCOL"] = protocol
    watcher = watch(broker)
    first.start()
    run = json.loads(watcher.wait_for("host/info").payload)["run"]
    second.start()

    assert second.wait(90) == 2  # which no service manager starts again
    (line,) = (line for line in second.log.read_text().splitlines() if "fanwhy-pub:" in line)
    assert "another fanwhy watches this machine already and publishes under host/ (since " in line
    watcher.wait(lambda _: json.loads(watcher.last("host/info").payload)["run"] == run, 30)
    assert first.running
    assert watcher.last("host/status").payload == b"online"
