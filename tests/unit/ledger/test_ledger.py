"""The ledger on this machine: real processes, compared with their own account of themselves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.errors import DeniedError
from publisher.ledger import Balance, Ledger, LedgerSettings, open_ledger
from publisher.ledger.ledger import portable_ledger
from publisher.sources import Sources
from publisher.sources.files import KernelFiles

ROOT = Path(__file__).parents[3]
SCRIPT = f"spin-{os.getpid()}.py"  # others may run tests on this machine, too
ORPHANS = """
import os, time
r, w = os.pipe()
go, start = os.pipe()
for i in range(6):
    if not os.fork():
        if not os.fork():
            os.read(go, 1)
            while time.process_time() < 0.1: pass
            os.write(w, b'x')
            os._exit(0)
        os._exit(0)
    os.wait()
print('bo' + 'rn', flush=True)
input()
os.write(start, b'x' * 6)
for i in range(6): os.read(r, 1)
print('do' + 'ne', flush=True)
input()
"""
SPIN = "import time\nwhile time.process_time() < {}: pass\n"

OBSERVER = """
import importlib, json, os, sys
from dataclasses import asdict
sys.path.insert(0, sys.argv[1])
from publisher.ledger import LedgerSettings, ledger as ledgers
from publisher.ledger.naming import programs
from publisher.sources import Sources
programs.shipped()  # while this interpreter's library can be read, which may be root's alone
open_one = ledgers.portable_ledger if sys.argv[2] == "psutil" else ledgers.open_ledger
if sys.argv[2] == "nobody" and os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
ledger = None
for line in sys.stdin:
    if line.strip() == "begin":
        if ledger is not None:
            ledger.close()
        ledger = open_one(Sources(), LedgerSettings(attribution="light"))
    balance = ledger.sample()
    facts = None
    if balance is not None:
        facts = asdict(balance)
    print(json.dumps([facts, "psutil" in sys.modules]), flush=True)
"""


class Observer:
    """A ledger in a process of its own, since everything below ours would count as fanwhy's."""

    def __init__(self, mode: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OBSERVER, str(ROOT), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.with_psutil = False

    def begin(self) -> None:
        """Opens new books."""
        assert self._asked("begin") is None

    def _asked(self, line: str) -> dict[str, Any] | None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        facts: dict[str, Any] | None
        facts, self.with_psutil = json.loads(self.process.stdout.readline())
        return facts

    def sample(self) -> dict[str, Any]:
        facts = self._asked("")
        assert facts is not None
        named = sum(account["cpu_seconds"] for account in facts["accounts"])
        assert abs(facts["busy_seconds"] - named - facts["unattributed_seconds"]) < 1e-6
        return facts

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module", params=["clocks", "nobody", "psutil"])
def started(request: pytest.FixtureRequest) -> Iterator[Observer]:
    made = Observer(request.param)
    yield made
    made.close()


@pytest.fixture
def observer(started: Observer) -> Observer:
    started.begin()
    return started


def accounts(facts: dict[str, Any], label: str) -> list[dict[str, Any]]:
    return [one for one in facts["accounts"] if one["group"]["label"] == label]


def seconds(facts: dict[str, Any], label: str) -> float:
    return float(sum(one["cpu_seconds"] for one in accounts(facts, label)))


class Prompt:
    """An interactive shell on a terminal, as a person has one."""

    def __init__(self, folder: Path) -> None:
        self._terminal, inside = pty.openpty()
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"],
            cwd=folder, stdin=inside, stdout=inside, stderr=inside,
        )  # fmt: skip
        os.close(inside)
        self.pid = self._shell.pid

    def type(self, line: str) -> None:
        os.write(self._terminal, f" {line}\n".encode())

    def wait_for(self, words: bytes) -> None:
        seen = b""
        while words not in seen:
            seen += os.read(self._terminal, 1 << 16)

    def leave(self) -> float:
        """Ends the shell; what it and all that it waited for used."""
        self.type("exit")
        try:
            while os.read(self._terminal, 1 << 16):
                pass
        except OSError:  # how a terminal says that nobody is there
            pass
        _, _, usage = os.wait4(self.pid, 0)
        self._shell.returncode = 0
        os.close(self._terminal)
        return usage.ru_utime + usage.ru_stime

    def end(self) -> None:
        """Ends it, if it did not leave."""
        if self._shell.returncode is None:
            self._shell.send_signal(signal.SIGHUP)
            self._shell.wait()
            os.close(self._terminal)


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Prompt]:
    shell = Prompt(tmp_path)
    yield shell
    shell.end()


