"""The configuration, read again: one at a time, the newest wins, and nothing is lost by a typo."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.contract.readings import InfoReading
from publisher.daemon.launch import Launch
from publisher.daemon.reload import Reloader
from publisher.daemon.settings import Settings


class Daemon:
    """A main loop, by hand."""

    def __init__(self, *, patience: float = 60.0) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.applied: list[str] = []
        self.reloader = Reloader(self.calls.put, self._apply, patience=patience)

    def _apply(self, launch: Launch) -> None:
        self.applied.append(launch.config_path)

    def turn(self) -> None:
        """Does what a thread left to be done."""
        self.calls.get(timeout=30)()


def child(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


@pytest.fixture
def says(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """A child that tells a configuration of that name."""

    def command(name: str) -> tuple[str, ...]:
        file = tmp_path / name
        launch = Launch(
            settings=Settings(), catalogue=b"{}", identity=InfoReading(), config_path=name
        )
        file.write_bytes(launch.dump())
        return ("cat", str(file))

    return command


def test_what_the_child_tells_is_applied(says: Callable[[str], tuple[str, ...]]) -> None:
    daemon = Daemon()
    daemon.reloader.tick(says("unasked"))
    daemon.reloader.ask()
    daemon.reloader.tick(says("first"))
    daemon.turn()
    daemon.reloader.tick(says("unasked"))
    assert daemon.applied == ["first"]
    assert daemon.calls.empty()


def test_asked_again_meanwhile_only_the_newest_is_applied(
    says: Callable[[str], tuple[str, ...]],
) -> None:
    daemon = Daemon()
    daemon.reloader.ask()
    daemon.reloader.tick(says("old"))
    for _ in range(3):
        daemon.reloader.ask()
        daemon.reloader.tick(says("impatient"))  # the first goes on: nothing begins
    daemon.turn()
    daemon.reloader.tick(says("new"))
    daemon.turn()
    assert daemon.applied == ["new"]
    assert daemon.calls.empty()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nonexistent/python",), "/nonexistent/python: cannot be started: No such file"),
        (child("import time; time.sleep(60)"), "reading it took longer than 1 s"),
        (child("import sys; sys.exit('line 3: \\x1b[2Jtypo')"), "line 3: \\x1b[2Jtypo"),
        (child("import sys; sys.exit(3)"), "reading it ended with code 3"),
        (child("print('no settings')"), "not started by fanwhy-pub run"),
    ],
)
def test_what_goes_wrong_is_said_and_the_next_time_it_may_work(
    command: tuple[str, ...],
    words: str,
    says: Callable[[str], tuple[str, ...]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    daemon = Daemon(patience=1.0 if "sleep" in command[-1] else 60.0)
    daemon.reloader.ask()
    daemon.reloader.tick(command)
    daemon.turn()
    assert daemon.applied == []
    assert caplog.messages[0].startswith(f"the configuration stays as it was: {words}")
    daemon.reloader.ask()
    daemon.reloader.tick(says("right"))
    daemon.turn()
    assert daemon.applied == ["right"]


def test_where_no_thread_can_be_had_it_is_tried_again(
    says: Callable[[str], tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    daemon, now = Daemon(), [100.0]
    monkeypatch.setattr("publisher.daemon.reload.time.monotonic", lambda: now[0])
    real = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    daemon.reloader.ask()
    daemon.reloader.tick(says("first"))
    daemon.reloader.tick(says("first"))
    assert len(caplog.messages) == 1
    monkeypatch.setattr(threading.Thread, "start", real)
    now[0] += 30
    daemon.reloader.tick(says("first"))
    daemon.turn()
    assert daemon.applied == ["first"]


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
