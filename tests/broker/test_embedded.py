"""The broker that fanwhy brings along: both programs, for real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from servers import free_port

from publisher.errors import BrokerError
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.embedded import EmbeddedBroker, Program, find_or_start, programs

pytestmark = pytest.mark.broker

NOTHING_SET = BrokerSettings()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(params=["mosquitto", "iotcore"])
def program(request: pytest.FixtureRequest) -> Program:
    return next(each for each in programs() if each.name == request.param)


@pytest.fixture
def embedded(port: int, program: Program) -> Iterator[EmbeddedBroker]:
    broker = find_or_start(NOTHING_SET, port=port, choice=[program])
    assert broker
    yield broker
    broker.stop()


def listening(port: int) -> list[str]:
    """The local addresses that listen on a port, as /proc/net/tcp writes them."""
    lines = []
    for name in ("tcp", "tcp6"):
        lines += Path("/proc/net", name).read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return [each[1] for each in fields if each[3] == "0A" and int(each[1][-4:], 16) == port]


def server(broker: EmbeddedBroker, program: Program) -> psutil.Process:
    children = psutil.Process(broker.pid).children()
    return next(each for each in children if each.cmdline()[0] == program.command[0])


def test_mosquitto_is_preferred() -> None:
    assert [each.name for each in programs()] == ["mosquitto", "iotcore"]


def test_it_says_so_and_carries_messages(
    embedded: EmbeddedBroker, program: Program, port: int, watch: Callable[..., Any]
) -> None:
    assert embedded.line == (
        f"no broker configured and none found: started one of our own ({program.name}) "
        f"on mqtt://127.0.0.1:{port}, for this machine only"
    )
    reader = watch(embedded_at(port), version=4)
    reader.publish("host/catalogue", b"x" * 200_000, retain=True)
    assert watch(embedded_at(port), version=4).wait_for("host/catalogue", b"x" * 200_000).retain


def embedded_at(port: int) -> SimpleNamespace:
    return SimpleNamespace(port=port)


def test_the_session_speaks_what_it_speaks(
    embedded: EmbeddedBroker,
    program: Program,
    port: int,
    run: Callable[..., Any],
    watch: Callable[..., Any],
) -> None:
    one = run(embedded.url)
    version = {"mosquitto": "MQTT 5", "iotcore": "MQTT 3.1.1"}[program.name]
    assert one.wait_state(True) == f"connected to {embedded.url} with {version}"
    one.put("host/cpu", b"1")
    reader = watch(embedded_at(port), version=4)
    reader.wait_for("host/cpu", b"1")


def test_it_listens_on_loopback_and_nowhere_else(
    embedded: EmbeddedBroker, program: Program, port: int
) -> None:
    assert listening(port) == [f"0100007F:{port:04X}"]
    connections = server(embedded, program).net_connections("inet")
    assert [each.laddr.port for each in connections if each.status == "LISTEN"] == [port]


def test_the_second_one_finds_the_first(embedded: EmbeddedBroker, port: int) -> None:
    assert find_or_start(NOTHING_SET, port=port) is None


def test_a_configured_broker_is_left_to_the_session(port: int) -> None:
    assert find_or_start(BrokerSettings(url="mqtt://nowhere.invalid"), port=port) is None
    assert listening(port) == []


def test_a_broker_with_passwords_is_a_broker(broker: Any) -> None:
    assert find_or_start(NOTHING_SET, port=broker.port) is None


def test_a_port_taken_by_something_else_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)
        port = other.getsockname()[1]
        command = "from publisher.mqtt.embedded import *; find_or_start(BrokerSettings(), port={})"
        client = subprocess.Popen(
            [sys.executable, "-c", command.format(port)], stderr=subprocess.PIPE, text=True
        )
        peer, _ = other.accept()
        peer.recv(100)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.close()
        _, errors = client.communicate(timeout=20)
    assert errors.splitlines()[-1] == (
        f"publisher.errors.BrokerError: port {port} of this machine is taken by something that "
        "is no MQTT broker; set broker.url (or FANWHY_BROKER) to where your broker is"
    )


def test_no_program_is_one_line(port: int) -> None:
    with pytest.raises(BrokerError, match="install mosquitto or the extra 'fanwhy"):
        find_or_start(NOTHING_SET, port=port, choice=[])


def test_a_program_that_fails_gives_way_to_the_next(port: int) -> None:
    broken = Program("broken", ("/bin/sh", "-c", "exit 3"))
    good = next(programs())
    broker = find_or_start(NOTHING_SET, port=port, choice=[broken, good])
    assert broker
    broker.stop()
    with pytest.raises(BrokerError, match=r"; broken ended at once \(exit code 3\)$"):
        find_or_start(NOTHING_SET, port=port, choice=[broken])


def test_it_is_started_again_after_a_crash(
    embedded: EmbeddedBroker,
    program: Program,
    caplog: pytest.LogCaptureFixture,
    wait_until: Callable[..., None],
) -> None:
    first = server(embedded, program)
    first.kill()
    psutil.wait_procs([first], timeout=10)
    wait_until(lambda: embedded.ended)
    embedded.poll()
    assert embedded.restart_pause > 0  # not at once: it has only just begun
    embedded.restart_pause = 0
    embedded.poll()
    embedded.wait_ready()
    assert server(embedded, program).pid != first.pid
    assert [each.levelname for each in caplog.records] == ["WARNING"]


def test_stop_leaves_nothing(
    port: int, program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    broker = find_or_start(NOTHING_SET, port=port, choice=[program])
    assert broker
    family = [psutil.Process(broker.pid), *psutil.Process(broker.pid).children(recursive=True)]
    broker.stop()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert listening(port) == []
    assert capfd.readouterr() == ("", "")


DAEMON = """
import sys, threading
from publisher.mqtt.embedded import find_or_start, programs
from publisher.mqtt.broker import BrokerSettings
choice = [each for each in programs() if each.name == sys.argv[2]]
broker = find_or_start(BrokerSettings(), port=int(sys.argv[1]), choice=choice)
print(broker.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_however_the_daemon_ends(
    port: int, program: Program, number: signal.Signals, tmp_path: Path
) -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(port), program.name],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert daemon.stdout
    keeper = psutil.Process(int(daemon.stdout.readline()))
    family = [keeper, *keeper.children(recursive=True)]
    assert len(family) == 3
    daemon.send_signal(number)
    daemon.wait(10)
    daemon.stdout.close()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []
