"""``docker compose up -d`` as the README has it, in a real engine on a host that has a life."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from broker.parties import Watcher
from containers.engine import Checkout, Engine
from servers import REPOSITORY, wait_until

from publisher.sources import machine_files
from publisher.sources.identity import describe

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

_MEBI = 1 << 20
_MOUNT_POINT = Path("/srv/fanwhy-films")
_LOOKS = 10
_WEIGHTS = (Path("/sys/fs/cgroup/cpu/docker/cpu.shares"), Path("/sys/fs/cgroup/docker/cpu.weight"))
_ZONE = "/usr/share/zoneinfo/Asia/Kolkata"


@dataclass
class Stack:
    """The stack, up, and what it has said so far."""

    checkout: Checkout
    watcher: Watcher
    seconds: dict[str, float] = field(default_factory=dict)

    def newest(self, leaf: str) -> Any:
        """The newest state on a topic."""
        return json.loads(self.watcher.wait_for(f"host/{leaf}", timeout=30).payload)

    def until(self, leaf: str, condition: Any, timeout: float = 60) -> Any:
        """The first state from now on, the newest included, that is as is wanted."""

        def found(_: object = None) -> Any:
            newest = self.watcher.newest(f"host/{leaf}")
            payload = json.loads(newest.payload) if newest and newest.payload else None
            return payload if payload and condition(payload) else None

        self.watcher.wait(found, timeout)
        return found()


@pytest.fixture(scope="module")
def disk(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A file system of 200 MB on the host, four fifths full."""
    image = tmp_path_factory.mktemp("disk") / "films.img"
    with image.open("wb") as file:
        file.truncate(200 * _MEBI)
    run = engine.run
    run("mkfs.ext4", "-q", "-m", "0", str(image))
    device = run("losetup", "--find", "--show", str(image)).strip()
    _MOUNT_POINT.mkdir(parents=True)
    try:
        # Where the first process of this machine sees it, and where the engine does.
        run("mount", device, str(_MOUNT_POINT))
        engine.mount(device, _MOUNT_POINT)
        _fill(engine, "a", 150)
        yield device
    finally:
        engine.try_to("umount", str(_MOUNT_POINT))
        with suppress(AssertionError):  # where both are one
            engine.inside("umount", str(_MOUNT_POINT))
        run("losetup", "--detach", device)
        _MOUNT_POINT.rmdir()


def _fill(engine: Engine, name: str, megabytes: int) -> None:
    engine.run("fallocate", "--length", f"{megabytes}M", str(_MOUNT_POINT / name))


@pytest.fixture(scope="module")
def stack(engine: Engine, checkout: Checkout, disk: str) -> Iterator[Stack]:
    """Everything that the README says, on a host whose clocks show India's time."""
    local_time = os.path.realpath("/etc/localtime")
    engine.mount("--bind", _ZONE, local_time)
    checkout.run("mosquitto/setup", "--no-tls")
    checkout.compose("build", "--quiet")
    began = time.monotonic()
    checkout.compose("up", "--detach")
    up = time.monotonic() - began
    stack = Stack(
        checkout, Watcher(1883, "host/#", password=checkout.password("reader")), {"up -d": up}
    )
    stack.newest("explanation")
    stack.seconds["up -d to the first sentence"] = time.monotonic() - began
    yield stack
    for what, seconds in stack.seconds.items():
        print(f"{what}: {seconds:.1f} s")
    stack.watcher.close()
    engine.inside("umount", local_time)


def test_all_of_it_is_healthy_at_once(stack: Stack) -> None:
    stack.checkout.compose("up", "--detach", "--wait", "--wait-timeout", "60")

    for service in ("broker", "publisher"):
        assert stack.checkout.inspect(service, ".State.Health.Status") == "healthy"
    said = stack.checkout.publisher("fanwhy-pub", "health")
    assert said.startswith("connected to mqtt://127.0.0.1:1883")


def test_it_is_the_host_that_it_watches(stack: Stack) -> None:
    info = stack.newest("info")
    machine = describe(machine_files("/"))

    for fact in (
        "machine_id",
        "operating_system",
        "logical_cores",
        "memory_total_bytes",
        "boot_time",
    ):
        assert info[fact] == getattr(machine, fact)
    assert info["virtualization"].startswith("docker")
    absent = {name for name, sense in info["senses"].items() if sense["state"] != "ok"}
    bare = _bare("doctor")["senses"]
    # Only what takes a right that a service has not either is not told.
    lost = {name for name in absent if bare.get(name, {}).get("state") == "ok"}
    assert lost <= {"ledger.disk", "ledger.network", "ledger.lineage", "ledger.clients"}, lost


