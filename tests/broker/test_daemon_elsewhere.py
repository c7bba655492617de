"""The whole daemon where there is no Linux below it, only Python and psutil.

Emulated on Linux (``withdrawn``): no ``/proc``, no ``/sys``, and none of the calls that macOS or
Windows lack. What this cannot show is what psutil itself tells on those systems.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import servers
from broker.parties import Received, Watch, Watcher

from publisher.contract.model import json_schema
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import all_topics

pytestmark = pytest.mark.broker

READINGS = {"cpu", "memory", "disk", "network", "self", "overview", "explanation", "info"}
# What Linux alone tells: absent, with the reason, wherever psutil is all there is.
UNTOLD = {
    "cpu.pressure",
    "cpu.tasks",
    "disk.pressure",
    "disk.queue",
    "disk.size",
    "ledger.clocks",
    "ledger.units",
    "ledger.waiting",
    "memory.oom_kills",
    "memory.pressure",
    "network.connections",
    "power.rapl",
}


def payload(message: Received) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.payload)
    return found


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an interpreter that finds neither the kernel's files nor Unix's calls."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(Path(__file__).with_name("withdrawn.py"), folder / "sitecustomize.py")
    left = ("FANWHY_", "COVERAGE_")  # what measures coverage needs what is not there
    own = {name: value for name, value in os.environ.items() if not name.startswith(left)}
    return own | {"PYTHONPATH": str(folder)}


@pytest.fixture
def broker(anonymous: servers.Mosquitto) -> servers.Mosquitto:
    return anonymous


@pytest.fixture
def daemon(
    tmp_path: Path, broker: servers.Mosquitto, elsewhere: dict[str, str]
) -> Iterator[servers.Daemon]:
    made = servers.Daemon(tmp_path, f"[broker]\nurl = '{broker.url}'\n")
    made.environment = elsewhere | {"STATE_DIRECTORY": str(made.state)}
    yield made
    made.kill()


SPINNERS = """
import os
if os.fork():
    os._exit(0)
for _ in range(3):
    if not os.fork():
        break
while True:
    pass
"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[str]:
    """The name of a job that keeps the processors busy and is no child of ours.

    Four processes, so that others who work on this machine meanwhile do not hide it.
    """
    script = tmp_path / "spinner.py"
    script.write_text(SPINNERS)
    with subprocess.Popen([sys.executable, script], start_new_session=True) as started:
        started.wait()
    yield script.stem
    os.killpg(started.pid, signal.SIGKILL)


def test_nothing_of_the_kernel_is_left_but_what_psutil_tells(elsewhere: dict[str, str]) -> None:
    program = (
        "import os, select, signal, socket, sys, psutil\n"
        "assert not os.path.exists('/proc/self/stat') and psutil.cpu_times().user\n"
        "assert not any(map(hasattr, (os, signal, select, socket),"
        " ('pipe2', 'SIGHUP', 'poll', 'AF_NETLINK')))\n"
        "try: open('/proc/self/stat')\n"
        "except FileNotFoundError: pass\n"
        "else: sys.exit(1)\n"
        "try: import fcntl\n"
        "except ImportError: pass\n"
        "else: sys.exit(2)\n"
    )
    subprocess.run([sys.executable, "-c", program], env=elsewhere, check=True)


def test_every_module_can_be_imported(elsewhere: dict[str, str]) -> None:
    program = (
        # The toolkit of the screen has a part for each system, and takes this one for what it is.
        "import os\n"
        "os.getuid = os.geteuid = lambda: 1000\n"
        "import textual.app\n"
        "del os.getuid, os.geteuid\n"
        "import importlib, pkgutil, publisher, subscriber_cli\n"
        "for package in (publisher, subscriber_cli):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program], env=elsewhere, cwd=servers.REPOSITORY, check=True
    )


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=servers.REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def blamed(watcher: Watcher, label: str) -> bool:
    """Whether the newest verdict names this as a cause."""
    verdict = payload(watcher.last("host/explanation"))
    causes = [cause["label"] for cause in verdict.get("causes", ()) if cause["active"]]
    return verdict["state"] in ("busy", "pressure") and any(label in cause for cause in causes)