def used(balance: Balance, label: str) -> float:
    return sum(a.cpu_seconds for a in balance.accounts if a.group.label == label)


@pytest.mark.parametrize("open_one", [open_ledger, portable_ledger])
def test_the_first_sample_opens_the_books(
    open_one: Callable[[Sources, LedgerSettings], Ledger],
) -> None:
    ledger = open_one(Sources(), LedgerSettings(attribution="light"))
    assert ledger.sample() is None
    balance = ledger.sample()
    ledger.close()
    assert balance is not None
    assert balance.cores == os.cpu_count()


def test_a_living_process_is_named_and_measured(
    observer: Observer, prompt: Prompt, tmp_path: Path
) -> None:
    (tmp_path / SCRIPT).write_text(SPIN.format(0.4) + "print('do' + 'ne', flush=True)\ninput()")
    prompt.type(f"{sys.executable} {SCRIPT}")
    prompt.wait_for(b"done")
    (account,) = accounts(observer.sample(), SCRIPT)
    assert account["group"]["kind"] == "job"
    assert 0.37 <= account["cpu_seconds"] < 0.8  # psutil's times are cut to 10 ms
    assert account["process_count"] == 1
    assert account["clues"]["script"] == SCRIPT
    assert account["memory_bytes"] > 1 << 20
    assert account["since"] == pytest.approx(time.time(), abs=60)


def test_those_who_died_unseen_are_named(
    observer: Observer, prompt: Prompt, tmp_path: Path
) -> None:
    """Twenty processes begin and end between two samples; their parent waited for them."""
    (tmp_path / f"{SCRIPT}.sh").write_text(
        "for i in 1 2 3 4 5 6 7 8 9 10; do\n"
        "  head -c 8000000 /dev/zero | gzip -c >/dev/null\ndone\necho do''ne\nread x\n"
    )
    prompt.type(f"bash {SCRIPT}.sh")
    prompt.wait_for(b"done")
    facts = observer.sample()
    prompt.type("")
    truth = prompt.leave()
    (account,) = accounts(facts, f"{SCRIPT}.sh")
    assert account["cpu_seconds"] == pytest.approx(truth, abs=0.1)
    assert account["short_lived_seconds"] > 0.5 * account["cpu_seconds"]


def test_what_a_dead_process_used_is_booked_once(
    observer: Observer, prompt: Prompt, tmp_path: Path
) -> None:
    (tmp_path / SCRIPT).write_text(
        SPIN.format(0.2) + "print('ha' + 'lf', flush=True)\ninput()\n"
        "while time.process_time() < 0.4: pass\n"
    )
    prompt.type(f"{sys.executable} {SCRIPT}")
    prompt.wait_for(b"half")
    first = observer.sample()
    prompt.type("")
    truth = prompt.leave()
    booked = sum(seconds(facts, SCRIPT) for facts in (first, observer.sample()))
    assert booked == pytest.approx(truth, abs=0.15)  # the shell's own part is some of the truth


def test_orphans_are_not_charged_to_who_waits_for_them(prompt: Prompt, tmp_path: Path) -> None:
    (tmp_path / f"orphans-{SCRIPT}").write_text(ORPHANS)
    observer = Observer("clocks")
    observer.begin()
    prompt.type(f"{sys.executable} orphans-{SCRIPT}")
    prompt.wait_for(b"born")
    first = observer.sample()
    prompt.type("")
    prompt.wait_for(b"done")
    second = observer.sample()
    observer.close()
    assert seconds(first, f"orphans-{SCRIPT}") + seconds(second, f"orphans-{SCRIPT}") >= 0.55