def _bare(*words: str) -> Any:
    """What a command of ours says on the host itself."""
    done = subprocess.run(
        [sys.executable, "-m", "publisher", *words, "--json"], cwd=REPOSITORY, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_processes_of_the_host_and_other_containers_go_by_their_names(stack: Stack) -> None:
    run = stack.checkout.run
    run("docker", "run", "--detach", "--name", "film-scanner", "python:3.13-slim", "sh", "-c",
        "while :; do :; done & while :; do :; done")  # fmt: skip
    # Whatever else this machine does, these two come first.
    for weight in _WEIGHTS:
        if weight.exists():
            weight.write_text("10000")
    try:
        found = stack.until("cpu", lambda it: "film-scanner" in _groups(it))
    finally:
        run("docker", "rm", "--force", "film-scanner")
    assert _groups(found)["film-scanner"] == "container"

    # Without its parent it is a job of its own, not one of ours.
    start = "nice -n -19 xz --threads=2 -9 -c /dev/zero >/dev/null 2>&1 & echo $!"
    xz = int(subprocess.check_output(["sh", "-c", start], start_new_session=True))
    try:
        stack.until("cpu", lambda it: "xz" in _groups(it))
    finally:
        os.kill(xz, signal.SIGKILL)
    assert stack.newest("info")["senses"]["ledger.containers"]["state"] == "ok"


def _groups(cpu: Any) -> dict[str, str]:
    """The kinds of those that use most of the processors, by name."""
    return {one["group"]: one["kind"] for one in cpu["top"]}


def test_what_names_containers_tells_nothing_else(stack: Stack) -> None:
    run = stack.checkout.run
    secret = "hunter2-of-a-container"
    identity = run("docker", "run", "--detach", "--name", "keeper", "--env", f"PASSWORD={secret}",
                   "python:3.13-slim", "sleep", "1000").strip()  # fmt: skip
    ask = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX);"
        "s.connect('/run/names/docker.sock');"
        "s.sendall(sys.argv[1].encode() + b' HTTP/1.0\\r\\n\\r\\n');"
        "print(b''.join(iter(lambda: s.recv(4096), b'')).decode())"
    )
    try:
        told = stack.checkout.publisher("python", "-c", ask, f"GET /containers/{identity}/json")
        refused = [
            stack.checkout.publisher("python", "-c", ask, question)
            for question in (
                "GET /containers/json", f"POST /containers/{identity}/stop", "GET /info",
                f"GET /containers/{identity}/../json", f"GET /containers/{identity}/logs?stdout=1",
            )
        ]  # fmt: skip
    finally:
        run("docker", "rm", "--force", "keeper")

    assert '"/keeper"' in told
    assert secret not in told
    assert all(answer.startswith("HTTP/1.0 403 ") for answer in refused)


def test_the_hosts_disks_show_how_full_they_are_and_raise_an_alert(
    stack: Stack, engine: Engine
) -> None:
    space = stack.until("disk", _films)
    bare = _bare("once", "disk")["disk"]

    assert _films(space)["used_percent"] == pytest.approx(80, abs=5)
    assert space["devices"].keys() == bare["devices"].keys()
    assert space["filesystems"].keys() == bare["filesystems"].keys()

    _fill(engine, "b", 25)
    event = stack.until("event", lambda it: it.get("alert") == "disk_full", 120)
    assert str(_MOUNT_POINT) in event["message"]


def _films(disk: Any) -> Any:
    """The file system of the test, once its usage is told."""
    found = disk.get("filesystems", {}).values()
    return next(
        (one for one in found if one["label"] == str(_MOUNT_POINT) and "used_percent" in one), None
    )


def test_times_of_day_are_the_hosts(stack: Stack) -> None:
    shown = stack.checkout.publisher("fanwhy-pub", "top", "--seconds", "1")
    began = re.findall(r" (\d\d):(\d\d) *$", shown, re.MULTILINE)
    now = time.gmtime(time.time() + 5.5 * 3600)

    assert f"{now.tm_hour:02}" in {hour for hour, _ in began}, shown


def test_its_health_is_asked_without_a_line_in_the_brokers_log(stack: Stack) -> None:
    compose = stack.checkout.compose
    before = len(compose("logs", "broker").splitlines())
    test = json.loads(stack.checkout.inspect("broker", "json .Config.Healthcheck.Test"))
    for _ in range(_LOOKS):
        compose("exec", "-T", "broker", *test[1:])
        stack.checkout.publisher("fanwhy-pub", "health")

    # Others on this machine may come by; each look would bring two lines.
    assert len(compose("logs", "broker").splitlines()) - before < _LOOKS


