"""``fanwhy-pub why``: judged as the daemon judges, and well-behaved in pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from unit.cli.program import Program

from publisher.cli.why import follow
from publisher.contract.metric import Reading
from publisher.contract.readings import ExplanationReading, GroupKind
from publisher.errors import SourceError
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import evidence
from publisher.ledger.accounts import Account, Balance, Clues, Correspondents, WorkGroup
from publisher.ledger.usage.gpu_users import with_gpu
from publisher.ledger.usage.shortage import CALM, MemorySigns
from publisher.pipeline import Pipeline
from publisher.sources import Sources
from publisher.sources.gpu_use import GpuUse
from publisher.subsystems.base import Subsystem
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.disk.arrays import ArrayReading
from publisher.subsystems.disk.disk import DiskReading
from publisher.subsystems.gpu import Gpu, GpuDeviceReading, GpuReading
from publisher.subsystems.runner import SubsystemRunner

OLLAMA = Account(
    group=WorkGroup("unit:ollama.service", GroupKind.UNIT, "ollama"),
    clues=Clues(program="ollama", unit="ollama.service"),
    cpu_seconds=0.0,
    process_count=1,
)
USERS = {4711: GpuUse(percent=95.0, memory_bytes=6 << 30, power_watts=180.0)}


class Card(Gpu):
    """A GPU at work."""

    blocking = False

    def read(self) -> GpuReading:
        device = GpuDeviceReading(temperature_celsius=81.0, slowdown_temperature_celsius=93.0)
        return GpuReading(
            usage_percent=95.0, temperature_celsius=81.0, fan_percent=72.0, power_watts=200.0,
            devices={"0000:01:00.0": device},
        )  # fmt: skip

    def users(self) -> dict[int, GpuUse]:
        return USERS


class Processor(Subsystem):
    """A processor that does next to nothing."""

    name = "cpu"
    reading = CpuReading

    def read(self) -> CpuReading:
        return CpuReading(usage_percent=3.0)


class Disks(Subsystem):
    """Disks whose array checks itself."""

    name = "disk"
    reading = DiskReading

    def read(self) -> DiskReading:
        array = ArrayReading(label="md0", kind="md", state="ok", activity="check")
        return DiskReading(read_bytes_per_second=3e8, arrays={"md0": array})


class Books:
    """A ledger that was told what to say."""

    def __init__(self, *accounts: Account) -> None:
        self.health: dict[str, SourceError | None] = {}
        self.accounts = accounts
        self.samples = 0

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        self.samples += 1
        if self.samples == 1:
            return None
        busy = 0.05 + sum(account.cpu_seconds for account in self.accounts)
        return Balance(window_seconds=0.7, cores=4, busy_seconds=busy, accounts=self.accounts)

    def account_of(self, pid: int) -> Account | None:
        return OLLAMA if pid in USERS else None

    def correspondents(self, account: Account) -> Correspondents | None:
        return None

    def callers(self, port: int) -> Correspondents | None:
        return None

    def close(self) -> None:
        pass


class Stage:
    """Time that passes when somebody waits for it."""

    def __init__(self, subsystems: list[type[Subsystem]]) -> None:
        self.now = 0.0
        self.sources = Sources(monotonic=lambda: self.now, wall=lambda: 1.8e9 + self.now)
        self.runner = SubsystemRunner(self.sources, subsystems)
        self.explainer = Explainer(ExplainSettings())

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def why(self, books: Books, seconds: float = 3.0) -> ExplanationReading:
        pipeline = Pipeline(self.sources, self.runner, books, self.explainer)
        return follow(pipeline, seconds=seconds, pause=self.wait)


def test_who_works_the_gpu_is_known() -> None:
    stage = Stage([Processor, Card])
    verdict = stage.why(Books())
    assert verdict.headline == "GPU usage high due to: Ollama language model"
    (cause,) = verdict.causes
    assert (cause.resource, cause.group, cause.power_watts) == ("gpu", "ollama", 200.0)
    assert verdict.evidence
    assert verdict.evidence.gpu_headroom_celsius == 12.0
    assert stage.now == pytest.approx(3.0)


def test_an_array_that_checks_itself_is_told() -> None:
    verdict = Stage([Processor, Disks]).why(Books())
    assert verdict.headline == "High disk I/O during a RAID check (md0)"


def test_it_says_what_the_daemon_would_say() -> None:
    borg = Account(
        group=WorkGroup("job:1", GroupKind.JOB, "borg create"),
        clues=Clues(program="borg", command="borg create"),
        cpu_seconds=1.8,
    )
    said = Stage([Processor, Card]).why(Books(borg))
    daemon, books, verdict = Stage([Processor, Card]), Books(borg), None
    for pause in (0.7, 0.7, 0.7, 0.7, 0.2, 0.0):
        readings: dict[str, Reading] = daemon.runner.read()
        balance = books.sample()
        if balance is not None:
            verdict = daemon.explainer.judge(
                with_gpu(balance, USERS, books.account_of),
                evidence(readings),
                now=daemon.now,
                wall=1.8e9 + daemon.now,
            )
        daemon.wait(pause)
    assert verdict
    assert replace(said, since=None) == replace(verdict, since=None)
    assert said.headline == (
        "GPU usage high due to: Ollama language model; CPU usage high due to: Borg backup "
        "(borg create)"
    )


def test_what_the_daemon_learned_is_read_and_left_alone(tmp_path: Path) -> None:
    stage = Stage([Processor])
    stage.explainer = Explainer(ExplainSettings(), state_dir=str(tmp_path), keeps=False)
    stage.why(Books(), seconds=3000.0)
    stage.explainer.close()
    assert list(tmp_path.iterdir()) == []


class Lost(Books):
    """A ledger that cannot be kept."""

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        raise SourceError("/proc/stat: no such file")


def test_where_nothing_can_be_judged_it_says_why() -> None:
    with pytest.raises(SourceError, match="/proc/stat: no such file"):
        Stage([Processor]).why(Lost())


# --- the program ------------------------------------------------------------------------------


def test_one_plain_line(fanwhy: Program) -> None:
    found = fanwhy("why", "--seconds", "1.5", FORCE_COLOR="1")
    assert (found.code, found.err, found.out.count("\n")) == (0, "", 1)
    assert 0 < len(found.out.strip()) <= 255
    assert found.out.strip().isprintable()


def test_as_json(fanwhy: Program) -> None:
    found = fanwhy("why", "--seconds", "1.5", "--json")
    body = json.loads(found.out)
    assert (found.code, found.err) == (0, "")
    assert {"host", "time", "schema_version", "state", "headline", "evidence"} <= body.keys()


@pytest.mark.parametrize("seconds", ["0", "1", "-3", "nan", "soon", "1e9"])
def test_times_that_make_no_sense(fanwhy: Program, seconds: str) -> None:
    found = fanwhy("why", "--seconds", seconds)
    assert (found.code, found.out) == (2, "")
    assert "--seconds" in found.err
    assert "Traceback" not in found.err


def test_a_reader_that_has_left(surroundings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "publisher", "why", "--seconds", "1.5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings
    ) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 1
