"""Who is connected with whom: real processes and real sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from publisher.errors import DeniedError
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.ledger.usage.correspondents import Connections
from publisher.sources.endpoints import TcpEnd, tcp_ends
from publisher.sources.sockets import sockets_of

# Listens, says where, and takes as many callers as it is told to.
_SERVER = """
import socket, sys
family, place, count = sys.argv[1:]
server = socket.socket(getattr(socket, family))
server.bind(place if family == "AF_UNIX" else (place, 0))
server.listen()
print(place if family == "AF_UNIX" else server.getsockname()[1], flush=True)
held = [server.accept() for _ in range(int(count))]
print("held", flush=True)
sys.stdin.read()
"""
_CLIENT = """
import socket, sys
family, place, port = sys.argv[1:]
held = socket.socket(getattr(socket, family))
held.connect(place if family == "AF_UNIX" else (place, int(port)))
print("called", flush=True)
sys.stdin.read()
"""


class Party:
    """Processes that talk to each other, and the groups that they belong to."""

    def __init__(
        self,
        opened: Callable[[str], OpenAccount],
        member: Callable[..., Member],
        stack: ExitStack,
    ) -> None:
        self._opened = opened
        self._member = member
        self._stack = stack
        self.connections = Connections()
        self.everybody: list[Member] = []

    def start(self, label: str, program: str, *words: str) -> tuple[Member, str]:
        """A process in a group of its own, and its first line."""
        process = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", program, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self._stack.callback(process.kill)
        assert process.stdout is not None
        self._lines = process.stdout
        made = self._member(process.pid, self._opened(label))
        self.everybody.append(made)
        return made, process.stdout.readline().strip()

    def meet(self, family: str, place: str, *callers: str) -> tuple[Member, list[Member]]:
        """A server and those who call it."""
        server, port = self.start("server", _SERVER, family, place, str(len(callers)))
        lines = self._lines
        clients = [self.start(label, _CLIENT, family, place, port)[0] for label in callers]
        assert lines.readline() == "held\n"
        return server, clients

    def clients(self, server: Member, **worked: int) -> dict[str, int]:
        """Nanoseconds of the server's work by the label of its clients."""
        used = {
            one: worked[one.membership.account.group.label]
            for one in self.everybody
            if one.membership.account.group.label in worked
        }
        found = self.connections.counterparts([(1000, server)], used, reversed(self.everybody))
        assert found.total == 1000
        assert not found.remote
        return {account.group.label: part for account, part in found.clients.items()}


@pytest.fixture
def party(opened: Callable[[str], OpenAccount], member: Callable[..., Member]) -> Iterator[Party]:
    with ExitStack() as stack:
        yield Party(opened, member, stack)


@pytest.fixture(params=["AF_INET", "AF_INET6", "AF_UNIX"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    places = {"AF_INET": "127.0.0.1", "AF_INET6": "::1", "AF_UNIX": str(tmp_path / "socket")}
    return request.param, places[request.param]


def test_the_callers_of_a_server_share_its_work_by_what_they_work(
    party: Party, door: tuple[str, str]
) -> None:
    server, _ = party.meet(*door, "app", "other")
    shares = party.clients(server, app=30_000_000, other=300_000)
    assert set(shares) == {"app", "other"}
    assert shares["app"] > 950


def test_of_several_who_wait_none_is_told_to_be_the_one(
    party: Party, door: tuple[str, str]
) -> None:
    server, _ = party.meet(*door, "app", "metrics")
    assert party.clients(server, metrics=5) == {}


def test_one_that_waits_for_its_answer_is_found_too(party: Party, door: tuple[str, str]) -> None:
    server, _ = party.meet(*door, "psql")
    assert party.clients(server) == {"psql": 1000}


def test_who_called_is_told_from_who_was_called(party: Party, door: tuple[str, str]) -> None:
    server, (client,) = party.meet(*door, "app")
    found = party.connections.counterparts([(1000, client)], {}, [server, client])
    assert not found.clients
    assert {account.group.label for account in found.upstreams} == {"server"}


def test_those_of_ones_own_group_are_nobodys_clients(party: Party, door: tuple[str, str]) -> None:
    server, (client,) = party.meet(*door, "app")
    client.membership.account = server.membership.account
    assert party.clients(server) == {}


def test_who_is_not_found_at_once_is_sought_on(
    party: Party,
    door: tuple[str, str],
    member: Callable[..., Member],
    opened: Callable[[str], OpenAccount],
) -> None:
    """Among thousands of processes, not all are looked through at a time."""
    server, (client,) = party.meet(*door, "psql")
    crowd = [member(1 << 23 | number, opened("crowd")) for number in range(400)]
    looks = 0
    labels: set[str] = set()
    while "psql" not in labels:
        found = party.connections.counterparts([(1000, server)], {}, [*crowd, client])
        labels = {account.group.label for account in found.clients}
        looks += 1
    assert looks == 5


def test_a_group_that_is_gone_has_nobody(party: Party, member: Callable[..., Member]) -> None:
    server, _ = party.meet("AF_INET", "127.0.0.1", "app")
    gone = member(1 << 23, server.membership.account)
    assert not party.connections.counterparts([(5, gone)], {}, []).clients


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who may not look into others' descriptors."""

    def refuse(proc: str, pid: int) -> set[int]:
        raise DeniedError("no", path=f"{proc}/{pid}/fd", remedy="be root")

    monkeypatch.setattr("publisher.ledger.usage.correspondents.sockets_of", refuse)


@pytest.mark.usefixtures("unprivileged")
def test_who_may_not_look_into_descriptors_goes_by_control_groups(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, clients = party.meet("AF_INET", "127.0.0.1", "app", "other")
    numbers = {one.pid: number for number, one in enumerate([server, *clients], start=2000)}
    made_by = {
        inode: numbers[one.pid]
        for one in [server, *clients]
        for inode in sockets_of("/proc", one.pid)
    }

    def sorted_into_groups() -> list[TcpEnd]:
        return [end._replace(cgroup=made_by.get(end.inode, 1)) for end in tcp_ends()]

    monkeypatch.setattr("publisher.ledger.usage.correspondents.tcp_ends", sorted_into_groups)
    groups = {numbers[one.pid]: one.membership.account for one in [server, *clients]}
    worked = {clients[0]: 30_000_000}
    found = party.connections.counterparts([(1000, server)], worked, [], lambda: groups)
    shares = {account.group.label: part for account, part in found.clients.items()}
    assert set(shares) == {"app", "other"}
    assert shares["app"] > 950
    assert isinstance(party.connections.problem, DeniedError)


@pytest.mark.usefixtures("unprivileged")
def test_without_control_groups_nobody_is_named(party: Party) -> None:
    server, _ = party.meet("AF_INET", "127.0.0.1", "app")
    found = party.connections.counterparts([(1000, server)], {}, [])
    assert (found.clients, found.upstreams, found.total) == ({}, {}, 1000)
    assert isinstance(party.connections.problem, DeniedError)


def test_callers_of_a_port_are_other_machines(party: Party) -> None:
    server, (client,) = party.meet("AF_INET", "127.0.0.1", "app")
    del server, client
    assert party.connections.callers(2049) == set()
