"""The flows of examples/node-red in a real Node-RED, fed by a real daemon over a real broker."""

from __future__ import annotations

import contextlib
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
from typing import Any

import pytest
from servers import REPOSITORY, Daemon, Mosquitto, Server, free_port, wait_until

from publisher.contract.metric import Reading
from publisher.contract.payload import Envelope, encode, rfc3339, to_json
from publisher.contract.readings import (
    CauseReading,
    EnergyReading,
    EventReading,
    ExplanationReading,
)
from publisher.contract.timeline import PastCauseReading, TimelineReading
from publisher.subsystems.registry import all_topics

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

    def __init__(
        self, folder: Path, broker_port: int, prefix: str = "host", commands: Path | None = None
    ) -> None:
        """``prefix`` stands in for ours on the topics; programs in ``commands`` go first."""
        super().__init__(folder / "node-red.log")
        made = subprocess.run(
            [REPOSITORY / "scripts/node-red"], check=True, capture_output=True, text=True
        )
        self.port = free_port()
        flows = json.loads(FLOWS.read_text())
        for node in flows:
            if node["type"] == "mqtt-broker":
                node["port"] = str(broker_port)
            elif node.get("topic"):
                node["topic"] = node["topic"].replace("host/", f"{prefix}/")
        (folder / "flows.json").write_text(json.dumps(flows))
        (folder / "settings.js").write_text(SETTINGS % self.port)
        red = Path(made.stdout.strip()) / "node_modules/node-red/red.js"
        self.launch(
            ["node", red, "-u", folder, "-s", folder / "settings.js"], cwd=folder,
            env=os.environ | {"PATH": f"{commands}:{os.environ['PATH']}" if commands else
                              os.environ["PATH"]},
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


def publish(port: int, reading: Reading, topic: str = "host/event") -> None:
    payload = encode(Envelope("nas").wrap(to_json(reading), time.time()))
    command = ["mosquitto_pub", "-p", str(port), "-t", topic, "-s", "-r"]
    if topic.endswith("/event"):
        command.remove("-r")
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


# -- flows that act -------------------------------------------------------------------------------

STAND_IN = """#!/bin/sh
# {name} [--] VERB NAME: what it holds is one process, whose number is in a file of that name.
echo "{name} $*" >>"$0.log"
case $1 in
pause | freeze) kill -STOP "$(cat "$(dirname "$0")/$2.pid")" ;;
unpause | thaw) kill -CONT "$(cat "$(dirname "$0")/$2.pid")" ;;
*) exit 2 ;;
esac
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    for name in ("docker", "podman", "systemctl"):
        (folder / name).write_text(STAND_IN.format(name=name))
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def acting(
    broker: int, commands: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeRed]:
    """A Node-RED that hears of a host that we make up."""
    red = NodeRed(tmp_path_factory.mktemp("acting"), broker, "made", commands)
    wait_until(lambda: "Connected to broker" in red.log.read_text(), 60)
    yield red
    red.stop()


@contextlib.contextmanager
def held(commands: Path, name: str) -> Iterator[int]:
    """A process that works, which a stand-in of that name can stop."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (commands / f"{name}.pid").write_text(str(process.pid))
    yield process.pid
    process.kill()
    process.wait()


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_what_works_is_paused_while_somebody_sleeps_and_goes_on_after(
    acting: NodeRed, broker: int, commands: Path
) -> None:
    causes = (
        CauseReading(category="media", container_id="ab", to_stop="docker pause immich"),
        CauseReading(category="backup", unit="borg.service", to_stop="systemctl stop borg.service"),
        # Not among the kinds that may be paused; nothing harmless is known; no name of a container.
        CauseReading(category="database", to_stop="docker pause postgres"),
        CauseReading(category="backup", unit="kopia.service"),
        CauseReading(category="backup", to_stop="docker pause x;reboot"),
    )
    with held(commands, "immich") as box, held(commands, "borg.service") as unit:
        verdict = ExplanationReading(state="busy", headline="Busy", causes=causes)
        publish(broker, verdict, "made/explanation")
        time.sleep(1)
        assert not stopped(box)
        acting.press("fanwhy-sleep")
        wait_until(lambda: stopped(box) and stopped(unit), 20, "they are not stopped")
        publish(broker, verdict, "made/explanation")  # once is enough
        acting.press("fanwhy-wake")
        wait_until(lambda: not stopped(box) and not stopped(unit), 20, "they do not go on")
    said = "".join(path.read_text() for path in commands.glob("*.log"))
    assert sorted(said.splitlines()) == [
        "docker pause immich", "docker unpause immich",
        "systemctl freeze borg.service", "systemctl thaw borg.service",
    ]  # fmt: skip
    assert acting.said("Paused")[0] == "pause immich"


def overview(heat: float, speed: int) -> Reading:
    reading: Any = all_topics()["overview"].reading
    values = {"thermal_cpu_temperature_celsius": heat, "thermal_fan_speed_rpm": speed}
    made: Reading = reading(headline="CPU usage high due to: xz", **values)
    return made


def test_heat_and_noise_are_told_once_and_not_at_night(acting: NodeRed, broker: int) -> None:
    publish(broker, overview(60, 900), "made/overview")
    publish(broker, overview(91, 2400), "made/overview")
    publish(broker, overview(92, 2400), "made/overview")
    hour = int(time.strftime("%H"))
    night = hour >= 22 or hour < 7
    if not night:
        wait_until(lambda: acting.said("Message"), 20)
    time.sleep(1)
    message = "nas: 91 °C, fan at 2400 rpm. CPU usage high due to: xz"
    assert acting.said("Message") == ([] if night else [message])


@pytest.mark.parametrize(("hours_ago", "missing"), [(30, True), (2, False)])
def test_a_backup_that_did_not_run_is_told(
    acting: NodeRed, broker: int, hours_ago: int, missing: bool
) -> None:
    before = len(acting.said("Missed"))
    ended = rfc3339(time.time() - 3600 * hours_ago)
    past = PastCauseReading(label="Borg backup", category="backup", ended=ended)
    publish(broker, TimelineReading(causes=(past,)), "made/timeline")
    time.sleep(1)
    acting.press("fanwhy-morning")
    if missing:
        wait_until(lambda: len(acting.said("Missed")) > before, 20)
    time.sleep(1)
    told = acting.said("Missed")[before:]
    assert told == (["nas: no backup has ended in the last 12 hours"] if missing else [])


def test_kilowatt_hours_are_written_by_culprit(acting: NodeRed, broker: int) -> None:
    energy = (
        EnergyReading(label="Borg backup", today_joules=7.2e6),
        EnergyReading(label='=cmd"x', today_joules=3.6e6),
        EnergyReading(label="idle", today_joules=0.0),
    )
    publish(broker, ExplanationReading(state="quiet", energy=energy), "made/explanation")
    time.sleep(1)
    acting.press("fanwhy-midnight")
    file = acting.log.parent / "fanwhy-energy.csv"
    wait_until(lambda: file.exists() and file.read_text(), 20)
    day = time.strftime("%Y-%m-%d")
    assert file.read_text() == (f'{day},"nas","Borg backup",2.000\n{day},"nas","\'=cmd""x",1.000\n')


def test_no_two_nodes_lie_on_each_other() -> None:
    """A node is some 30 high, and as wide as its name; Node-RED's own figures."""
    nodes = [node for node in json.loads(FLOWS.read_text()) if "x" in node]
    for one, other in itertools.combinations(nodes, 2):
        apart = 35 if one["z"] == other["z"] else 0
        wide = sum(max(100, 50 + 7.5 * len(node["name"])) / 2 for node in (one, other))
        across, down = abs(one["x"] - other["x"]), abs(one["y"] - other["y"])
        assert across >= wide or down >= apart, (one["name"], other["name"])


@pytest.mark.parametrize("red", ["node_red", "acting"])
def test_nothing_went_wrong(red: str, request: pytest.FixtureRequest) -> None:
    log = request.getfixturevalue(red).log.read_text()
    assert "Started flows" in log
    for line in log.splitlines():
        assert "[error]" not in line, line
        assert "[warn]" not in line or "fanwhy" not in line, line
