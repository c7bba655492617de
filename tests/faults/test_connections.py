"""Who works for whom: real databases and their clients, and networks of containers' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from servers import free_port, wait_until

from publisher.contract.readings import GroupKind
from publisher.ledger import WorkGroup
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.names import Name
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.ledger.usage.correspondents import Connections
from publisher.sources.processes import Stat

pytestmark = pytest.mark.faults

_POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(
    stack: ExitStack, *words: str, end_by: signal.Signals = signal.SIGKILL
) -> subprocess.Popen[str]:
    """A process of its own session, which ends with the test."""
    process = stack.enter_context(
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    )

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, end_by)
            process.wait(30)

    stack.callback(end)
    return process


# --- real servers ---------------------------------------------------------------------------------


# Another process asks: what descends from the one that keeps the books is its own work.
_ASK = """
import os, sys, time
from publisher.ledger import LedgerSettings, open_ledger
from publisher.sources import Sources, machine_files
if sys.argv[2:]:  # as another user, who may not read what this Python loads when it is needed
    first = open_ledger(Sources(files=machine_files("/")), LedgerSettings())
    first.sample()
    for account in first.sample().accounts:
        first.correspondents(account)
    os.setgroups([])
    os.setresgid(*3 * [int(sys.argv[2])])
    os.setresuid(*3 * [int(sys.argv[2])])
ledger = open_ledger(Sources(files=machine_files("/")), LedgerSettings())
while True:
    balance = ledger.sample()
    for account in balance.accounts if balance else ():
        if account.clues.program == sys.argv[1]:
            known = ledger.correspondents(account)
            leading = [one.account for one in known.clients if one.share > 0.6]
            print(*(account.group.label for account in leading), flush=True)
    time.sleep(0.5)
"""


def client_of(stack: ExitStack, program: str, *user: str) -> str:
    """The label of the client to whom most of a program's work is put down."""
    asking = start(stack, sys.executable, "-c", _ASK, program, *user)
    assert asking.stdout is not None
    return next(filter(None, map(str.strip, asking.stdout)))


@pytest.mark.parametrize("door", ["tcp", "unix"])
def test_redis_works_for_its_load_generator(stack: ExitStack, tmp_path: Path, door: str) -> None:
    port, path = str(free_port()), str(tmp_path / "redis.sock")
    start(stack, "redis-server", "--port", port, "--unixsocket", path, "--save", "")
    wait_until(lambda: Path(path).exists(), timeout=60)
    where = ["-p", port] if door == "tcp" else ["-s", path]
    start(stack, "redis-benchmark", *where, "-c", "5", "-n", "100000000", "-t", "get", "-q")
    assert client_of(stack, "redis-server") == "redis-benchmark"


def _is_removed(place: Path) -> bool:
    """Removes a control group, which may still be left by its last process."""
    with suppress(OSError):
        place.rmdir()
    return not place.exists()


def _unified() -> Path | None:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)


@pytest.mark.skipif(_unified() is None, reason="no control groups of version 2 here")
def test_who_has_no_right_goes_by_control_groups(stack: ExitStack, tmp_path: Path) -> None:
    unified = _unified()
    assert unified is not None
    slice_ = unified / "system.slice"
    if not slice_.exists():
        slice_.mkdir()
        stack.callback(slice_.rmdir)
    port, path = str(free_port()), str(tmp_path / "redis.sock")
    commands = {
        f"fanwhy-redis-{os.getpid()}": ["redis-server", "--port", port, "--unixsocket", path],
        f"fanwhy-app-{os.getpid()}": ["redis-benchmark", "-p", port, "-n", "100000000", "-q"],
    }
    for name, words in commands.items():
        place = slice_ / f"{name}.service"
        place.mkdir()
        stack.callback(wait_until, partial(_is_removed, place))
        start(stack, "sh", "-c", f'echo $$ > {place}/cgroup.procs; exec "$@"', "sh", *words)
        wait_until(Path(path).exists, timeout=60)
    assert client_of(stack, "redis-server", "65534") == f"fanwhy-app-{os.getpid()}"


