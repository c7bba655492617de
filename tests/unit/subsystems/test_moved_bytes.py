"""Rates against bytes that were really moved, and counted by whoever moved them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from publisher.sources import Sources
from publisher.subsystems.disk.disk import Disk
from publisher.subsystems.network import Network

_ATTEMPTS = 10  # others use the same disks meanwhile: one quiet window is enough


class Clock:
    """The machine's own clock, remembering when it was last looked at."""

    def __init__(self) -> None:
        self.seen = 0.0

    def __call__(self) -> float:
        self.seen = time.monotonic()
        return self.seen


def test_disk_rates_agree_with_what_dd_wrote() -> None:
    clock = Clock()
    disk = Disk(Sources(monotonic=clock))
    size = 128 << 20
    measured = []
    with TemporaryDirectory(dir="/var/tmp") as folder:
        target = Path(folder, "written")
        for _ in range(_ATTEMPTS):
            disk.read()
            began = clock.seen
            subprocess.run(
                ["dd", "if=/dev/zero", f"of={target}", "bs=4M", "count=32", "oflag=direct"],
                check=True,
                capture_output=True,
            )
            rate = disk.read().write_bytes_per_second
            assert rate is not None
            measured.append(rate * (clock.seen - began))
            if measured[-1] == pytest.approx(size, rel=0.05):
                break
    assert min(measured) >= 0.95 * size
    assert measured[-1] == pytest.approx(size, rel=0.05), measured


def test_network_rates_agree_with_what_a_connection_carried() -> None:
    clock = Clock()
    network = Network(Sources(monotonic=clock))
    size = 64 << 20
    measured = []
    for _ in range(_ATTEMPTS):
        network.read()
        began = clock.seen
        assert _carry(size) == size
        virtual = network.read().virtual
        assert virtual is not None
        assert virtual.receive_bytes_per_second is not None
        measured.append(virtual.receive_bytes_per_second * (clock.seen - began))
        if measured[-1] == pytest.approx(size, rel=0.05):
            return
    pytest.fail(f"{size} carried, {measured} counted")


def _carry(size: int) -> int:
    """Sends bytes through the loopback interface; how many arrived."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = threading.Thread(target=_send, args=(server.getsockname(), size))
        sender.start()
        connection, _ = server.accept()
        arrived = 0
        with connection:
            while chunk := connection.recv(1 << 20):
                arrived += len(chunk)
        sender.join()
    return arrived


def _send(address: tuple[str, int], size: int) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(bytes(size))
