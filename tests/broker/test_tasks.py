"""The ten things people want, as ``docs/tasks.md`` has them: each is done to the letter."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from broker.parties import Certificates
from broker.receivers import Webhook
from paho.mqtt.enums import CallbackAPIVersion
from servers import REPOSITORY, Daemon, Mosquitto, Server, free_port, wait_until

from publisher.contract.payload import rfc3339

pytestmark = pytest.mark.broker

_PAGE = REPOSITORY / "docs/tasks.md"
_MOST_LINES = 10


@dataclass
class Task:
    """One section of the page."""

    lines: int = 0
    toml: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def tasks() -> dict[str, Task]:
    found: dict[str, Task] = {}
    for section in _PAGE.read_text().split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        task = found[title] = Task(lines=len([line for line in text.splitlines() if line.strip()]))
        for kind, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if kind == "toml":
                task.toml.append(block)
            else:
                task.commands += [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
    return found


TASKS = tasks()


class House:
    """A broker, a machine that says what it is told to, and the commands of fanwhy.

    Attributes:
        words: what stands on the page, and what that is here.
    """

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self.broker = broker
        self.config = folder / "config.toml"
        self.config.touch()
        self.words = {"nas.lan": f"127.0.0.1:{broker.port}", "/etc/fanwhy": str(folder)}
        programs = folder / "bin"
        programs.mkdir()
        for name, module in (("fanwhy-pub", "publisher"), ("fanwhy-sub", "subscriber_cli")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
            program.chmod(0o755)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
        self.environment = {
            **kept, "PATH": f"{programs}:{kept['PATH']}", "FANWHY_CONFIG": str(self.config),
            "HOME": str(folder), "STATE_DIRECTORY": str(folder / "state"),
            "PYTHONPATH": str(REPOSITORY), "XDG_CONFIG_HOME": "", "COLUMNS": "200",
        }  # fmt: skip
        self.made: list[Server] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def here(self, text: str) -> str:
        for there, here in self.words.items():
            text = text.replace(there, here)
        return text

    def configure(self, *toml: str) -> None:
        self.config.write_text(self.here("\n".join(toml)))

    def nas(self, leaf: str, content: Any) -> None:
        """The machine called nas says something, and the broker keeps it."""
        if isinstance(content, dict):
            content = json.dumps({"host": "nas", "time": rfc3339(time.time()), **content})
        self._client.publish(f"host/nas/{leaf}", content, 1, retain=True).wait_for_publish(10)

    def run(self, command: str, *, broker: bool = True) -> str:
        """What a command says that ends by itself, and well."""
        variables = self.environment
        if broker:
            variables = variables | {"FANWHY_BROKER": self.broker.url}
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {self.here(command)}"], env=variables,
            capture_output=True, text=True, timeout=60, check=False, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, command: str) -> Server:
        """A command that goes on."""
        server = Server(self.folder / f"{len(self.made)}.log")
        variables = self.environment | {"FANWHY_BROKER": self.broker.url}
        server.launch(
            ["bash", "-c", self.here(command)], env=variables, cwd=self.folder,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.made.append(server)
        return server

    def close(self) -> None:
        for server in self.made:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        self._client.disconnect()
        self._client.loop_stop()


def says(server: Server, text: str) -> None:
    wait_until(lambda: text in server.log.read_text(), 40, text)


@pytest.fixture
def house(tmp_path: Path, anonymous: Mosquitto) -> Iterator[House]:
    made = House(tmp_path, anonymous)
    made.nas("status", "online")
    made.nas(
        "explanation",
        {"state": "busy", "headline": "CPU usage high due to: Restic backup",
         "causes": [{"name": "Restic backup", "category": "backup", "active": True}],
         "energy": [{"label": "Restic backup", "today_joules": 1.8e6, "week_joules": 7.2e6}]},
    )  # fmt: skip
    yield made
    made.close()


def watched(house: House, task: Task) -> None:
    watch, why = task.commands
    says(house.start(watch), "nas")
    assert "CPU usage high due to: Restic backup" in house.run(why, broker=False)


def told_when_hot(house: House, task: Task) -> None:
    phone = Webhook()
    try:
        house.words["ntfy://ntfy.sh"] = f"ntfy://127.0.0.1:{phone.port}"
        house.configure(*task.toml, "for_minutes = 0")
        (command,) = task.commands
        says(house.start(command), "connected to")
        assert phone.taken[0][0] == "fanwhy: a test"
        house.nas("overview", {"thermal_cpu_temperature_celsius": 90})
        wait_until(lambda: len(phone.taken) > 1, 30)
        title, text = phone.taken[1]
        assert title == "nas: CPU 90 °C"
        assert text.startswith("CPU usage high due to: Restic backup\nRestic backup")
    finally:
        phone.stop()


def asked_about_the_night(house: House, task: Task) -> None:
    now = datetime.now().astimezone()
    three = now.replace(hour=3, minute=0, second=0, microsecond=0)
    three -= timedelta(days=three > now)
    began, ended = (rfc3339((three + timedelta(minutes=each)).timestamp()) for each in (-10, 20))
    span = {"began": began, "ended": ended}
    headline = "CPU usage high due to: Restic backup"
    house.nas("timeline", {
        "since": rfc3339(now.timestamp() - 172_000), "until": rfc3339(now.timestamp()),
        "causes": [{"label": "Restic backup", "resource": "cpu", "share_percent": 90, **span}],
        "states": [{"state": "busy", "headline": headline, **span}],
    })  # fmt: skip
    why, history = map(house.run, task.commands)
    assert "CPU usage high due to: Restic backup" in why
    assert "BUSY 02:50 to 03:20" in why
    assert "02:50" in history or now.hour < 3


def named(house: House, task: Task) -> None:
    (rules,) = task.toml
    (setting,) = re.findall(r"(\[explain\]) (rules_file = .*)", rules)
    house.configure(*setting)
    (house.folder / "rules.toml").write_text(rules)
    assert "Nightly copy to the NAS" in house.run(*task.commands)


def hidden(house: House, task: Task) -> None:
    (command,) = task.commands
    names = [path.name for path in sorted(Path("/sys/block").iterdir())]
    disk = next((name for name in names if (Path("/sys/block") / name / "device").exists()), "")
    if not disk:
        pytest.skip("this machine has no disk that could be hidden")
    house.words["sr0"] = disk
    house.configure(*task.toml)
    said = house.run(f"{command} || true")
    assert '"*Card Reader*" fits no disk here' in said
    assert f'"{disk}" fits no disk here' not in said
    shown = json.loads(house.run("fanwhy-pub once --json"))
    labels = [disk.get("label") for disk in shown.get("disk", {}).get("devices", {}).values()]
    assert disk not in labels


def told_apart(house: House, task: Task) -> None:
    daemons = []
    for name in ("attic", "cellar"):
        folder = house.folder / name
        folder.mkdir()
        settings = f"{task.toml[0]}\nhostname = '{name}'\n[broker]\nurl = '{house.broker.url}'\n"
        daemons.append(Daemon(folder, settings).start())
    try:
        for daemon in daemons:
            says(daemon, "connected to")
        house.configure(*task.toml)
        (command,) = task.commands
        wait_until(
            lambda: {"attic", "cellar", "nas"} <= set(re.findall(r"\w+", house.run(command))), 40
        )
    finally:
        for daemon in daemons:
            daemon.kill()


def encrypted(house: House, task: Task, certificates: Certificates) -> None:
    port, keys = free_port(), certificates.directory
    folder = house.folder / "tls"
    folder.mkdir()
    broker = Mosquitto(
        folder,
        f"listener {port} 127.0.0.1\ncertfile {keys}/server.crt\nkeyfile {keys}/server.key",
    ).start(port)
    try:
        house.words["nas.lan"] = f"127.0.0.1:{port}"
        (house.folder / "ca.crt").write_bytes((keys / "ca.crt").read_bytes())
        password = house.folder / "password"
        password.write_text("secret\n")
        password.chmod(0o600)
        house.configure(*task.toml)
        (command,) = task.commands
        assert f"mqtts://127.0.0.1:{port}" in house.run(command, broker=False)
    finally:
        broker.kill()


def told_when_loud(house: House, task: Task) -> None:
    house.configure('[notify]\nurl = "ntfy://ntfy.sh/a-secret-word"', *task.toml)
    said = house.run(*task.commands)
    assert "loud: a machine is above fan 2,000 rpm for 2 min -> default\n" in said
    assert "alerts:" not in said
    assert said.endswith("default: an address\n")


def scraped(house: House, task: Task) -> None:
    house.words["127.0.0.1:9741"] = listen = f"127.0.0.1:{free_port()}"
    house.environment["FANWHY_METRICS__LISTEN"] = listen
    metrics, curl = task.commands
    house.nas("catalogue", {"properties": {}})
    house.nas("cpu", {"usage_percent": 87.5})
    says(house.start(metrics.removesuffix(" &")), "connected to")
    line = 'fanwhy_cpu_usage_ratio{host="nas",prefix="host/nas"} 0.875\n'
    wait_until(lambda: house.run(f"{curl} || true") == line, 20)


def charged(house: House, task: Task) -> None:
    (command,) = task.commands
    assert house.run(command) == '["Restic backup",2]\n'


DONE: dict[str, Callable[..., None]] = {
    "See it from another machine": watched,
    "A message on my phone when it is hot": told_when_hot,
    "Who was it last night at three?": asked_about_the_night,
    "A name for my own program": named,
    "Hide a disk": hidden,
    "Two machines on one broker": told_apart,
    "TLS": encrypted,
    "Only when the fan is over 2,000 rpm": told_when_loud,
    "Grafana": scraped,
    "Kilowatt hours by culprit": charged,
}


def test_there_are_ten_and_each_is_short() -> None:
    assert list(TASKS) == list(DONE)
    assert {title: task.lines for title, task in TASKS.items() if task.lines > _MOST_LINES} == {}


@pytest.mark.parametrize("title", DONE)
def test_it_is_done_as_the_page_says(
    house: House, title: str, request: pytest.FixtureRequest
) -> None:
    more = {"certificates": request.getfixturevalue("certificates")} if title == "TLS" else {}
    DONE[title](house, TASKS[title], **more)