@pytest.mark.parametrize("door", ["tcp", "unix"])
def test_postgresql_works_for_one_that_waits_for_its_answer(stack: ExitStack, door: str) -> None:
    assert _POSTGRES is not None, "these tests need postgresql (scripts/system-packages)"
    # pytest's own folders are for root alone.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanwhy-")))
    shutil.chown(folder, "postgres")
    as_postgres = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups")
    subprocess.run(
        [*as_postgres, _POSTGRES / "initdb", "-D", folder / "data", "-A", "trust"],
        check=True,
        capture_output=True,
    )
    port = str(free_port())
    start(
        stack, *as_postgres, str(_POSTGRES / "postgres"), "-D", str(folder / "data"),
        "-p", port, "-k", str(folder), end_by=signal.SIGQUIT,
    )  # fmt: skip
    wait_until((folder / f".s.PGSQL.{port}").exists, timeout=60)
    ready = [str(_POSTGRES / "pg_isready"), "-q", "-h", str(folder), "-p", port]
    wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, timeout=60)
    host = "127.0.0.1" if door == "tcp" else str(folder)
    work = "do $$ begin loop end loop; end $$"
    start(
        stack, *as_postgres, str(_POSTGRES / "psql"), "-h", host, "-p", port, "-U", "postgres",
        "-c", work, "postgres",
    )  # fmt: skip
    assert client_of(stack, "postgres") == "psql"


# --- containers -----------------------------------------------------------------------------------

_SERVER = """
import socket, sys
server = socket.create_server(("0.0.0.0", 7000))
print("listens", flush=True)
held = [server.accept() for _ in range(2)]
print("held", flush=True)
sys.stdin.read()
"""
_CLIENT = """
import socket, sys
held = socket.create_connection((sys.argv[1], 7000))
print("called", flush=True)
sys.stdin.read()
"""


def run(*words: str) -> None:
    subprocess.run(words, check=True)


@pytest.fixture
def networks(stack: ExitStack) -> tuple[str, str, str]:
    """Three networks with a bridge between them, as containers have them: server, app, idle one."""
    names = tuple(f"fanwhy-{os.getpid()}-{number}" for number in range(3))
    bridge = f"fwb{os.getpid() % 100000}"
    run("ip", "link", "add", bridge, "type", "bridge")
    stack.callback(run, "ip", "link", "del", bridge)
    run("ip", "addr", "add", "10.254.77.254/24", "dev", bridge)
    run("ip", "link", "set", bridge, "up")
    for number, name in enumerate(names):
        run("ip", "netns", "add", name)
        stack.callback(run, "ip", "netns", "del", name)
        end = f"fwv{os.getpid() % 10000}x{number}"
        run("ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", name)
        # A network that is deleted keeps its ends for a while; the next test needs their names.
        stack.callback(run, "ip", "link", "del", end)
        run("ip", "link", "set", end, "master", bridge, "up")
        run("ip", "-n", name, "addr", "add", f"10.254.77.{number + 1}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
    return names[0], names[1], names[2]


def container(pid: int, label: str, kind: GroupKind = GroupKind.CONTAINER) -> Member:
    made: Member = Process(Stat(pid, b"x", b"S", 1, pid, pid, 0, 0, 0, 1, 1, 0), pid, 0)
    account = OpenAccount(WorkGroup(label, kind, label), Name(label, label=label))
    made.membership = GroupMembership(account, None, False, True, "x")
    return made


def inside(network: str, program: str, *words: str) -> Sequence[str]:
    return ("ip", "netns", "exec", network, sys.executable, "-c", program, *words)


@pytest.mark.parametrize("from_host", [False, True], ids=["container", "host"])
def test_a_caller_in_another_network_is_found(
    stack: ExitStack, networks: tuple[str, str, str], from_host: bool
) -> None:
    server = start(stack, *inside(networks[0], _SERVER))
    assert server.stdout is not None
    server.stdout.readline()
    direct = (sys.executable, "-c", _CLIENT, "10.254.77.1")
    app = start(stack, *(direct if from_host else inside(networks[1], _CLIENT, "10.254.77.1")))
    other = start(stack, *inside(networks[2], _CLIENT, "10.254.77.1"))
    server.stdout.readline()
    kind = GroupKind.JOB if from_host else GroupKind.CONTAINER
    asked = container(server.pid, "database")
    worked = {
        container(app.pid, "app", kind): 50_000_000,
        container(other.pid, "other"): 100_000,
    }
    found = Connections().counterparts([(1000, asked)], worked, [])
    shares = {account.group.label: part for account, part in found.clients.items()}
    assert shares["app"] > 900
    assert shares["other"] < 100
    assert not found.remote


def test_a_caller_from_elsewhere_is_another_machine(
    stack: ExitStack, networks: tuple[str, str, str]
) -> None:
    """A network that none of our containers has stands for the street."""
    server = start(stack, sys.executable, "-c", _SERVER)
    assert server.stdout is not None
    server.stdout.readline()
    for network in networks[1:]:
        start(stack, *inside(network, _CLIENT, "10.254.77.254"))
    server.stdout.readline()
    asked = container(server.pid, "smbd", GroupKind.UNIT)
    found = Connections().counterparts([(1000, asked)], {}, [])
    assert sorted(found.remote) == [b"\x0a\xfe\x4d\x02", b"\x0a\xfe\x4d\x03"]
    assert Connections().callers(7000) == set(found.remote)
