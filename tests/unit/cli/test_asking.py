"""What a living process is called, asked at the command line and by a ledger that watches it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.cli import main

_ROOT = Path(__file__).resolve().parents[3]

# As the daemon does it, in a process of its own. Each line on its input ends a window, or begins
# with another ledger.
_WATCHER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from publisher.explain.naming.account_classifier import AccountClassifier
from publisher.ledger import LedgerSettings, open_ledger
from publisher.sources import Sources
ledger, classifier = None, AccountClassifier(None)
for line in sys.stdin:
    if line.strip() == "begin":
        if ledger is not None:
            ledger.close()
        ledger = open_ledger(Sources(), LedgerSettings(attribution="light"))
        ledger.sample()
        print("[]", flush=True)
        continue
    told = [(one, classifier.classify(one)) for one in ledger.sample().accounts]
    print(json.dumps([
        {"category": found.category, "label": found.label, "group": one.group.label,
         "kind": one.group.kind, "confidence": found.confidence, "rule": found.rule,
         "reason": found.reason}
        for one, found in told
    ]), flush=True)
"""

# A worker tells its number, and works for a moment whenever it is told to.
_WORKER = """
test -z "{comm}" || echo -n "{comm}" > /proc/$$/comm
echo $$ > number
while read -r word < go; do
    for ((i = 0; i < 100000; i++)); do :; done
    echo > done
done
"""
# Below a parent of another title, which has worked before.
_BELOW = """
echo -n "{comm}" > /proc/$$/comm
(exec -a "{title}" bash worker) &
wait
"""


class Watched:
    """A worker of a given title, and the ledger that watches it."""

    def __init__(self, folder: Path, watcher: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.pids: list[int] = []
        self._watcher = watcher
        for name in ("go", "done", "number"):
            os.mkfifo(folder / name)

    def watch(self) -> None:
        self._asked("begin")

    def _asked(self, line: str) -> list[dict[str, Any]]:
        assert self._watcher.stdin is not None
        assert self._watcher.stdout is not None
        self._watcher.stdin.write(f"{line}\n")
        self._watcher.stdin.flush()
        told: list[dict[str, Any]] = json.loads(self._watcher.stdout.readline())
        return told

    def start(self, title: str, script: str, program: str = "bash") -> int:
        """Starts it as a child of init, as daemons are."""
        (self.folder / "script").write_text(script)
        launch = '(exec -a "$0" "$1" < script > /dev/null 2>&1 &)'
        subprocess.run(
            ["bash", "-c", launch, title, program],
            cwd=self.folder, check=True, start_new_session=True,
        )  # fmt: skip
        pid = int((self.folder / "number").read_text())
        self.pids.append(pid)
        return pid

    def accounts(self) -> list[dict[str, Any]]:
        """Has the worker work; what the ledger tells of who worked in this window."""
        (self.folder / "go").write_text("x\n")
        (self.folder / "done").read_text()
        return self._asked("")

    def close(self) -> None:
        for pid in self.pids:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(pid, signal.SIGKILL)
            if parent != 1 and (self.folder / "worker").exists():
                os.kill(parent, signal.SIGKILL)


@pytest.fixture(scope="module")
def watcher() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _WATCHER, str(_ROOT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.fixture
def watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watcher: subprocess.Popen[str]
) -> Iterator[Watched]:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    folder = tmp_path / "worker-of-ours"
    folder.mkdir()
    made = Watched(folder, watcher)
    yield made
    made.close()


def retitled(comm: str, title: str) -> Callable[[Watched], int]:
    return lambda watched: watched.start(title, _WORKER.format(comm=comm))


def below(comm: str, title: str) -> Callable[[Watched], int]:
    def start(watched: Watched) -> int:
        (watched.folder / "worker").write_text(_WORKER.format(comm=comm))
        return watched.start(f"{comm}: master", _BELOW.format(comm=comm, title=title))

    return start


def renamed(name: str) -> Callable[[Watched], int]:
    def start(watched: Watched) -> int:
        program = watched.folder / name
        shutil.copy(shutil.which("bash") or "/bin/bash", program)
        return watched.start(name, _WORKER.format(comm=""), str(program))

    return start


def script(name: str) -> Callable[[Watched], int]:
    def start(watched: Watched) -> int:
        (watched.folder / name).write_text(_WORKER.format(comm=""))
        return watched.start("bash", f"exec bash {name}")

    return start


# All of a group's work is told in one, so they are called like nothing else on this machine.
@pytest.mark.parametrize("earlier", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    "worker",
    [
        retitled("kuma", "kuma 6.4.2 (tcp://0.0.0.0:3000) [shop]"),
        retitled("sidekik", "sidekik 7.2.0 shop [1 of 5 busy]"),
        retitled("postgrex", "postgrex: shop shop [local] SELECT"),
        retitled("nginy", "nginy: worker process"),
        retitled("rsink", "/usr/bin/perlish"),
        retitled("celerid", "[celerid: shop@host:ForkPoolWorker-1]"),
        retitled("9:2]", "[kworker/9:2]"),
        below("gunikorn", "gunikorn: worker [shop]"),
        renamed("xzed"),
        renamed("kauditd9"),
        script("to-nas-9.sh"),
        script("train_9.py"),
    ],
)
def test_a_process_and_the_daemon_agree(
    empty: Path,
    capsys: pytest.CaptureFixture[str],
    watched: Watched,
    worker: Callable[[Watched], int],
    *,
    earlier: bool,
) -> None:
    if not earlier:
        watched.watch()
    pid = worker(watched)
    if earlier:
        watched.watch()
    watched.accounts()
    accounts = watched.accounts()
    assert main(["classify", str(pid), "--json", "--config", str(empty)]) == 0
    answer = json.loads(capsys.readouterr().out)
    del answer["clues"]
    assert answer in accounts
