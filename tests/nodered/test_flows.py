"""The flows of examples/node-red in a real Node-RED, fed by a real daemon over a real broker."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from publisher.schema.messages import EventReading
from publisher.schema.payload import Envelope, encode, to_json

ROOT = Path(__file__).parents[2]
FLOWS = ROOT / "examples/node-red/flows.json"
SETTINGS = """
module.exports = {
    flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: %d, credentialSecret: false,
    telemetry: { enabled: false }, editorTheme: { tours: false },
    externalModules: { autoInstall: false }, logging: { console: { level: "info" } },
};
"""
pytestmark = [pytest.mark.nodered, pytest.mark.timeout(180)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


class NodeRed:
    """A Node-RED with our flows, and what it wrote to its console."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        made = subprocess.run(
            [ROOT / "scripts/node-red"], check=True, capture_output=True, text=True
        )
        self.port = free_port()
        self.log = folder / "node-red.log"
        flows = json.loads(FLOWS.read_text())
        for node in flows:
            if node["type"] == "mqtt-broker":
                node["port"] = str(broker_port)
        (folder / "flows.json").write_text(json.dumps(flows))
        (folder / "settings.js").write_text(SETTINGS % self.port)
        red = Path(made.stdout.strip()) / "node_modules/node-red/red.js"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["node", red, "-u", folder, "-s", folder / "settings.js"],
                stdout=log, stderr=subprocess.STDOUT, cwd=folder,
            )  # fmt: skip

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
    port = free_port()
    config = tmp_path_factory.mktemp("broker") / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    server = subprocess.Popen(
        ["mosquitto", "-c", config], stderr=subprocess.DEVNULL, env={**os.environ, "PATH": path}
    )
    yield port
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def daemon(broker: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "config.toml").write_text("")
    server = subprocess.Popen(
        [sys.executable, "-m", "publisher", "run", "--config", folder / "config.toml",
         "--broker", f"mqtt://127.0.0.1:{broker}"],
        env={**os.environ, "STATE_DIRECTORY": str(folder)}, stderr=subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    yield
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def node_red(
    broker: int, daemon: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeRed]:
    del daemon
    red = NodeRed(tmp_path_factory.mktemp("node-red"), broker)
    wait_for(lambda: "Connected to broker" in red.log.read_text(), "Node-RED does not connect")
    yield red
    red.process.terminate()
    red.process.wait()


def publish(port: int, event: EventReading) -> None:
    payload = encode(Envelope("nas").wrap(to_json(event), time.time()))
    command = ["mosquitto_pub", "-p", str(port), "-t", "host/event", "-s"]
    subprocess.run(command, input=payload, check=True)


def test_a_new_reason_is_told_once(node_red: NodeRed) -> None:
    load = subprocess.Popen(
        ["sh", "-c", "xz -9 -T2 -c /dev/urandom >/dev/null"], start_new_session=True
    )
    try:
        wait_for(lambda: any("xz" in line for line in node_red.said("Why")), "xz is not named")
    finally:
        os.killpg(load.pid, signal.SIGKILL)
        load.wait()
    wait_for(lambda: "xz" not in node_red.said("Why")[-1], "the end is not told")
    told = node_red.said("Why")
    assert all(one != after for one, after in itertools.pairwise(told))


def test_whoever_asks_is_answered(node_red: NodeRed) -> None:
    wait_for(lambda: node_red.said("Why"), "no verdict yet")
    node_red.press("fanwhy-ask")
    wait_for(lambda: node_red.said("Answer"), "no answer")
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
    wait_for(lambda: node_red.said("Backup"), "the end is not told")
    assert alert.message in node_red.said("Alert")
    assert "Borg backup took 3.2 min" in node_red.said("Backup")


def test_nothing_went_wrong(node_red: NodeRed) -> None:
    log = node_red.log.read_text()
    assert "Started flows" in log
    for line in log.splitlines():
        assert "[error]" not in line, line
        assert "[warn]" not in line or "fanwhy" not in line, line
