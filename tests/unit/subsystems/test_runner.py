"""The runner of subsystems: what fails, hangs or is missing never stops the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

import pytest

from publisher.contract.metric import Reading, gauge, reading
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import Sources
from publisher.subsystems.base import Subsystem
from publisher.subsystems.runner import DEADLINE_SECONDS, SubsystemRunner


@reading
class Number(Reading):
    number: int | None = gauge("Number", "How often it was read.")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted(Subsystem):
    """Does what its script says at each read; counts how often it was asked."""

    name = "scripted"
    reading = Number
    script: ClassVar[Callable[[int], None]]

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self.reads = 0

    def read(self) -> Number:
        self.reads += 1
        type(self).script(self.reads)
        return Number(number=self.reads)


class Steady(Subsystem):
    name = "steady"
    reading = Number

    def read(self) -> Number:
        return Number(number=1)


def runner_of(
    script: Callable[[int], None], clock: Clock, *, blocking: bool = False
) -> tuple[SubsystemRunner, Scripted]:
    cls = type("Case", (Scripted,), {"script": staticmethod(script), "blocking": blocking})
    runner = SubsystemRunner(Sources(monotonic=clock, wall=lambda: 0.0), [cls, Steady])
    subsystem = runner.subsystem("scripted")
    assert isinstance(subsystem, Scripted)
    return runner, subsystem


def fails_with(error: Exception) -> Callable[[int], None]:
    def script(_: int) -> None:
        raise error

    return script


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (AbsentError("no such thing"), "absent"),
        (DeniedError("not for you", remedy="ask root"), "denied"),
        (SourceError("broken"), "failing"),
        (ZeroDivisionError("ours"), "failing"),
    ],
)
def test_a_failing_subsystem_is_reported_and_the_others_go_on(error: Exception, state: str) -> None:
    runner, _ = runner_of(fails_with(error), Clock())
    assert runner.read() == {"steady": Number(number=1)}
    health = runner.health["scripted"]
    assert health.state == state
    assert str(error) in health.reason
    assert runner.health["steady"].state == "ok"


def test_a_name_from_outside_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    path = "/home/eve/m\n\x1b[2JERROR fanwhy: forged"
    runner, _ = runner_of(fails_with(SourceError("no answer", path=path)), Clock())
    runner.read()
    assert "/home/eve/m\\n\\x1b[2JERROR" in runner.health["scripted"].reason
    assert any("forged" in message for message in caplog.messages)
    assert all(message.isprintable() for message in caplog.messages)


def test_a_failing_subsystem_is_asked_ever_less_often_and_recovers() -> None:
    def script(count: int) -> None:
        if count < 6:
            raise SourceError("broken")

    clock = Clock()
    runner, subsystem = runner_of(script, clock)
    readings: dict[str, Reading] = {}
    for clock.now in range(0, 120, 2):
        readings = runner.read()
    assert subsystem.reads < 40  # of 60 samples
    assert "scripted" in readings
    assert runner.health["scripted"].state == "ok"


def test_a_health_change_is_told_once() -> None:
    clock = Clock()
    runner, _ = runner_of(fails_with(SourceError("broken")), clock)
    runner.read()
    assert runner.changed
    runner.changed = False
    clock.now = 100.0
    runner.read()
    assert not runner.changed


def test_a_reading_stays_good_for_its_period() -> None:
    clock = Clock()
    cls = type("Slow", (Scripted,), {"script": staticmethod(lambda _: None), "period": 10.0})
    runner = SubsystemRunner(Sources(monotonic=clock), [cls])
    numbers = []
    for clock.now in (0, 2, 9, 10, 19, 20):
        numbers.append(runner.read()["scripted"].number)  # type: ignore[attr-defined]
    assert numbers == [1, 1, 1, 2, 2, 3]


def test_a_hanging_subsystem_is_cut_off_and_taken_back_when_it_answers() -> None:
    release = threading.Event()

    def script(count: int) -> None:
        if count == 2:
            release.wait(30)

    clock = Clock()
    runner, subsystem = runner_of(script, clock, blocking=True)
    assert runner.read()["scripted"] == Number(number=1)
    clock.now = 2.0
    assert runner.read()["scripted"] == Number(number=1)  # the last one, for a while
    clock.now = 2.0 + DEADLINE_SECONDS
    assert "scripted" not in runner.read()
    assert runner.health["scripted"].state == "hanging"
    before = threading.active_count()
    for _ in range(20):
        clock.now += 2.0
        assert runner.read() == {"steady": Number(number=1)}
    assert subsystem.reads == 2
    assert threading.active_count() == before  # never a second thread
    release.set()
    while runner.health["scripted"].state != "ok":
        runner.read()
    clock.now += 2.0
    assert runner.read()["scripted"] is not None
    runner.close()


def test_a_disabled_subsystem_is_never_read() -> None:
    runner = SubsystemRunner(Sources(), [Steady], disabled=["steady"])
    assert runner.read() == {}
    assert dict(runner.health) == {}


def test_parts_are_reported_by_name() -> None:
    class Partial(Subsystem):
        name = "partial"
        reading = Number

        def read(self) -> Number:
            def denied() -> int:
                raise DeniedError("root only", path="/proc/x", remedy="run as root")

            return Number(number=self.part("secret", denied))

    runner = SubsystemRunner(Sources(), [Partial])
    assert runner.read() == {"partial": Number()}
    health = runner.health["partial.secret"]
    assert (health.state, health.remedy) == ("denied", "run as root")


def test_where_no_thread_can_be_had_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock = Clock()
    runner, _ = runner_of(lambda _: None, clock, blocking=True)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert runner.read() == {"steady": Number(number=1)}
        assert "no thread" in runner.health["scripted"].reason
    clock.now += 1000.0
    assert "scripted" in runner.read()


def test_what_was_chosen_and_why_is_said_of_what_works() -> None:
    def choose(reads: int) -> None:
        chosen.chosen["scripted.part"] = "sensor 1: the best" if reads > 1 else "sensor 2"

    runner, chosen = runner_of(choose, Clock())
    chosen.health["scripted.part"] = None
    runner.read()
    assert (runner.health["scripted.part"].state, runner.health["scripted.part"].reason) == (
        "ok",
        "sensor 2",
    )
    runner.changed = False
    runner.read()
    assert runner.health["scripted.part"].reason == "sensor 1: the best"
    assert runner.changed
