"""UPSes that a NUT server on this machine looks after, by its own protocol.

Source: RFC 9271 (commands ``LIST UPS``, ``LIST VAR``, ``LOGOUT``). Nothing is started for it, and
the server answers from what it knows, without asking the UPS.
"""

from __future__ import annotations

import re
import socket
import time

from publisher.errors import AbsentError, SourceError

ADDRESS = ("127.0.0.1", 3493)

_SECONDS = 1.0
_LONGEST_ANSWER = 1 << 18
# NAME "value", where a quote or a backslash in the value has a backslash before it.
_VARIABLE = re.compile(r'VAR (\S+) (\S+) "((?:[^"\\]|\\.)*)"')
_UPS = re.compile(r"UPS (\S+)(?: |$)")


def upses(address: tuple[str, int] = ADDRESS) -> dict[str, dict[str, str]]:
    """The variables of every UPS, by its name.

    Raises:
        AbsentError: no server listens there.
        SourceError: it does not answer, or with something else.
    """
    name = f"NUT server {address[0]}:{address[1]}"
    try:
        with socket.create_connection(address, timeout=_SECONDS) as connection:
            conversation = _Conversation(connection, name)
            found: dict[str, dict[str, str]] = {}
            for line in conversation.ask("LIST UPS"):
                if match := _UPS.match(line):
                    found[match[1]] = {}
            for ups, variables in found.items():
                for line in conversation.ask(f"LIST VAR {ups}"):
                    if match := _VARIABLE.fullmatch(line):
                        variables[match[2]] = re.sub(r"\\(.)", r"\1", match[3])
            connection.sendall(b"LOGOUT\n")
            return found
    except ConnectionRefusedError:
        raise AbsentError("no NUT server on this machine") from None
    except OSError as error:
        raise SourceError(f"no answer: {error.strerror or error}", path=name) from error


class _Conversation:
    """One connection, and all the time it may take."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._connection = connection
        self._name = name
        self._until = time.monotonic() + _SECONDS
        self._rest = b""

    def ask(self, command: str) -> list[str]:
        """The lines between ``BEGIN`` and ``END``; none when the server says ``ERR``.

        A UPS whose driver has died gives ``ERR DATA-STALE``: there it is, but nothing is known.
        """
        self._connection.sendall(f"{command}\n".encode())
        lines: list[str] = []
        size = 0
        while True:
            line = self._line()
            size += len(line)
            if line.startswith(("END ", "ERR ")):
                return lines
            if size > _LONGEST_ANSWER:
                raise SourceError("its answer does not end", path=self._name)
            lines.append(line)

    def _line(self) -> str:
        while b"\n" not in self._rest:
            self._connection.settimeout(max(self._until - time.monotonic(), 0.001))
            content = self._connection.recv(1 << 14)
            if not content or len(self._rest) > _LONGEST_ANSWER:
                raise SourceError("it does not speak the protocol", path=self._name)
            self._rest += content
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")
