"""A real process that fills a real limit, killed by the real kernel; takes root."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.contract.readings import EventReading
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.ledger import LedgerSettings
from publisher.ledger.cpu.machine import LinuxMachine
from publisher.ledger.ledger import BalancedLedger
from publisher.pipeline import Pipeline
from publisher.sources import Sources
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import LinuxProcesses
from publisher.subsystems.memory import Memory
from publisher.subsystems.runner import SubsystemRunner

pytestmark = pytest.mark.processes

LIMIT = 64 << 20
LEAK = """
import time
held = []
while True:
    held.append(b"x" * (1 << 20))
    time.sleep(0.03)
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A control group whose memory is limited."""
    name = f"fanwhy-test-{os.getpid()}"
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    path, limit = (v1 / name, "memory.limit_in_bytes") if v1.is_dir() else (v2 / name, "memory.max")
    try:
        path.mkdir()
    except OSError:
        pytest.skip("control groups cannot be made here")
    try:
        try:
            (path / limit).write_text(str(LIMIT))
        except OSError:
            pytest.skip("memory is not counted by control group here")
        yield path
    finally:
        path.rmdir()


@pytest.fixture
def stand_in() -> Iterator[int]:
    """Stands for the daemon, whose children would be its own: the number of another process."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_a_leak_is_told_with_its_limit_and_its_end(
    tmp_path: Path, cgroup: Path, stand_in: int
) -> None:
    script = tmp_path / "leak.py"
    script.write_text(LEAK)
    sources = Sources()
    cgroups = Cgroups(sources.files)
    ledger = BalancedLedger(
        sources,
        LedgerSettings(),
        LinuxProcesses(sources.files),
        cgroups,
        LinuxMachine(sources.files, cgroups),
        own=stand_in,
    )
    explainer = Explainer(ExplainSettings())
    pipeline = Pipeline(sources, SubsystemRunner(sources, [Memory]), ledger, explainer)
    pipeline.sample()
    start = 'echo $$ > "$1/cgroup.procs" && exec "$2" "$3"'
    command = ["sh", "-c", start, "sh", str(cgroup), sys.executable, str(script)]
    told: list[tuple[EventReading, str | None]] = []
    with subprocess.Popen(command, start_new_session=True) as leak:
        until = time.monotonic() + 30
        while not told and time.monotonic() < until:
            time.sleep(0.3)
            sample = pipeline.sample()
            headline = sample.verdict.headline if sample.verdict else ""
            told += [(event, headline) for event in sample.events if event.alert == "oom_kill"]
        leak.kill()
    pipeline.close()
    assert told, "the kernel killed nobody"
    event, headline = told[0]
    words = "leak.py fills its limit of 64 MiB; the kernel killed it"
    assert (event.label, event.message) == ("leak.py", words)
    assert (headline or "").startswith(words)