def absent(watcher: Watcher) -> dict[str, str]:
    """What cannot be told on this machine, and why; all else works."""
    senses = payload(watcher.last("host/info"))["senses"]
    assert not {"failing", "denied"} & {sense["state"] for sense in senses.values()}
    return {name: sense["reason"] for name, sense in senses.items() if sense["state"] == "absent"}


def test_the_daemon_does_all_that_can_be_done_without_the_kernels_files(
    broker: servers.Mosquitto,
    watch: Watch,
    daemon: servers.Daemon,
    load: str,
    elsewhere: dict[str, str],
) -> None:
    watcher = watch(broker, "#")
    daemon.start()

    # Every topic that psutil can fill is there and keeps to the published schema.
    watcher.wait(lambda _: all(watcher.newest(f"host/{leaf}") for leaf in READINGS), timeout=30)
    schema = json_schema(readings_of(all_topics()))
    for leaf in READINGS:
        of_topic = {"$defs": schema["$defs"], **schema["properties"][leaf]}
        jsonschema.validate(payload(watcher.last(f"host/{leaf}")), of_topic)
    told = {leaf: payload(watcher.last(f"host/{leaf}")) for leaf in READINGS}
    assert told["cpu"]["usage_percent"] > 0
    assert told["cpu"]["logical_cores"] == os.cpu_count()
    assert len(told["cpu"]["load_average"]) == 3
    assert told["memory"]["total_bytes"] > told["memory"]["available_bytes"] > 0
    assert told["disk"]["fullest_percent"] > 0
    assert told["network"]["interfaces"]
    assert told["self"]["memory_bytes"] > 1 << 20
    assert told["info"]["boot_time"]
    assert told["info"]["memory_total_bytes"] == told["memory"]["total_bytes"]

    # Who is to blame is named, and Home Assistant hears of the machine.
    watcher.wait(lambda _: blamed(watcher, load), timeout=60)
    watcher.wait(
        lambda messages: any(
            each.topic.startswith("homeassistant/") and b"host/cpu" in each.payload
            for each in messages
        )
    )

    # What cannot be told is absent with its reason, once.
    watcher.wait(lambda _: absent(watcher).keys() >= UNTOLD)
    assert all(absent(watcher).values())
    assert not {"running_tasks", "pressure_some_percent"} & told["cpu"].keys()
    log = daemon.log.read_text().splitlines()
    assert sum("absent on this machine" in line for line in log) == 1
    (warning,) = [line for line in log if "warning" in line]
    assert "no file locks on this system" in warning

    # The terminal shows it, from a system that has no more than that.
    def terminal(*words: str) -> str:
        found = run(elsewhere, "subscriber_cli", *words, "--broker", broker.url)
        assert found.returncode in (0, 1), found.stderr
        return found.stdout

    servers.wait_until(lambda: load in terminal("why"))
    assert "host/cpu" in terminal("tail", "cpu", "--json", "--count", "1", "--seconds", "20")

    doctor = run(daemon.environment, "publisher", "doctor", "--config", str(daemon.config))
    assert "psutil does not tell how many tasks run" in " ".join(doctor.stdout.split())

    assert daemon.end(signal.SIGTERM) == 0
    watcher.wait_for("host/status", b"offline")


def test_where_nothing_can_be_executed_in_its_place_the_command_itself_is_the_daemon(
    broker: servers.Mosquitto, watch: Watch, daemon: servers.Daemon
) -> None:
    watcher = watch(broker)
    daemon.environment |= {"WITHDRAW_EXEC": "yes"}  # as on Windows
    daemon.start()
    watcher.wait(lambda messages: any(each.topic == "host/cpu" for each in messages), timeout=30)
    assert daemon.end(signal.SIGTERM) == 0
    watcher.wait_for("host/status", b"offline")
