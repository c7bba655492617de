"""Both ends of connections, as the kernel lists them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from publisher.errors import AbsentError, SourceError
from publisher.sources.endpoints import (
    TcpEnd,
    _messages,
    ends_near,
    is_loopback,
    namespace_of,
    tcp_ends,
    unix_ends,
    written,
)


@contextmanager
def connected(family: socket.AddressFamily, host: str) -> Iterator[tuple[socket.socket, ...]]:
    """A listener, a caller, and the socket that the call was accepted by."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, 0))
        listener.listen()
        caller = stack.enter_context(socket.socket(family))
        caller.connect(listener.getsockname()[:2])
        accepted, _ = listener.accept()
        yield listener, caller, stack.enter_context(accepted)


def inode(of: socket.socket) -> int:
    return os.fstat(of.fileno()).st_ino


@pytest.mark.parametrize(
    ("family", "host", "address"),
    [
        (socket.AF_INET, "127.0.0.1", b"\x7f\0\0\1"),
        (socket.AF_INET6, "::1", bytes(15) + b"\1"),
        (socket.AF_INET6, "::ffff:127.0.0.1", b"\x7f\0\0\1"),
    ],
)
def test_both_ends_of_a_connection(family: socket.AddressFamily, host: str, address: bytes) -> None:
    with connected(family, host) as (listener, caller, accepted):
        for ends in (tcp_ends(), ends_near("/proc", os.getpid())):
            by_inode = {end.inode: end._replace(cgroup=0) for end in ends}
            port, called = caller.getsockname()[1], listener.getsockname()[1]
            here, there = (address, port), (address, called)
            assert by_inode[inode(caller)] == TcpEnd(inode(caller), here, there, False)
            assert by_inode[inode(accepted)] == TcpEnd(inode(accepted), there, here, False)
            assert by_inode[inode(listener)].listening
            assert by_inode[inode(listener)].here == there


def test_who_accepted_has_the_name_of_the_listener(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(path)
        listener.listen()
        caller.connect(path)
        accepted, _ = listener.accept()
        with accepted:
            ends = unix_ends()
            server, client = ends[inode(accepted)], ends[inode(caller)]
            assert (server.peer, server.accepted) == (inode(caller), True)
            assert (client.peer, client.accepted) == (inode(accepted), False)


def test_the_kernel_tells_the_control_group_of_a_socket() -> None:
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    with connected(socket.AF_INET, "127.0.0.1") as (_, caller, accepted):
        by_inode = {end.inode: end for end in tcp_ends()}
        ours = {by_inode[inode(one)].cgroup for one in (caller, accepted)}
        assert len(ours) == 1
        assert (ours != {0}) is (release >= (5, 9))


def test_an_address_as_people_write_it() -> None:
    assert written(b"\xc0\xa8\x01\x14") == "192.168.1.20"
    assert written(bytes(15) + b"\1") == "::1"
    assert is_loopback(b"\x7f\0\0\5")
    assert is_loopback(bytes(15) + b"\1")
    assert not is_loopback(b"\xc0\xa8\x01\x14")


def test_a_network_is_told_from_others_by_number() -> None:
    assert namespace_of("/proc", "self") == namespace_of("/proc", os.getpid())
    with pytest.raises(AbsentError):
        namespace_of("/proc", 2**22 + 1)


def test_a_table_of_another_kind_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "7/net"
    folder.mkdir(parents=True)
    (folder / "tcp").write_text("header\n 0: x y 01 a b c d e 5 f\n")
    with pytest.raises(SourceError, match="proc_pid_net"):
        ends_near(str(tmp_path), 7)
    (folder / "tcp").write_text("header\nshort\n")
    assert ends_near(str(tmp_path), 7) == []


def test_a_refusal_is_no_end_of_the_list() -> None:
    refusal = (
        (36).to_bytes(4, "little")
        + b"\x02\0"
        + bytes(10)
        + (-2).to_bytes(4, "little", signed=True)
        + bytes(16)
    )
    with pytest.raises(OSError, match="No such file"):
        list(_messages(refusal))
    assert list(_messages(bytes(16))) == [(3, b"")]
