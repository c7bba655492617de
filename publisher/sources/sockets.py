"""Bytes of every TCP connection, and whose it is.

``NETLINK_SOCK_DIAG`` tells of each connection its inode and, in ``tcp_info``, the bytes that the
other side acknowledged and those received (``include/uapi/linux/{inet_diag,tcp}.h``; from Linux
4.2 on). UDP counts nothing per socket. The owner is found among the descriptors of processes
that one may look into.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from typing import NamedTuple

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import whole, whole_below
from publisher.sources.remedies import privilege

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_INFO = 2  # INET_DIAG_INFO
_STATES = 0xFFF & ~(1 << 10)  # all but listening
_DONE, _ERROR = 3, 2
_MESSAGE = 72  # struct inet_diag_msg; its last word is the inode
_UNKNOWN = {errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ENOENT}  # built without, or barred
_TRANSMITTED, _RECEIVED = 120, 128  # offsets of tcpi_bytes_acked and tcpi_bytes_received


class TcpConnection(NamedTuple):
    """A TCP connection; ``inside`` when both its ends are on this machine, off the wire."""

    inode: int
    transmitted: int
    received: int
    inside: bool = False


def connections() -> list[TcpConnection]:
    """Every TCP connection of this network namespace, with its bytes since it was made.

    Raises:
        AbsentError: this kernel does not tell.
        SourceError: it did not answer this time, for want of memory, descriptors or time.
    """
    found: list[TcpConnection] = []
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
        ) as channel:
            channel.settimeout(1.0)
            for family in (socket.AF_INET, socket.AF_INET6):
                request = struct.pack(
                    "=BBBxI48x", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), _STATES
                )
                header = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _DUMP, 1, 0)
                channel.send(header + request)
                while _take(channel.recv(1 << 16), found):
                    pass
    except OSError as error:
        kind = AbsentError if error.errno in _UNKNOWN else SourceError
        raise kind(f"no counters of connections: {error}", path="INET_DIAG") from None
    except AttributeError:
        raise AbsentError("no counters of connections: not Linux", path="INET_DIAG") from None
    except struct.error as error:
        raise SourceError(f"not as sock_diag(7) has it: {error}", path="INET_DIAG") from None
    return found


def _take(content: bytes, found: list[TcpConnection]) -> bool:
    """Takes one answer apart; tells whether more will come.

    Raises:
        OSError: the answer is a refusal.
    """
    at = 0
    while at + 16 <= len(content):
        length, kind = struct.unpack_from("=IH", content, at)
        if kind == _ERROR:
            (code,) = struct.unpack_from("=i", content, at + 16)
            raise OSError(-code, os.strerror(-code))
        if kind == _DONE or length < 16:
            return False
        (inode,) = struct.unpack_from("=I", content, at + 16 + _MESSAGE - 4)
        here, there = content[at + 24 : at + 40], content[at + 40 : at + 56]
        inside = here == there or (there[:1] == b"\x7f" and content[at + 16] == socket.AF_INET)
        inner, end = at + 16 + _MESSAGE, at + length
        while inner + 4 <= end:
            size, name = struct.unpack_from("=HH", content, inner)
            if size < 4:
                break
            if name == _INFO and size >= 4 + _RECEIVED + 8 and inode:
                sent, received = struct.unpack_from("=QQ", content, inner + 4 + _TRANSMITTED)
                found.append(TcpConnection(inode, sent, received, inside))
            inner += (size + 3) & ~3
        at += (length + 3) & ~3
    return True


def sockets_of(proc: str, pid: int) -> set[int]:
    """Inodes of the sockets that a process holds.

    Raises:
        DeniedError: others' descriptors take the right to trace them.
        AbsentError: it is gone.
    """
    path = f"{proc}/{pid}/fd"
    inodes: set[int] = set()
    try:
        for name in os.listdir(path):
            with suppress(OSError):
                target = os.readlink(f"{path}/{name}")  # noqa: PTH115  # hot
                if target.startswith("socket:["):
                    inodes.add(int(target[8:-1]))
    except PermissionError:
        raise DeniedError(
            "the connections of other users' processes need CAP_SYS_PTRACE",
            path="/proc/<pid>/fd",
            remedy=privilege("CAP_SYS_PTRACE"),
        ) from None
    except OSError as error:
        raise AbsentError(f"the process is gone: {error.strerror}", path=path) from None
    return inodes


def traffic(content: bytes) -> tuple[int, int]:
    """Bytes received and transmitted by all interfaces but loopback.

    Args:
        content: of ``/proc/net/dev`` (man 5 proc_net).
    """
    received = transmitted = 0
    for line in content.splitlines()[2:]:
        name, _, numbers = line.partition(b":")
        words = numbers.split()
        if name.strip() != b"lo" and len(words) >= 9:
            try:
                received += int(words[0])
                transmitted += int(words[8])
            except ValueError:
                raise SourceError("not as man 5 proc_net has it", path="/proc/net/dev") from None
    return received, transmitted


def namespace_traffic(proc: str, pid: int | str) -> tuple[int, int, int]:
    """Which network a process lives in, and what its interfaces received and transmitted.

    The file's inode tells one network namespace from another, and takes no privilege, as the
    link ``ns/net`` does.

    Raises:
        AbsentError: the process is gone.
        SourceError: it may not be read, or is not as man 5 proc_net has it.
    """
    path = f"{proc}/{pid}/net/dev"
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # hot
            namespace = os.fstat(file.fileno()).st_ino
            content = whole(file.fileno(), whole_below("/proc/net/dev"))
    except (FileNotFoundError, ProcessLookupError):
        raise AbsentError("it has ended", path=path) from None
    except OSError as error:
        raise SourceError(error.strerror or str(error), path=path) from None
    return (namespace, *traffic(content))
