"""Owners for what nobody was seen to do: counters of cgroups, events of the kernel."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest
from rich.console import Console

from publisher.cli.top import table
from publisher.ledger import (
    Account,
    Balance,
    Clues,
    GroupKind,
    LedgerSettings,
    WorkGroup,
    open_ledger,
)
from publisher.ledger.cpu.attribution import Bookkeeper
from publisher.ledger.cpu.lineage import Lineage
from publisher.ledger.cpu.process import Process
from publisher.ledger.groups import Entry, Seat, kernel_label
from publisher.ledger.merge import merged
from publisher.ledger.naming.names import Name
from publisher.sources import Sources
from publisher.sources.connector import Exit, Fork
from publisher.sources.files import KernelFiles
from publisher.sources.processes import Stat

UNIT = "sys/fs/cgroup/system.slice/backup.service"


def machine(root: Path, *, own: int, counted: int) -> Path:
    """Init and one unit: its process used ``own`` ticks, its cgroup ``counted``."""
    files = {
        "proc/stat": "cpu  100 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\nprocesses 9\n",
        "proc/loadavg": "0 0 0 1/2 700\n",
        "proc/uptime": "1000.0 900.0\n",
        "proc/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/1/cmdline": "/sbin/init\0",
        "proc/700/cgroup": "0::/system.slice/backup.service\n",
        "proc/700/cmdline": "/usr/bin/restic\0",
        "sys/fs/cgroup/init.scope/cpu.stat": "usage_usec 1\n",
        "sys/fs/cgroup/system.slice/cpu.stat": f"usage_usec {counted * 10_000}\n",
        f"{UNIT}/cpu.stat": f"usage_usec {counted * 10_000}\n",
        f"{UNIT}/io.stat": f"8:0 rbytes={counted * 100} wbytes={counted * 200}\n",
        f"{UNIT}/cpu.pressure": f"some avg10=1.00 avg60=1.00 avg300=1.00 total={counted * 700}\n",
    }
    for pid, parent, name, used in ((1, 0, "systemd", 5), (700, 1, "restic", own)):
        files[f"proc/{pid}/stat"] = (
            f"{pid} ({name}) S {parent} {pid} {pid} 0 -1 4194560 0 0 0 0 {used} 0 0 0 20 0 1 0 "
            f"{pid} 0 5000 0 0\n"
        )
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_what_a_cgroup_counted_beyond_its_processes_is_its_own(tmp_path: Path) -> None:
    ledger = open_ledger(
        Sources(files=KernelFiles(machine(tmp_path, own=10, counted=100))), LedgerSettings()
    )
    ledger.sample()
    machine(tmp_path, own=60, counted=250)
    balance = ledger.sample()
    machine(tmp_path, own=70, counted=260)
    after = ledger.sample()
    ledger.close()
    assert balance is not None
    assert after is not None
    (account,) = [a for a in balance.accounts if a.group.label == "backup"]
    assert account.cpu_seconds == pytest.approx(1.5)
    assert account.short_lived_seconds == pytest.approx(1.0)
    assert balance.unattributed_seconds == 0
    (account,) = [a for a in after.accounts if a.group.label == "backup"]
    assert account.cpu_seconds == pytest.approx(0.1), "what was given once is not given again"
    assert account.disk_read_bytes_per_second is not None
    assert account.wait_seconds == pytest.approx(0.007), "by the unit's pressure"


def entry(label: str) -> Entry:
    return Entry(WorkGroup(label, GroupKind.JOB, label), Name(label, label=label))


def process(pid: int, group: Entry, *, spawner: bool = False) -> Process[Seat]:
    stat = Stat(pid, b"x", b"S", 1, pid, pid, 0, 0, 0, 1, 1, 0)
    made: Process[Seat] = Process(stat, pid, 0)
    made.group = Seat(group, None, spawner, described=True, program="x")
    return made


def test_orphans_are_traced_to_who_began_their_line() -> None:
    job, shell = entry("job"), entry("bash")
    table = {10: process(10, job), 20: process(20, shell, spawner=True)}
    lineage = Lineage("light")
    lineage._take(
        [
            Fork(10, 11, 1000),  # the job makes a child
            Fork(11, 12, 2000),  # which makes a grandchild
            Exit(11, 2500),  # and leaves it alone
            Fork(12, 13, 2600),
            Exit(13, 2700),  # waited for by its parent, who lives
            Exit(12, 9000),
            Fork(20, 21, 100),  # what a shell starts is nobody's but its own
            Exit(21, 900),
        ],
        table,
    )
    assert lineage.lives == Counter({job: 7001})
    assert lineage.owner(13) is job
    assert lineage.owner(21) is None
    lineage.forget({job})
    assert lineage.owner(13) is None


@pytest.mark.parametrize(
    ("comm", "label"),
    [
        ("kworker/u8:2-writeback", "kworker writeback"),
        ("kworker/1:2H+kblockd", "kworker kblockd"),
        ("kworker/0:1", "kworker"),
        ("ksoftirqd/3", "ksoftirqd"),
        ("kswapd0", "kswapd0"),
        ("md0_resync", "md0_resync"),
        ("irq/24-nvme0q1", "irq"),
        ("\x1b", "kernel"),
    ],
)
def test_kernel_threads_are_folded(comm: str, label: str) -> None:
    assert kernel_label(comm) == label


def account(label: str, **facts: float) -> Account:
    return Account(group=WorkGroup(label, GroupKind.JOB, label), clues=Clues(), **facts)  # type: ignore[arg-type]


def test_windows_add_up() -> None:
    first = Balance(
        window_seconds=2, cores=4, busy_seconds=3, unattributed_seconds=1,
        accounts=(account("a", cpu_seconds=2, disk_read_bytes_per_second=100, wait_seconds=0.5),),
    )  # fmt: skip
    second = Balance(
        window_seconds=1, cores=4, busy_seconds=4,
        accounts=(
            account("b", cpu_seconds=3, memory_bytes=9),
            account("a", cpu_seconds=1, disk_read_bytes_per_second=40),
        ),
    )  # fmt: skip
    whole = merged([first, second])
    assert whole.window_seconds == 3
    assert whole.busy_seconds == 7
    assert whole.named_seconds == 6
    labels = [one.group.label for one in whole.accounts]
    assert labels in (["a", "b"], ["b", "a"])
    by_label = {one.group.label: one for one in whole.accounts}
    assert by_label["a"].cpu_seconds == 3
    assert by_label["a"].disk_read_bytes_per_second == pytest.approx(80)
    assert by_label["a"].wait_seconds == 0.5
    assert by_label["b"].memory_bytes == 9
    assert by_label["b"].wait_seconds is None


def test_a_closed_group_is_owed_nothing() -> None:
    class Nothing:
        tallies: ClassVar[dict[str, Any]] = {}

        def cpu_usage(self, _: str) -> None:
            return None

    keeper = Bookkeeper(Nothing(), Nothing(), None, None)  # type: ignore[arg-type]
    closed, alive = entry("closed"), entry("alive")
    keeper._orphans_seen.update({closed: 10**9, alive: 10**6})
    keeper._last_seen = keeper._window
    keeper.forget({closed})
    keeper.orphans = 500_000_000
    assert keeper.close_window(500_000_000, 50_000_000, Counter()) == 500_000_000
    assert (closed.cpu, alive.cpu) == (0, 500_000_000)


def test_windows_in_which_no_child_of_an_ignorer_was_seen() -> None:
    class Kernel:
        def cpu_usage(self, _: str) -> None:
            return None

        def ignores_children(self, _: int) -> bool:
            return True

        tallies: ClassVar[dict[str, Any]] = {}

    kernel = Kernel()
    keeper = Bookkeeper(kernel, kernel, kernel, None)  # type: ignore[arg-type]
    job = entry("job")
    parent: Process[Seat] = Process(Stat(9, b"x", b"S", 1, 9, 9, 0, 0, 0, 1, 1, 0), 9, 0)
    parent.group = Seat(job, None, False, described=True, program="x")

    def window(gap: int) -> int:
        job.previous, job.cpu = job.cpu, 0
        return keeper.close_window(gap, 50_000_000, Counter())

    keeper._children_seen[parent] = 10**6
    assert window(10**9) == 10**9
    assert window(10**9) == 10**9, "as much as in the window before"
    assert window(4 * 10**9) == 10**9, "and no more"
    parent.alive = False
    assert window(10**9) == 10**9, "it ended in this one"
    assert window(10**9) == 0


def test_top_prints_one_object() -> None:
    command = [sys.executable, "-m", "publisher", "top", "--seconds", "0.5", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    assert document["seconds"] >= 0.5
    parts = document["named_percent"] + document["unattributed_percent"]
    assert document["busy_percent"] == pytest.approx(parts, abs=0.05)
    group = document["groups"][0]
    assert {"label", "kind", "cpu_percent", "short_lived_percent", "process_count"} <= set(group)
    assert None not in group.values()


def test_top_draws_a_table() -> None:
    command = [sys.executable, "-m", "publisher", "top", "--seconds", "0.5"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, *rest = done.stdout.splitlines()
    assert first.startswith("busy ")
    assert " = named " in first
    header = next(line for line in rest if not line.startswith("and "))
    assert header.split()[:2] == ["who", "kind"]


def test_the_balance_stays_on_its_line_whatever_stands_beside_it() -> None:
    balance = Balance(
        window_seconds=1, cores=128, busy_seconds=127.9, unattributed_seconds=0,
        irq_seconds=2.5, steal_seconds=12.0,
    )  # fmt: skip
    shown = io.StringIO()
    Console(file=shown, width=80).print(table(balance))
    first, second, *_ = shown.getvalue().splitlines()
    assert first.rstrip() == (
        "busy 12790 % = named 12790 % + unattributed 0 %  (percent of one core of 128)"
    )
    assert second.rstrip() == "and irq 250 %, steal 1200 %, which no program did"


@pytest.mark.parametrize("width", [24, 30, 40, 60, 80, 200])
def test_top_leaves_columns_out_and_cuts_none(width: int) -> None:
    hog = account(
        "a program with a rather long name", cpu_seconds=1, memory_bytes=400 << 20,
        disk_read_bytes_per_second=5e6, wait_seconds=0.5,
    )  # fmt: skip
    balance = Balance(window_seconds=1, cores=4, busy_seconds=1, accounts=(hog,))
    shown = io.StringIO()
    Console(file=shown, width=width).print(table(balance, width=width))
    heads, cells = (line.split() for line in shown.getvalue().splitlines()[-2:])
    assert {"who", "CPU", "%"} <= set(heads)
    assert set(heads) <= {"who", "kind", "CPU", "%", "waits", "memory", "disk", "procs", "since"}
    assert "100.0" in cells
    assert ("400" in cells) == ("memory" in heads)
    assert ("memory" in heads) == (width >= 40)
    assert ("disk" in heads) == (width >= 60)
    assert ("waits" in heads) == (width >= 60)


def test_top_is_live_in_a_pipe_too() -> None:
    command = [sys.executable, "-m", "publisher", "top", "--live", "--seconds", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as live:
        assert live.stdout is not None
        assert live.stdout.readline().startswith("busy ")
        live.kill()


def test_top_cannot_be_live_and_json() -> None:
    command = [sys.executable, "-m", "publisher", "top", "--live", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "choose one" in done.stderr
