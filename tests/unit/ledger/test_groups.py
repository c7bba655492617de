"""Which work group a process belongs to: the decision table of ``Groups``, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from publisher.ledger.cpu.process import Process
from publisher.ledger.groups import Groups, kernel_label
from publisher.ledger.naming.names import Namer
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.files import KernelFiles
from publisher.sources.processes import ProcessDetails, Stat

FANWHY = 4000
CONTAINER = f"/system.slice/docker-{'ab' * 32}.scope"
UNIT = "/system.slice/web.service"


class Machine:
    """Processes of our making, each told to ``Groups`` as it begins."""

    def __init__(self, folder: Path) -> None:
        self.commands: dict[int, str] = {}
        self.places: dict[int, str] = {}
        self.heard: dict[int, OpenAccount] = {}
        self.members: dict[int, Member] = {}
        self.groups = Groups(
            cast("ProcessDetails", self),
            Cgroups(KernelFiles(folder)),
            Namer(),
            own=FANWHY,
            heard=self,
            look_up=lambda _: None,
        )
        self.start(1, 0, "systemd", command="/sbin/init")
        self.start(100, 1, "sshd", command="/usr/sbin/sshd")
        self.start(101, 100, "bash", command="-bash")

    def start(
        self,
        pid: int,
        parent: int,
        comm: str,
        *,
        command: str = "",
        place: str = "/",
        group: int = 0,
    ) -> str:
        """A process begins; the key of its work group."""
        self.commands[pid] = command
        self.places[pid] = place
        stat = Stat(
            pid, comm.encode(), b"S", parent, group or pid, group or pid, 0, 0, 0, 1, pid, 0
        )
        process: Member = Process(stat, pid, 0)
        process.parent = self.members.get(parent)
        process.membership = self.groups.membership(process)
        account = process.membership.account
        account.join(process)
        self.members[pid] = process
        return account.group.key

    def stat(self, pid: int) -> Stat | None:
        del pid
        return None

    def command_line(self, pid: int) -> list[str]:
        return self.commands[pid].split()

    def cgroups(self, pid: int) -> bytes:
        return f"0::{self.places[pid]}\n".encode()

    def executable(self, pid: int) -> str:
        return f"/usr/bin/{self.commands[pid]}"

    def owner(self, pid: int) -> OpenAccount | None:
        return self.heard.get(pid)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def make(machine: Machine) -> str:
    return machine.start(200, 101, "make", command="make all")


def heard_of(machine: Machine) -> str:
    make(machine)
    machine.heard[201] = machine.members[200].membership.account
    return machine.start(201, 1, "cc1", command="cc1 a.c")


def in_its_process_group(machine: Machine) -> str:
    make(machine)
    return machine.start(201, 1, "cc1", command="cc1 a.c", group=200)


def without_a_command_line(machine: Machine) -> str:
    machine.start(200, 1, "cc1", command="cc1 a.c")
    return machine.start(201, 1, "cc1")


def named_like_a_job(machine: Machine) -> str:
    make(machine)
    return machine.start(201, 1, "make", command="make all")


def below_fanwhy(machine: Machine) -> str:
    machine.start(FANWHY, 1, "fanwhy-pub", command="fanwhy-pub run")
    return machine.start(200, FANWHY, "sh", command="sh ask.sh")


def a_worker_whose_command_decides(machine: Machine) -> str:
    make(machine)
    return machine.start(201, 200, "sh", command="sh -c 'cc1 a.c'")


def a_shell_below_a_shell_of_its_unit(machine: Machine) -> str:
    machine.start(200, 1, "tmux: server", command="tmux", place=UNIT)
    return machine.start(201, 200, "bash", command="-bash", place=UNIT)


@pytest.mark.parametrize(
    ("row", "case", "key"),
    [
        (
            "container",
            lambda m: m.start(200, 101, "bash", command="bash", place=CONTAINER),
            f"container:docker:{'ab' * 32}",
        ),
        ("fanwhy", below_fanwhy, "own"),
        ("job", make, "job:101:101:make all"),
        (
            "unit, entered from init",
            lambda m: m.start(200, 1, "nginx", command="nginx", place=UNIT),
            "unit:web.service",
        ),
        (
            "unit, entered from a prompt",
            lambda m: m.start(200, 101, "nginx", command="nginx", place=UNIT),
            "unit:web.service",
        ),
        (
            "unit, by a spawner",
            lambda m: m.start(200, 1, "cron", command="cron", place=UNIT),
            "unit:web.service",
        ),
        ("spawner", lambda m: m.start(200, 101, "bash", command="bash"), "program:bash"),
        ("spawner below one of its unit", a_shell_below_a_shell_of_its_unit, "program:bash"),
        ("worker", a_worker_whose_command_decides, "job:101:101:make all"),
        ("kin, by its process group", in_its_process_group, "job:101:101:make all"),
        ("kin, by lineage", heard_of, "job:101:101:make all"),
        ("alike", without_a_command_line, "program:cc1"),
        ("namesake", named_like_a_job, "job:101:101:make all"),
        ("program", lambda m: m.start(200, 1, "dnsmasq", command="dnsmasq"), "program:dnsmasq"),
        (
            "program, of a manager",
            lambda m: (
                m.start(200, 1, "runsv", command="runsv web")
                and m.start(201, 200, "nginx", command="nginx")
            ),
            "program:nginx",
        ),
    ],
)
def test_the_first_row_that_holds_decides(
    machine: Machine, row: str, case: Callable[[Machine], str], key: str
) -> None:
    assert case(machine) == key, row


def test_a_job_tells_what_started_it(machine: Machine) -> None:
    make(machine)
    assert machine.members[200].membership.account.clues().ancestors == ("bash",)


def test_workers_inherit_without_being_read(machine: Machine) -> None:
    make(machine)
    first, second = (machine.start(pid, 200, "cc1") for pid in (201, 202))
    assert first == second == "job:101:101:make all"
    assert machine.members[201].membership is machine.members[202].membership


@pytest.mark.parametrize(
    ("comm", "label"),
    [
        ("kworker/u8:2-writeback", "kworker writeback"),
        ("kworker/1:2H+kblockd", "kworker kblockd"),
        ("kworker/0:1", "kworker"),
        ("ksoftirqd/3", "ksoftirqd"),
        ("kswapd0", "kswapd0"),
        ("md0_resync", "md0_resync"),
        ("irq/24-nvme0q1", "irq nvme"),
        ("irq/130-nvidia", "irq nvidia"),
        ("irq/16-s-i915", "irq i915"),
        ("irq/45-enp3s0-TxRx-0", "irq enp3s0"),
        ("kworker/u16:3-kcryptd/253:0", "kworker kcryptd"),
        ("kworker/u8:1-flush-253:0", "kworker flush"),
        ("kworker/2:1-wg-crypt-wg0", "kworker wg-crypt-wg0"),
        ("kworker/R-btrfs-endio", "kworker btrfs-endio"),
        ("\x1b", "kernel"),
    ],
)
def test_kernel_threads_are_folded(comm: str, label: str) -> None:
    assert kernel_label(comm) == label


@pytest.mark.parametrize(
    ("tool", "command", "place", "key"),
    [
        ("lxc-start", "lxc-start -F -n web", "/lxc.payload.web", "container:lxc:web"),
        ("lxc-execute", "lxc-execute -n web -- make", "/lxc.payload.web", "container:lxc:web"),
        ("lxc-attach", "lxc-attach -n web -- make", "/lxc.payload.web", "container:lxc:web"),
        (
            "systemd-nspawn",
            "systemd-nspawn -M nsp -D /srv/nsp make",
            "/machine.slice/machine-nsp.scope",
            "container:nspawn:nsp",
        ),
    ],
)
def test_what_a_person_starts_in_a_system_container_is_that_containers(
    machine: Machine, tool: str, command: str, place: str, key: str
) -> None:
    machine.start(200, 101, tool, command=command)
    assert machine.start(201, 200, "make", command="make", place=place) == key
    assert machine.start(202, 201, "cc1", command="cc1 x.c", place=place) == key
