"""A main loop that stands still is noticed, by systemd or by a thread of our own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.daemon.watchdog import EXIT_CODE, Watchdog
from publisher.service.notify import ServiceManager


@pytest.fixture
def manager_socket(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(sock.recv(100).decode())
        except BlockingIOError:
            return words


def test_systemd_is_told(manager_socket: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager_socket.getsockname(), "WATCHDOG_USEC": "40000000"}
    manager = ServiceManager(environment)
    manager.ready()
    for now in (0.0, 5.0, 9.9, 10.0, 15.0, 25.0):
        manager.alive(now)
    manager.stopping()
    assert heard(manager_socket) == [
        "READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"
    ]  # fmt: skip


def test_systemd_is_told_in_time_however_seldom_the_machine_is_looked_at() -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "20000000"})
    manager.alive(100.0)
    assert manager.due == 105.0
    manager.alive(104.0)
    assert manager.due == 105.0
    manager.alive(105.0)
    assert manager.due == 110.0


def test_a_daemon_that_looks_once_a_minute_still_reports_every_second(tmp_path: Path) -> None:
    words = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30.0)  # half a period
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "STATE_DIRECTORY": str(tmp_path / "state"),  # another daemon may run on this machine
            "NOTIFY_SOCKET": sock.getsockname(),
            "WATCHDOG_USEC": "4000000",
            "FANWHY_BROKER": "mqtt://127.0.0.1:1",
            "FANWHY_SAMPLING__PERIOD_SECONDS": "60",
            "FANWHY_SAMPLING__PULSE": "false",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "publisher", "run"], env=environment, stderr=subprocess.DEVNULL
        ) as daemon:
            try:
                # More than it says for its first samples.
                words = [sock.recv(100).decode() for _ in range(8)]
            finally:
                daemon.terminate()
    (status,) = (word for word in words if word.startswith("STATUS="))
    words.remove(status)
    assert status == "STATUS=mqtt://127.0.0.1:1: nothing listens there; is the broker running?"
    assert words == ["READY=1", *["WATCHDOG=1"] * 6]
    assert daemon.returncode == 0


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}]
)
def test_nobody_waits_for_word_where_no_watchdog_is_set(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.alive(100.0)
    assert manager.due == float("inf")


def test_a_watchdog_of_another_process_is_not_ours(manager_socket: socket.socket) -> None:
    environment = {
        "NOTIFY_SOCKET": manager_socket.getsockname(),
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": str(os.getpid() + 1),
    }
    ServiceManager(environment).alive(0.0)
    assert heard(manager_socket) == []


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "x"},
        {"NOTIFY_SOCKET": "vsock:2:3"},
    ],
)
def test_nobody_to_tell_is_no_trouble(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.ready()
    manager.alive(1.0)


def test_a_loop_that_stands_still_ends_the_process(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    Watchdog(end=end, look_seconds=0.01).start()
    assert ended.wait(10)
    assert codes == [EXIT_CODE]
    assert "stands still" in caplog.text


def test_a_loop_that_moves_is_left_alone() -> None:
    ended = threading.Event()
    watchdog = Watchdog(end=lambda _: ended.set(), look_seconds=0.2)
    watchdog.start()
    for _ in range(150):
        watchdog.beat()
        assert not ended.wait(0.01)
    watchdog.stop()