def test_it_obeys_signals(stack: Stack) -> None:
    compose = stack.checkout.compose
    compose("kill", "--signal", "HUP", "publisher")
    wait_until(lambda: "configuration read again" in compose("logs", "publisher"), 30)

    compose("stop", "publisher")
    assert stack.checkout.inspect("publisher", ".State.ExitCode") == "0"  # 137: it was killed
    stack.watcher.wait_for("host/status", b"offline")
    compose("start", "publisher")
    stack.watcher.wait_for("host/status", b"online")


def test_down_and_an_upgrade_lose_nothing(stack: Stack) -> None:
    checkout = stack.checkout
    keeper = Watcher(1883, "homeassistant/#", username="homeassistant",
                     password=checkout.password("homeassistant"))  # fmt: skip
    keeper.publish("homeassistant/kept", b"by somebody else", retain=True)
    keeper.close()
    assert str(_MOUNT_POINT) in _day(checkout)
    checkout.compose("down", "--timeout", "10")
    with (checkout.folder / "Dockerfile").open("a") as file:
        file.write("LABEL test.release=newer\n")
    checkout.compose("build", "--quiet", "publisher")
    checkout.compose("up", "--detach")

    assert checkout.inspect("publisher", 'index .Config.Labels "test.release"') == "newer"
    stack.watcher.wait_for("host/status", b"online", 30)
    keeper = Watcher(1883, "homeassistant/#", username="homeassistant",
                     password=checkout.password("homeassistant"))  # fmt: skip
    assert keeper.wait_for("homeassistant/kept").payload == b"by somebody else"
    keeper.close()
    assert str(_MOUNT_POINT) in _day(checkout)


def _day(checkout: Checkout) -> str:
    """What the daemon keeps of the last two days."""
    return checkout.publisher("cat", "/var/lib/fanwhy/day.json")


def test_the_recorder_records(stack: Stack) -> None:
    compose = stack.checkout.compose
    compose("--profile", "record", "up", "--detach", "recorder")

    words = ["docker", "compose", "--profile", "record", "exec", "-T", "recorder"]

    def told() -> str:
        done = stack.checkout.engine.try_to(
            *words, "fanwhy-sub", "history", "--json", folder=stack.checkout.folder
        )
        return done.stdout

    wait_until(lambda: str(_MOUNT_POINT) in told(), 60)


def test_other_machines_come_over_tls(stack: Stack, tmp_path: Path) -> None:
    checkout = stack.checkout
    said = checkout.run("mosquitto/setup", "--tls", "nas.local,192.0.2.7")
    checkout.compose("up", "--detach")
    stack.watcher.clear()
    checkout.compose("restart", "broker")
    stack.watcher.wait_for("host/status", b"online", 60)
    assert "mqtts://reader@nas.local:8883" in said
    assert "password" not in said, "those that were there stay"

    reader = {
        "FANWHY_BROKER__PASSWORD_FILE": str(checkout.folder / "secrets/reader-password"),
        "FANWHY_BROKER__CA_FILE": str(checkout.folder / "mosquitto/certificates/ca.crt"),
    }
    why = [sys.executable, "-m", "subscriber_cli", "why", "--broker"]
    found = subprocess.run(
        [*why, "mqtts://reader@localhost:8883"], cwd=REPOSITORY, env=os.environ | reader,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    named = checkout.run("openssl", "x509", "-noout", "-ext", "subjectAltName",
                         "-in", "mosquitto/certificates/server.crt")  # fmt: skip
    assert "DNS:nas.local" in named
    assert "IP Address:192.0.2.7" in named
    (ports,) = (line for line in checkout.compose("ps").splitlines() if "broker" in line)
    assert "0.0.0.0:8883" in ports
    assert "127.0.0.1:1883" in ports


def _lines_of(page: str) -> Iterator[str]:
    """The commands of a page's blocks of shell."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                yield line.removeprefix("$ ").replace("compose exec ", "compose exec -T ")


def test_it_costs_what_it_costs_on_the_bare_machine(stack: Stack) -> None:
    """Figures for the page, not a benchmark: the daemon's own account of itself."""
    own = stack.newest("self")
    print(f"in the container: {own['memory_bytes'] / _MEBI:.1f} MiB")

    assert own["memory_bytes"] < 64 * _MEBI


def test_the_page_can_be_followed(stack: Stack) -> None:
    """Every command of it, as the last, for it ends with the end of all."""
    commands = list(_lines_of((REPOSITORY / "docs/docker.md").read_text()))

    assert commands[0] == "mosquitto/setup"
    assert commands[-1].startswith("docker compose down")
    for command in commands:
        if "--pull" not in command:  # there is no registry
            stack.checkout.run("sh", "-c", command)
