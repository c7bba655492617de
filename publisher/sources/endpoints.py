"""Who is connected with whom on this machine: both ends of connections, by socket.

``NETLINK_SOCK_DIAG`` lists the TCP and Unix sockets of our own network namespace, with no
privilege (``include/uapi/linux/{inet_diag,unix_diag}.h``). What it costs grows with the kernel's
table, which grows with the memory: two milliseconds on a machine of 24 GB. ``/proc/<pid>/net/tcp``
(man 5 proc_pid_net) lists those of the namespace that a process lives in. Whose a socket is tell
the descriptors of processes (``publisher.sources.sockets.sockets_of``).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from publisher.errors import AbsentError, SourceError

_SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG
_TCP: Final = 18  # TCPDIAG_GETSOCK
_BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_DONE: Final = 3
_ERROR: Final = 2
_ESTABLISHED: Final = 1
_LISTEN: Final = 10
_STATES: Final = 1 << _ESTABLISHED | 1 << _LISTEN
_SHOW_NAME_AND_PEER: Final = 0x1 | 0x4  # UDIAG_SHOW_NAME, UDIAG_SHOW_PEER
_NAME: Final = 0  # UNIX_DIAG_NAME
_PEER: Final = 2  # UNIX_DIAG_PEER
_CGROUP: Final = 21  # INET_DIAG_CGROUP_ID, from Linux 5.9 on
_TCP_BODY: Final = 72  # struct inet_diag_msg
_UNIX_BODY: Final = 16  # struct unix_diag_msg
_MAPPED: Final = bytes(10) + b"\xff\xff"  # IPv4 in the clothes of IPv6
_MOST: Final = 8192  # sockets that are looked at; a machine with more is told of these
_LONGEST: Final = 1 << 20  # bytes of a namespace's table
_UNKNOWN: Final = {errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ENOENT, errno.EOPNOTSUPP}

Address = tuple[bytes, int]
"""An IP address of 4 or 16 bytes, and a port."""


class TcpEnd(NamedTuple):
    """One end of a connection, or a socket that waits for some.

    Attributes:
        inode: of the socket; 0 where the kernel itself holds it.
        here: its own address.
        there: that of the other end.
        cgroup: the number of the control group of version 2 that made it; 0: not told.
    """

    inode: int
    here: Address
    there: Address
    listening: bool
    cgroup: int = 0


class UnixEnd(NamedTuple):
    """One end of a connection by a Unix socket.

    Attributes:
        peer: the inode of the other end.
        accepted: it has the name that its listener has: the other end called.
    """

    inode: int
    peer: int
    accepted: bool


def is_loopback(address: bytes) -> bool:
    """Whether an address is that of the machine, or of a namespace, itself."""
    return address[:1] == b"\x7f" if len(address) == 4 else address == bytes(15) + b"\x01"


def written(address: bytes) -> str:
    """An address as people write it."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, address)


def tcp_ends() -> list[TcpEnd]:
    """The TCP sockets of our own network namespace that are connected or listen.

    Raises:
        AbsentError: this kernel does not tell.
        SourceError: it did not answer this time.
    """
    return _tcp_ends(_STATES)


def _tcp_ends(states: int) -> list[TcpEnd]:
    # The older of the two requests: the kernel goes through its table once, not for each family.
    request = struct.pack("=BBBB48xII", 0, 0, 0, 0, states, 0)
    found: list[TcpEnd] = []
    for body in _answers(_TCP, request, "INET_DIAG", _TCP_BODY):
        size = 4 if body[0] == socket.AF_INET else 16
        ports = struct.unpack_from("!HH", body, 4)
        (inode,) = struct.unpack_from("=I", body, 68)
        here, there = _plain(body[8 : 8 + size]), _plain(body[24 : 24 + size])
        told = dict(_attributes(body, _TCP_BODY)).get(_CGROUP, b"")
        cgroup = int.from_bytes(told, sys.byteorder)
        found.append(TcpEnd(inode, (here, ports[0]), (there, ports[1]), body[1] == _LISTEN, cgroup))
    return found


def unix_ends() -> dict[int, UnixEnd]:
    """The connected Unix sockets of our own network namespace, by inode.

    Raises:
        AbsentError: this kernel does not tell.
        SourceError: it did not answer this time.
    """
    request = struct.pack(
        "=BBHIIIII", socket.AF_UNIX, 0, 0, 1 << _ESTABLISHED, 0, _SHOW_NAME_AND_PEER, 0, 0
    )
    found: dict[int, UnixEnd] = {}
    for body in _answers(_BY_FAMILY, request, "UNIX_DIAG", _UNIX_BODY):
        (inode,) = struct.unpack_from("=I", body, 4)
        told = dict(_attributes(body, _UNIX_BODY))
        if peer := int.from_bytes(told.get(_PEER, b""), sys.byteorder):
            found[inode] = UnixEnd(inode, peer, bool(told.get(_NAME)))
    return found


