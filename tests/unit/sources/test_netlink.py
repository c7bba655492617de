"""What the kernel says over netlink: forks and exits, bytes of connections."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from publisher.errors import AbsentError, DeniedError
from publisher.sources.connector import Connector, Exit, Fork
from publisher.sources.sockets import connections, sockets_of, traffic


def _release() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


def test_forks_and_exits_are_heard() -> None:
    if os.geteuid() and _release() < (6, 6):
        with pytest.raises(DeniedError):
            Connector()
        return
    connector = Connector()
    with subprocess.Popen(["true"]) as child:
        pass
    heard = [event for event in connector.events() if child.pid in event[:2]]
    connector.close()
    assert [type(event) for event in heard] == [Fork, Exit]
    assert isinstance(heard[0], Fork)
    assert heard[0].parent == os.getpid()
    assert heard[0].at <= heard[1].at


def test_the_bytes_of_a_connection_and_whose_it_is() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            peer, _ = server.accept()
            with peer:
                inode = os.fstat(client.fileno()).st_ino
                client.sendall(b"x" * 100_000)
                left = 100_000
                while left:
                    left -= len(peer.recv(left))
                peer.sendall(b"y" * 500)
                client.recv(500, socket.MSG_WAITALL)
                (found,) = [one for one in connections() if one.inode == inode]
                assert found.received == 500
                assert found.transmitted in range(1, 100_002)
                assert inode in sockets_of("/proc", os.getpid())


def test_of_the_gone_there_are_no_sockets() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    with pytest.raises(AbsentError):
        sockets_of("/proc", child.pid)


def test_traffic_leaves_loopback_out() -> None:
    content = (
        b"Inter-|   Receive                            |  Transmit\n"
        b" face |bytes    packets errs\n"
        b"    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
        b"  eth0: 100 1 0 0 0 0 0 0  20 1 0 0 0 0 0 0\n"
        b"wlan0:3 1 0 0 0 0 0 0 4 1 0 0 0 0 0 0\n"
    )
    assert traffic(content) == 127
