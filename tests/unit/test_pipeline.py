"""One machine, sampled: each step's result is there, and a step that stumbles is missing alone."""

from __future__ import annotations

import os
import socket
from typing import ClassVar

import pytest

from publisher.contract.metric import Reading
from publisher.contract.readings import GROUP_KINDS, GroupKind
from publisher.daemon.settings import Settings
from publisher.errors import AbsentError, SourceError
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.explain.naming.traits import Traits
from publisher.ledger.accounts import Account, Balance, Clues, Correspondents, WorkGroup
from publisher.ledger.usage.shortage import CALM, MemorySigns
from publisher.pipeline import CONSUMERS, EXPLANATION, LEDGER, Pipeline, ProcessWatcher
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.base import Subsystem
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.disk.smart import SmartSettings
from publisher.subsystems.memory import MemoryReading
from publisher.subsystems.runner import SubsystemRunner, SubsystemSettings

XZ = Account(
    group=WorkGroup("program:xz", GroupKind.PROGRAM, "xz"),
    clues=Clues(program="xz", command="xz"),
    cpu_seconds=1.9,
    process_count=1,
)


class Processor(Subsystem):
    """A processor that is busy."""

    name = "cpu"
    reading = CpuReading
    top_by = "cpu_percent"

    def read(self) -> CpuReading:
        return CpuReading(usage_percent=95.0)


class Missing(Subsystem):
    """Something that this machine does not have."""

    name = "gpu"
    reading = CpuReading

    def read(self) -> Reading:
        raise AbsentError("no GPU on this machine")


class Books:
    """A ledger that was told what to say."""

    def __init__(self, account: Account = XZ) -> None:
        self.health: dict[str, SourceError | None] = {"ledger.clocks": None}
        self.closed = False
        self.memory = CALM
        self._account = account
        self._samples = 0

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        self.memory = memory
        self._samples += 1
        if self._samples == 1:
            return None
        return Balance(window_seconds=2.0, cores=2, busy_seconds=2.0, accounts=(self._account,))

    def account_of(self, pid: int) -> Account | None:
        return None

    def correspondents(self, account: Account) -> Correspondents | None:
        return None

    def callers(self, port: int) -> Correspondents | None:
        return None

    def close(self) -> None:
        self.closed = True


class Lost(Books):
    """A ledger that cannot be kept."""

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        raise ZeroDivisionError("whatever")


class Stage:
    def __init__(self, books: Books | None) -> None:
        self.now = 0.0
        sources = Sources(monotonic=lambda: self.now, wall=lambda: 1.8e9 + self.now)
        runner = SubsystemRunner(sources, [Processor, Missing])
        self.pipeline = Pipeline(sources, runner, books, Explainer(ExplainSettings()))


def test_a_sample_holds_what_every_step_gave() -> None:
    stage = Stage(Books())
    first = stage.pipeline.sample()
    assert (first.balance, first.verdict, first.events) == (None, None, ())
    assert first.again_in, "what opens the books tells nothing yet"
    samples = []
    for _ in range(4):
        stage.now += 2.0
        samples.append(stage.pipeline.sample())
    sample = samples[-1]
    assert sample.verdict
    assert sample.verdict.headline == "CPU usage high due to: Compression (xz)"
    assert (sample.now, sample.wall) == (8.0, 1.8e9 + 8.0)
    cpu = sample.readings["cpu"]
    assert isinstance(cpu, CpuReading)
    (top,) = cpu.top or ()
    assert (top.label, top.group, top.category, top.cpu_percent) == (
        "Compression", "xz", "shell", 95.0
    )  # fmt: skip
    assert {event.event for each in samples for event in each.events} == {
        "cause_began", "state_changed"
    }  # fmt: skip
    assert "gpu" not in sample.readings
    assert stage.pipeline.health["gpu"].state == "absent"


class Short(Subsystem):
    """Memory of which tasks wait for some."""

    name = "memory"
    reading = MemoryReading
    pressure = 0.0

    def read(self) -> MemoryReading:
        return MemoryReading(pressure_some_percent=self.pressure, used_percent=50.0, oom_kills=3)


class Scarcer(Short):
    pressure = 2.0


@pytest.mark.parametrize(("subsystem", "short"), [(Short, False), (Scarcer, True)])
def test_the_ledger_is_told_how_memory_is(subsystem: type[Subsystem], short: bool) -> None:
    books = Books()
    sources = Sources()
    Pipeline(sources, SubsystemRunner(sources, [subsystem]), books).sample()
    assert books.memory == MemorySigns(short=short, kills=3)


