"""The kernel's word on every fork and exit, by the proc connector.

Messages as in ``include/uapi/linux/cn_proc.h``; root listens, from Linux 6.6 on others may too.
An event costs us 1 to 2 microseconds, so this is for the times when counters do not tell who an
orphan belonged to. When the buffer overflows any number of events is lost, once.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.remedies import privilege

_CONNECTOR = 11  # NETLINK_CONNECTOR
_PROC = 1  # CN_IDX_PROC and CN_VAL_PROC; also the multicast group
_LISTEN = 1
_FORK = 0x00000001
_EXIT = 0x80000000
_BUFFER = 8 << 20
_UNKNOWN = {errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT}  # built without, or barred
_SO_RCVBUFFORCE = 33  # not named by Python's socket module

_HEADER = struct.Struct("=IHHII IIIIHH")  # nlmsghdr, then cn_msg
_EVENT = struct.Struct("=IIQ4I")  # what, cpu, nanoseconds; then pids, by the kind of event


class Fork(NamedTuple):
    parent: int
    child: int
    at: int


class Exit(NamedTuple):
    """``at``: nanoseconds since boot."""

    pid: int
    at: int


class ProcConnector:
    """Listens from construction on.

    Attributes:
        lost: events were lost since this was last set to false: the buffer overflowed.

    Raises:
        DeniedError: this user may not.
        AbsentError: the kernel has no such thing.
        SourceError: it cannot be had now, for want of memory or descriptors.
    """

    def __init__(self) -> None:
        self.lost = False
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _CONNECTOR
            )
        except OSError as error:
            kind = AbsentError if error.errno in _UNKNOWN else SourceError
            raise kind(f"no proc connector: {error}", path="NETLINK_CONNECTOR") from None
        except AttributeError:
            raise AbsentError("no proc connector: not Linux", path="NETLINK_CONNECTOR") from None
        try:
            self._listen()
        except OSError as error:
            self._socket.close()
            if error.errno in (errno.EPERM, errno.EACCES):
                raise DeniedError(
                    "fork events need CAP_NET_ADMIN before Linux 6.6",
                    path="NETLINK_CONNECTOR",
                    remedy=privilege("CAP_NET_ADMIN"),
                ) from None
            raise SourceError(f"cannot listen: {error}", path="NETLINK_CONNECTOR") from None

    def _listen(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((0, _PROC))
        self._socket.setblocking(False)
        self._tell(struct.pack("=I", _LISTEN))
        with suppress(OSError):  # from Linux 6.6 on: spare us the events that we do not use
            self._tell(struct.pack("=II", _LISTEN, _FORK | _EXIT))

    def _tell(self, word: bytes) -> None:
        length = _HEADER.size + len(word)
        header = _HEADER.pack(length, 3, 0, 0, os.getpid(), _PROC, _PROC, 0, 0, len(word), 0)
        self._socket.send(header + word)

    def events(self) -> Iterator[Fork | Exit]:
        """All that happened since the last call, processes only; some may have been lost."""
        while True:
            try:
                message = self._socket.recv(1 << 12)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    self.lost = True
                    continue
                raise SourceError(f"reading failed: {error}", path="NETLINK_CONNECTOR") from None
            if len(message) < _HEADER.size + _EVENT.size:
                continue
            what, _, at, one, two, three, four = _EVENT.unpack_from(message, _HEADER.size)
            if what == _FORK and three == four:
                yield Fork(two, four, at)
            elif what == _EXIT and one == two:
                yield Exit(two, at)

    def close(self) -> None:
        self._socket.close()
