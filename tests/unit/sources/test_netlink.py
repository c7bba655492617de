"""What the kernel says over netlink: forks and exits, bytes of connections."""

from __future__ import annotations

import os
import resource
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.proc_connector import Exit, Fork, ProcConnector
from publisher.sources.sockets import _take, connections, namespace_traffic, sockets_of, traffic


def _release() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


def test_forks_and_exits_are_heard() -> None:
    if os.geteuid() and _release() < (6, 6):
        with pytest.raises(DeniedError):
            ProcConnector()
        return
    connector = ProcConnector()
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
                assert found.inside
                assert inode in sockets_of("/proc", os.getpid())


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Nothing more can be opened, sockets included."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("ask", [connections, ProcConnector])
def test_what_fails_for_once_is_not_absent(ask: Callable[[], object]) -> None:
    with pytest.raises(SourceError) as caught, no_descriptors_left():
        ask()
    assert type(caught.value) is SourceError


def test_a_refusal_is_no_end_of_the_list() -> None:
    refusal = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -2) + bytes(16)
    with pytest.raises(FileNotFoundError):
        _take(refusal, [])
    assert not _take(struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0), [])


def test_an_overflow_of_the_buffer_is_told() -> None:
    if os.geteuid() and _release() < (6, 6):
        pytest.skip("nobody but root hears of forks here")
    connector = ProcConnector()
    connector._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    for _ in range(40):
        subprocess.run(["true"], check=True)
    list(connector.events())
    connector.close()
    assert connector.lost


def test_of_the_gone_there_are_no_sockets() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    with pytest.raises(AbsentError):
        sockets_of("/proc", child.pid)


def test_two_processes_of_one_network_are_told_to_be() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        ours, *moved = namespace_traffic("/proc", "self")
        assert namespace_traffic("/proc", child.pid)[0] == ours
        assert all(count >= 0 for count in moved)
        child.kill()
    with pytest.raises(AbsentError):
        namespace_traffic("/proc", child.pid)


def test_traffic_leaves_loopback_out() -> None:
    content = (
        b"Inter-|   Receive                            |  Transmit\n"
        b" face |bytes    packets errs\n"
        b"    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
        b"  eth0: 100 1 0 0 0 0 0 0  20 1 0 0 0 0 0 0\n"
        b"wlan0:3 1 0 0 0 0 0 0 4 1 0 0 0 0 0 0\n"
    )
    assert traffic(content) == (103, 24)