def test_the_verdict_may_ask_how_a_process_behaves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        traits = ProcessWatcher(KernelFiles()).traits(os.getpid())
    assert (port in traits.serves) == (port < 32768)
    assert traits.gpu is False
    assert ProcessWatcher(KernelFiles("/nowhere")).traits(1) == Traits()


def test_a_ledger_that_stumbles_takes_no_subsystem_along() -> None:
    stage = Stage(Lost())
    sample = stage.pipeline.sample()
    assert sample.readings.keys() == {"cpu"}
    assert (sample.balance, sample.verdict) == (None, None)
    assert stage.pipeline.health[LEDGER].state == "failing"
    assert "ZeroDivisionError" in stage.pipeline.health[LEDGER].reason


def test_a_verdict_that_stumbles_takes_no_balance_along(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(Books())
    stage.pipeline.sample()

    def stumble(*_: object, **__: object) -> None:
        raise KeyError("whatever")

    monkeypatch.setattr(Explainer, "judge", stumble)
    stage.now += 2.0
    sample = stage.pipeline.sample()
    assert sample.balance
    assert sample.verdict is None
    assert stage.pipeline.health[EXPLANATION].state == "failing"
    monkeypatch.undo()
    stage.now += 2.0
    assert stage.pipeline.sample().verdict
    assert stage.pipeline.health[EXPLANATION].state == "ok"


def test_a_ranking_that_stumbles_takes_no_reading_along() -> None:
    odd = Account(group=WorkGroup("x", GROUP_KINDS, "x"), clues=Clues(), cpu_seconds="lots")  # type: ignore[arg-type]
    stage = Stage(Books(odd))
    stage.pipeline.sample()
    stage.now += 2.0
    assert stage.pipeline.sample().readings.keys() == {"cpu"}
    assert stage.pipeline.health[CONSUMERS].state == "failing"


def test_news_are_news_once() -> None:
    stage = Stage(Books())
    stage.pipeline.sample()
    assert stage.pipeline.take_health_changed()
    stage.now += 2.0
    stage.pipeline.sample()
    assert not stage.pipeline.take_health_changed()


class Diary(Subsystem):
    """Writes down what the configuration tells the disks' subsystem."""

    name = "disk"
    reading = CpuReading
    told: ClassVar[list[SmartSettings]] = []

    def __init__(self, sources: Sources, smart: SmartSettings) -> None:
        super().__init__(sources)
        self.told.append(smart)

    def read(self) -> Reading:
        return CpuReading()


def test_every_way_to_a_pipeline_hands_on_the_configuration() -> None:
    Diary.told.clear()
    smart = SmartSettings(smart_minutes=0)
    pipeline = Pipeline.of(Settings(smart=smart), subsystems=[Diary], ledger=False)
    assert Diary.told == [smart]
    assert pipeline.subsystems == {"disk"}
    pipeline.close()


def test_power_is_told_of_upses_elsewhere() -> None:
    class Supplies(Subsystem):
        name = "power"
        reading = CpuReading
        told: ClassVar[list[tuple[str, ...]]] = []

        def __init__(self, sources: Sources, ups: tuple[str, ...]) -> None:
            super().__init__(sources)
            self.told.append(ups)

        def read(self) -> Reading:
            return CpuReading()

    senses = SubsystemSettings(ups=("rack@nas.lan",))
    Pipeline.of(Settings(senses=senses), subsystems=[Supplies], ledger=False).close()
    assert Supplies.told == [("rack@nas.lan",)]


def test_whoever_looks_but_once_waits_and_asks_again() -> None:
    """A command takes two samples a second apart: what failed at first is asked again at once."""

    class Late(Subsystem):
        name = "cpu"
        reading = CpuReading
        blocking = True
        period = 3600.0
        reads: ClassVar[int] = 0

        def read(self) -> CpuReading:
            type(self).reads += 1
            if self.reads == 1:
                raise SourceError("not yet")
            return CpuReading(usage_percent=float(self.reads))

    pipeline = Pipeline.of(Settings(), subsystems=[Late], ledger=False, patient=True)
    assert pipeline.sample().readings == {}
    assert pipeline.sample().readings == {"cpu": CpuReading(usage_percent=2.0)}
    assert pipeline.sample().readings == {"cpu": CpuReading(usage_percent=3.0)}
    pipeline.close()


def test_closing_lets_go_of_everything() -> None:
    books = Books()
    stage = Stage(books)
    stage.pipeline.sample()
    stage.pipeline.close()
    assert books.closed
