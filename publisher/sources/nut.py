"""UPSes that a NUT server looks after, on this machine or on another, by its own protocol.

Source: RFC 9271 (commands ``LIST UPS``, ``LIST VAR``, ``LOGOUT``). Nothing is started for it, and
the server answers from what it knows, without asking the UPS.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from dataclasses import dataclass

from publisher.errors import AbsentError, SourceError

PORT = 3493
ADDRESS = ("127.0.0.1", PORT)

_SECONDS = 1.0
# Another machine's name may have to be looked up, which knows no deadline of ours.
_PATIENCE = 1.5
_LONGEST_ANSWER = 1 << 18
# NAME "value", where a quote or a backslash in the value has a backslash before it.
_VARIABLE = re.compile(r'VAR (\S+) (\S+) "((?:[^"\\]|\\.)*)"')
_UPS = re.compile(r"UPS (\S+)(?: |$)")
# As upsc(8) takes it: [ups@]host[:port]; an IPv6 address stands in brackets.
_PLACE = re.compile(
    r"(?:(?P<ups>[\w.-]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[\w.-]+))(?::(?P<port>\d{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a UPS is looked after.

    Attributes:
        ups: the one meant; ``None`` means all that the server has.
    """

    ups: str | None
    host: str
    port: int

    @classmethod
    def of(cls, words: str) -> Place:
        """The place that ``ups@host:port`` names.

        Raises:
            SourceError: it names none.
        """
        match = _PLACE.fullmatch(words.strip())
        if match is None or int(match["port"] or PORT) > 0xFFFF:
            raise SourceError(f"{words!r} names no UPS", remedy="such as rack@nas.lan:3493")
        return cls(match["ups"], match["six"] or match["host"], int(match["port"] or PORT))


class Distant:
    """A server on another machine, asked in a thread of its own, so that none waits for it long."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._name = f"NUT server {place.host}:{place.port}"
        self._thread: threading.Thread | None = None
        self._answer: dict[str, dict[str, str]] | SourceError | None = None

    @classmethod
    def of(cls, words: str) -> Distant:
        """The server that ``ups@host:port`` names.

        Raises:
            SourceError: it names none.
        """
        return cls(Place.of(words))

    def ask(self) -> dict[str, dict[str, str]]:
        """The variables of the UPSes meant; none of one that the server does not know.

        Raises:
            SourceError: there is no answer, or not yet.
        """
        if self._thread is None or not self._thread.is_alive():
            self._answer = None
            self._thread = threading.Thread(target=self._run, name="nut", daemon=True)
            self._thread.start()
        self._thread.join(_PATIENCE)
        answer = self._answer
        if answer is None:
            raise SourceError("no answer", path=self._name)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def _run(self) -> None:
        try:
            found = upses((self.place.host, self.place.port))
        except AbsentError:
            self._answer = SourceError("no server listens there", path=self._name)
        except SourceError as error:
            self._answer = error
        else:
            wanted = self.place.ups
            self._answer = found if wanted is None else {wanted: found.get(wanted, {})}


def upses(address: tuple[str, int] = ADDRESS) -> dict[str, dict[str, str]]:
    """The variables of every UPS, by its name; none of one that its driver has lost.

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
