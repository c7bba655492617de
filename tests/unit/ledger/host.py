"""A machine made of files, on which processes come, work and go at our word."""

from __future__ import annotations

import shutil
from pathlib import Path

from publisher.ledger import Account, Balance, LedgerSettings
from publisher.ledger.ledger import BalancedLedger, open_ledger
from publisher.sources import Sources
from publisher.sources.files import KernelFiles

KERNEL = 0x00200000
MB = 1 << 20


class Host:
    """Processes as files, and a ledger that looks at them every two seconds.

    Times are clock ticks of 10 ms. What the machine did in all is what its processes did, and
    ``others`` besides.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        self.wall = 1_600_000_000.0
        self.others = 0
        self.forks = 0
        self.last = 2
        self.own: dict[int, int] = {}
        self.reaped: dict[int, int] = {}
        self.lines: dict[int, tuple[str, int, int, int, int, int, int]] = {}
        self.write("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
        self.write("proc/uptime", "1000.0 1.0\n")
        # Not all are in cgroups, so that /proc/stat tells what the machine did.
        self.start(1, 0, "systemd", command="/sbin/init", cgroup="/")
        self.start(2, 0, "kthreadd", flags=KERNEL)
        # A held descriptor of a file that was removed still reads; one of a cgroup does not.
        self.sources = Sources(
            files=KernelFiles(root, held=0),
            monotonic=lambda: self.now,
            wall=lambda: self.wall,
        )
        self.write_totals()
        ledger = open_ledger(self.sources, LedgerSettings(attribution="light"))
        assert isinstance(ledger, BalancedLedger)
        self.ledger = ledger

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def start(
        self,
        pid: int,
        parent: int,
        comm: str,
        *,
        command: str = "",
        own: int = 0,
        cgroup: str = "",
        group: int = 0,
        session: int = 0,
        flags: int = 0,
        pages: int = 100,
    ) -> None:
        """A process begins; ``group`` and ``session`` are its own unless told."""
        self.forks += 1
        self.last = pid
        began = int(self.now * 100) + 1
        self.lines[pid] = (comm, parent, group or pid, session or pid, flags, began, pages)
        self.own[pid] = self.reaped[pid] = 0
        if command:
            self.write(f"proc/{pid}/cmdline", command.replace(" ", "\0") + "\0")
        if cgroup:
            self.write(f"proc/{pid}/cgroup", f"0::{cgroup}\n")
        self.work(pid, own)

    def work(self, pid: int, ticks: int) -> None:
        self.own[pid] += ticks
        self._line(pid)

    def reap(self, pid: int, ticks: int) -> None:
        """It waits for children that used so much and that nobody saw."""
        self.reaped[pid] += ticks
        self._line(pid)

    def show(self, pid: int, *, comm: str = "", parent: int = 0, pages: int = 0) -> None:
        """Changes what its line says."""
        line = self.lines[pid]
        self.lines[pid] = (
            comm or line[0], parent or line[1], *line[2:6], pages or line[6],
        )  # fmt: skip
        self.write(f"proc/{pid}/statm", f"{self.lines[pid][6]} {self.lines[pid][6]} 0 0 0 0 0\n")
        self._line(pid)

    def _line(self, pid: int) -> None:
        comm, parent, group, session, flags, began, pages = self.lines[pid]
        self.write(
            f"proc/{pid}/stat",
            f"{pid} ({comm}) S {parent} {group} {session} 0 -1 {flags} 0 0 0 0 {self.own[pid]} 0 "
            f"{self.reaped[pid]} 0 20 0 1 0 {began} 0 {pages} 0 0\n",
        )

    def end(self, pid: int) -> None:
        """It dies, and its parent waits for it."""
        used, parent = self.own[pid] + self.reaped[pid], self.lines[pid][1]
        self.others += self.own[pid] + self.reaped[pid]
        if parent in self.reaped:
            self.others -= used
            self.reap(parent, used)
        for facts in (self.own, self.reaped, self.lines):
            del facts[pid]
        self.write(f"proc/{pid}/stat", "")  # a descriptor that is held tells nothing either
        shutil.rmtree(self.root / f"proc/{pid}")

    def cgroup(self, path: str, ticks: int) -> None:
        """All that was ever used in a cgroup."""
        self.write(f"sys/fs/cgroup{path}/cpu.stat", f"usage_usec {ticks * 10_000}\n")

    def moved_bytes(self, pid: int, read: int, written: int = 0) -> None:
        """All that a process ever read and wrote."""
        self.write(
            f"proc/{pid}/io",
            f"read_bytes: {read}\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n",
        )

    def write_totals(self) -> None:
        used = sum(self.own.values()) + sum(self.reaped.values()) + self.others
        self.write(
            "proc/stat",
            f"cpu  {used} 0 0 0 0 0 0 0 0 0\ncpu0 {used} 0 0 0 0 0 0 0 0 0\n"
            f"processes {self.forks}\n",
        )
        self.write("proc/loadavg", f"0.0 0.0 0.0 1/{len(self.own)} {self.last}\n")

    def open(self) -> None:
        self.write_totals()
        assert self.ledger.sample() is None

    def sample(self, windows: int = 1) -> Balance:
        for _ in range(windows - 1):
            self._window()
        return self._window()

    def _window(self) -> Balance:
        self.now += 2.0
        self.wall += 2.0
        self.write_totals()
        balance = self.ledger.sample()
        assert balance is not None
        return balance


def labelled(balance: Balance, label: str) -> Account:
    (found,) = [a for a in balance.accounts if a.group.label == label]
    return found
