"""The process that sends: it hangs, it dies, it is not there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from subscriber_cli.notify.courier import ANSWER_SECONDS, Answer, Courier, Gone


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


Parts = tuple[Courier, Clock, "SimpleQueue[Answer | Gone]"]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Parts]:
    """A courier whose process answers by what it is asked, without Apprise."""
    program = tmp_path / "worker"
    program.write_text(
        "#!/bin/sh\nwhile read -r line; do case $line in *hang*) ;; *die*) exit 1;;\n"
        '*) echo "{\\"id\\": ${line%%,*}, \\"ok\\": true, \\"said\\": \\"\\"}" '
        '| sed \'s/{"id": {"id": /{"id": /\';; esac; done\n'
    )
    program.chmod(0o755)
    started = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: started([program], **options))
    clock = Clock()
    answers: SimpleQueue[Answer | Gone] = SimpleQueue()
    made = Courier(answers.put, clock)
    yield made, clock, answers
    made.close()


def test_a_question_is_answered(parts: Parts) -> None:
    courier, _, answers = parts
    number = courier.ask(url="x")
    assert answers.get(timeout=20) == Answer(number, ok=True, said="")
    assert courier.answered(number)
    assert not courier.busy


def test_one_that_hangs_is_given_up_and_does_not_hold_up_the_others(parts: Parts) -> None:
    courier, clock, answers = parts
    hanging = courier.ask(url="hang")
    other = courier.ask(url="x")
    assert answers.get(timeout=20) == Answer(other, ok=True, said="")
    courier.answered(other)
    assert courier.late() == []
    clock.now += ANSWER_SECONDS
    assert courier.late() == [hanging]
    assert not courier.busy
    assert isinstance(answers.get(timeout=20), Gone)  # and the process that hung is ended
    assert not courier.answered(hanging)


def test_of_one_that_dies_nothing_more_is_expected_and_another_is_started(parts: Parts) -> None:
    courier, _, answers = parts
    lost = courier.ask(url="die")
    gone = answers.get(timeout=20)
    assert isinstance(gone, Gone)
    assert courier.lost(gone) == [lost]
    number = courier.ask(url="x")
    assert answers.get(timeout=20) == Answer(number, ok=True, said="")
    assert courier.lost(gone) == []  # an old word about the one before


def test_it_is_ended_where_there_is_nothing_to_do(parts: Parts) -> None:
    courier, clock, answers = parts
    courier.answered(courier.ask(url="x"))
    assert isinstance(answers.get(timeout=20), Answer)
    courier.rest()
    clock.now += 61
    courier.rest()
    gone = answers.get(timeout=20)
    assert isinstance(gone, Gone)
    with pytest.raises(ProcessLookupError):
        os.kill(gone.process, signal.SIG_DFL)
