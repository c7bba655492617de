"""Which group the bytes on the wire belong to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from publisher.errors import AbsentError, SourceError
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.ledger.usage.network import NetworkUse
from publisher.sources.files import KernelFiles
from publisher.sources.sockets import TcpConnection

MB = 1 << 20


class Wires(KernelFiles):
    """A hundred megabytes more at every look."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def read(self, path: str, *, keep: bool = True) -> bytes:
        del path, keep
        self.total += 100 * MB
        return b"\n\n eth0: %d 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n" % self.total


def test_containers_with_a_network_of_their_own(
    tmp_path: Path, opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    def wire(pid: int | str, received: int, transmitted: int) -> None:
        folder = tmp_path / f"{pid}/net"
        folder.mkdir(parents=True, exist_ok=True)
        line = f"\n\n eth0: {received} 1 0 0 0 0 0 0 {transmitted} 1 0 0 0 0 0 0\n"
        (folder / "dev").write_text(line)

    def container(pid: int, cpu: int) -> OpenAccount:
        made = opened(f"container {pid}")
        made.cpu_ns = cpu
        made.processes[member(pid, made)] = (0, 1)
        return made

    downloads, vpn, on_the_host, gone = (container(pid, 9 - pid) for pid in (1, 2, 3, 4))
    wire("self", 0, 0)
    wire(1, 1000, 500)
    (tmp_path / "2/net").mkdir(parents=True)
    (tmp_path / "2/net/dev").hardlink_to(tmp_path / "1/net/dev")  # shares the network of 1
    (tmp_path / "3/net").mkdir(parents=True)
    (tmp_path / "3/net/dev").hardlink_to(tmp_path / "self/net/dev")
    network = NetworkUse(Wires(), list, str(tmp_path))
    for _ in range(3):
        network.read([], [vpn, downloads, on_the_host, gone], 2.0)
        assert not any(map(sum, network.moved.values()))
    wire(1, 60_001_000, 4500)
    network.read([], [vpn, downloads, on_the_host, gone], 2.0)
    assert network.moved == {downloads: (60_000_000, 4000)}


def test_bytes_that_stay_on_the_machine_are_not_on_the_wire(
    tmp_path: Path, opened: Callable[[str], OpenAccount], member: Callable[..., Member]
) -> None:
    answers = [
        [TcpConnection(1, 0, n * MB), TcpConnection(2, 0, n * MB, inside=True)] for n in (1, 9)
    ]
    folder = tmp_path / "7/fd"
    folder.mkdir(parents=True)
    for inode in (1, 2):
        (folder / str(inode)).symlink_to(f"socket:[{inode}]")
    server = opened("server")
    network = NetworkUse(Wires(), lambda: answers.pop(0), str(tmp_path))
    for _ in range(3):
        network.read([(member(7, server), 10**9)], [], 2.0)
    assert network.moved == {server: (8 * MB, 0)}


def test_a_failure_to_tell_of_connections_does_not_last() -> None:
    answers: list[list[TcpConnection] | SourceError] = [
        [], SourceError("timed out"), [TcpConnection(1, 0, 0)], [TcpConnection(1, 0, 500_000)],
    ]  # fmt: skip

    def ask() -> list[TcpConnection]:
        answer = answers.pop(0)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    network = NetworkUse(Wires(), ask)
    watching, problems = [], []
    while answers:
        network.read([], [], 2.0)
        watching.append(network.watching)
        problems.append(network.problem is not None)
    assert problems == [False, False, True, False, False]
    assert watching[-1]
    assert not any(watching[:-1]), "what came in two windows is not told of one"


def test_a_kernel_that_tells_of_no_connections_is_not_asked_again() -> None:
    asked = []

    def ask() -> list[TcpConnection]:
        asked.append(1)
        raise AbsentError("no counters")

    network = NetworkUse(Wires(), ask)
    for _ in range(9):
        network.read([], [], 2.0)
    assert len(asked) == 1
    assert network.problem is not None