@pytest.mark.parametrize("open_one", [open_ledger, portable_ledger])
def test_fanwhy_itself_is_part_of_the_balance_and_marked(
    open_one: Callable[[Sources, LedgerSettings], Ledger],
) -> None:
    ledger = open_one(Sources(), LedgerSettings(attribution="light"))
    ledger.sample()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    balance = ledger.sample()
    ledger.close()
    assert balance is not None
    (own,) = [account for account in balance.accounts if account.group.own]
    assert own.group.label == "fanwhy"
    assert own.cpu_seconds > 0.17


def test_without_clocks_stat_is_scanned(tmp_path: Path) -> None:
    """A root that is not this machine's: nobody's clock can be asked, ``stat`` can."""
    sources = Sources(files=KernelFiles(_fixture(tmp_path, ticks=0)))
    ledger = open_ledger(sources, LedgerSettings())
    ledger.sample()
    assert ledger.health["ledger.clocks"] is not None
    _fixture(tmp_path, ticks=50)
    balance = ledger.sample()
    ledger.close()
    assert balance is not None
    assert balance.named_seconds == pytest.approx(sum(a.cpu_seconds for a in balance.accounts))
    assert used(balance, "jellyfin") == pytest.approx(0.5)
    (account,) = [a for a in balance.accounts if a.group.label == "jellyfin"]
    assert account.group.kind is GroupKind.UNIT
    assert account.clues.unit == "jellyfin.service"
    assert balance.irq_seconds == pytest.approx(0.02)
    assert balance.steal_seconds == pytest.approx(0.03)


def test_a_hostile_name_breaks_nothing(tmp_path: Path) -> None:
    root = _fixture(tmp_path, ticks=0, comm=b"a) S 1 (\n\xff\x1b[2J")
    sources = Sources(files=KernelFiles(root))
    ledger = open_ledger(sources, LedgerSettings())
    ledger.sample()
    _fixture(tmp_path, ticks=50, comm=b"a) S 1 (\n\xff\x1b[2J")
    balance = ledger.sample()
    ledger.close()
    assert balance is not None
    for account in balance.accounts:
        assert account.group.label.isprintable()
        assert all(member.isprintable() for member in account.clues.members)


def test_hidden_processes_are_told_of(tmp_path: Path) -> None:
    """As under ``hidepid=2``: init is not there for us."""
    root = _fixture(tmp_path, ticks=0)
    (root / "proc/1/stat").unlink()
    ledger = open_ledger(Sources(files=KernelFiles(root)), LedgerSettings())
    ledger.sample()
    problem = ledger.health["ledger.processes"]
    assert isinstance(problem, DeniedError)
    assert problem.remedy
    assert ledger.sample() is not None
    ledger.close()


def _fixture(root: Path, *, ticks: int, comm: bytes = b"jellyfin") -> Path:
    """A machine with init and one service, which has used ``ticks`` since before."""
    files = {
        "proc/stat": f"cpu  {100 + ticks} 0 50 9000 0 {ticks // 25} 0 {ticks * 3 // 50} 0 0\n"
        f"cpu0 {100 + ticks} 0 50 9000 0 0 0 0 0 0\nprocesses 900\n",
        "proc/loadavg": "0.1 0.1 0.1 1/2 700\n",
        "proc/uptime": "1000.0 900.0\n",
        "proc/mounts": "",
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/1/cmdline": "/sbin/init\0",
        "proc/700/cgroup": "0::/system.slice/jellyfin.service\n",
        "proc/700/cmdline": "/usr/bin/jellyfin\0--secret=x\0",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for pid, parent, command, own in ((1, 0, b"systemd", 5), (700, 1, comm, 40 + ticks)):
        line = b"%d (%s) S %d %d %d 0 -1 4194560 0 0 0 0 %d 0 0 0 20 0 1 0 %d 0 5000 0 0\n" % (
            pid, command, parent, pid, pid, own, pid,
        )  # fmt: skip
        (root / f"proc/{pid}/stat").write_bytes(line)
    return root


def test_on_linux_the_ledger_does_without_psutil() -> None:
    observer = Observer("clocks")
    observer.begin()
    observer.sample()
    observer.close()
    assert not observer.with_psutil