def namespace_of(proc: str, pid: int | str) -> int:
    """A number that tells one network namespace from another, with no privilege.

    Raises:
        AbsentError: the process is gone.
    """
    try:
        return os.stat(f"{proc}/{pid}/net/tcp").st_ino  # noqa: PTH116  # hot
    except OSError as error:
        raise AbsentError(f"the process is gone: {error.strerror}", path=f"{proc}/{pid}") from None


def ends_near(proc: str, pid: int | str) -> list[TcpEnd]:
    """Likewise, of the network namespace that a process lives in.

    Raises:
        SourceError: its table is not as man 5 proc_pid_net has it.
    """
    found: list[TcpEnd] = []
    for name in ("tcp", "tcp6"):
        content = b""
        with suppress(OSError), open(f"{proc}/{pid}/net/{name}", "rb") as file:  # noqa: PTH123
            content = file.read(_LONGEST)
        try:
            found += _table(content)
        except (ValueError, IndexError, struct.error):
            raise SourceError(
                "not as man 5 proc_pid_net has it", path=f"/proc/net/{name}"
            ) from None
    return found


def listening(proc: str, pid: int) -> list[TcpEnd]:
    """The TCP sockets that wait for connections where a process lives.

    Raises:
        SourceError: as ``tcp_ends`` and ``ends_near``.
    """
    if namespace_of(proc, pid) == namespace_of(proc, "self"):
        # Asked for these alone, the kernel leaves its large table out.
        return _tcp_ends(1 << _LISTEN)
    return [end for end in ends_near(proc, pid) if end.listening]


def _table(content: bytes) -> Iterator[TcpEnd]:
    for line in content.splitlines()[1:_MOST]:
        words = line.split()
        if len(words) >= 10 and (state := int(words[3], 16)) in (_ESTABLISHED, _LISTEN):
            here, there = _address(words[1]), _address(words[2])
            yield TcpEnd(int(words[9]), here, there, state == _LISTEN)


def _address(word: bytes) -> Address:
    """``0100007F:1F90``: words of four bytes as the processor has them, and the port."""
    digits, _, port = word.partition(b":")
    raw = bytes.fromhex(digits.decode())
    words = (struct.unpack_from("=I", raw, at)[0] for at in range(0, len(raw), 4))
    return _plain(b"".join(struct.pack("!I", each) for each in words)), int(port, 16)


def _plain(address: bytes) -> bytes:
    return address[12:] if len(address) == 16 and address.startswith(_MAPPED) else address


def _answers(kind_of_request: int, request: bytes, name: str, least: int) -> Iterator[bytes]:
    """What the kernel answers to a request, message by message, without their headers.

    Args:
        kind_of_request: the type of the message.
        request: its body.
        name: of what is asked, for people.
        least: bytes that each answer has; one with fewer is none.
    """
    header = struct.pack("=IHHII", 16 + len(request), kind_of_request, _DUMP, 1, 0)
    count = 0
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
        ) as channel:
            channel.settimeout(1.0)
            channel.send(header + request)
            while count < _MOST:
                for kind, body in _messages(channel.recv(1 << 16)):
                    if kind == _DONE:
                        return
                    count += 1
                    if len(body) >= least:
                        yield body
    except OSError as error:
        kind_of_error = AbsentError if error.errno in _UNKNOWN else SourceError
        raise kind_of_error(f"no list of connections: {error}", path=name) from None
    except AttributeError:
        raise AbsentError("no list of connections: not Linux", path=name) from None
    except struct.error as error:
        raise SourceError(f"not as sock_diag(7) has it: {error}", path=name) from None


def _attributes(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """What is told of a socket besides, by kind."""
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        if size < 4:
            return
        yield kind, body[at + 4 : at + size]
        at += (size + 3) & ~3


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Takes one answer apart into kinds and bodies of messages.

    Raises:
        OSError: the answer is a refusal.
    """
    at = 0
    while at + 16 <= len(content):
        length, kind = struct.unpack_from("=IH", content, at)
        if length < 16:
            yield _DONE, b""
            return
        if kind == _ERROR:
            (code,) = struct.unpack_from("=i", content, at + 16)
            raise OSError(-code, os.strerror(-code))
        yield kind, content[at + 16 : at + length]
        at += (length + 3) & ~3
