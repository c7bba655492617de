"""The flows of examples/node-red in a real Node-RED, fed by a real daemon over a real broker."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import REPOSITORY, Daemon, Mosquitto, Server, free_port, wait_until

from publisher.contract.payload import Envelope, encode, to_json
from publisher.contract.readings import EventReading

FLOWS = REPOSITORY / "examples/node-red/flows.json"
SETTINGS = """
module.exports = {
    flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: %d, credentialSecret: false,
    telemetry: { enabled: false }, editorTheme: { tours: false },
    externalModules: { autoInstall: false }, logging: { console: { level: "info" } },
};
"""
pytestmark = [pytest.mark.nodered, pytest.mark.timeout(180)]


class NodeRed(Server):
    """A Node-RED with our flows, and what it wrote to its console."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        super().__init__(folder / "node-red.log")
        made = subprocess.run(
            [REPOSITORY / "scripts/node-red"], check=True, capture_output=True, text=True
        )
        self.port = free_port()
        flows = json.loads(FLOWS.read_text())
        for node in flows:
            if node["type"] == "mqtt-broker":
                node["port"] = str(broker_port)
        (folder / "flows.json").write_text(json.dumps(flows))
        (folder / "settings.js").write_text(SETTINGS % self.port)
        red = Path(made.stdout.strip()) / "node_modules/node-red/red.js"
        self.launch(["node", red, "-u", folder, "-s", folder / "settings.js"], cwd=folder)

    def said(self, by: str) -> list[str]:
        """What a debug node of that name printed."""
        return re.findall(rf"\[debug:{by}\] (.*)", self.log.read_text(errors="replace"))

    def press(self, node: str) -> None:
        """The button of an inject node."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/inject/{node}", b"")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    server = Mosquitto(tmp_path_factory.mktemp("broker")).start()
    yield server.port
    server.stop()


@pytest.fixture(scope="module")
def daemon(broker: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    url = f"mqtt://127.0.0.1:{broker}"
    server = Daemon(tmp_path_factory.mktemp("daemon"), options=["--broker", url]).start()
    yield
    server.stop()


@pytest.fixture(scope="module")
def node_red(
    broker: int, daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeRed]:
    del daemon
    red = NodeRed(tmp_path_factory.mktemp("node-red"), broker)
    wait_until(
        lambda: "Connected to broker" in red.log.read_text(), 60, "Node-RED does not connect"
    )
    yield red
    red.stop()


def publish(port: int, event: EventReading) -> None:
    payload = encode(Envelope("nas").wrap(to_json(event), time.time()))
    command = ["mosquitto_pub", "-p", str(port), "-t", "host/event", "-s"]
    subprocess.run(command, input=payload, check=True)


def test_a_new_reason_is_told_once(node_red: NodeRed) -> None:
    load = subprocess.Popen(
        ["sh", "-c", "xz -9 -T2 -c /dev/urandom >/dev/null"], start_new_session=True
    )
    try:
        wait_until(
            lambda: any("xz" in line for line in node_red.said("Why")), 60, "xz is not named"
        )
    finally:
        os.killpg(load.pid, signal.SIGKILL)
        load.wait()
    wait_until(lambda: "xz" not in node_red.said("Why")[-1], 60, "the end is not told")
    told = node_red.said("Why")
    assert all(one != after for one, after in itertools.pairwise(told))


def test_whoever_asks_is_answered(node_red: NodeRed) -> None:
    wait_until(lambda: node_red.said("Why"), 60, "no verdict yet")
    node_red.press("fanwhy-ask")
    wait_until(lambda: node_red.said("Answer"), 60, "no answer")
    assert node_red.said("Answer")[-1].strip()


def test_an_alert_and_the_end_of_a_backup_are_told_in_words(node_red: NodeRed, broker: int) -> None:
    alert = EventReading(
        id="1", event="alert_raised", message="The disk / is nearly full", state="quiet"
    )
    ended = EventReading(
        id="2", event="cause_ended", message="Borg backup ended", state="quiet",
        category="backup", label="Borg backup", duration_seconds=192.0,
    )  # fmt: skip
    publish(broker, alert)
    publish(broker, ended)
    wait_until(lambda: node_red.said("Backup"), 60, "the end is not told")
    assert alert.message in node_red.said("Alert")
    assert "Borg backup took 3.2 min" in node_red.said("Backup")


def test_nothing_went_wrong(node_red: NodeRed) -> None:
    log = node_red.log.read_text()
    assert "Started flows" in log
    for line in log.splitlines():
        assert "[error]" not in line, line
        assert "[warn]" not in line or "fanwhy" not in line, line
