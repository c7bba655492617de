"""The daemon as a person starts it, on nights on which something cannot be had."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker.parties import Received, Watcher
from servers import REPOSITORY, Daemon, Mosquitto, wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    running = Mosquitto(folder).start()
    yield running
    running.kill()


@pytest.fixture
def watch(broker: Mosquitto) -> Iterator[Watcher]:
    found = Watcher(broker.port, "host/#")
    yield found
    found.close()


@pytest.fixture
def run(tmp_path: Path, broker: Mosquitto) -> Iterator[Callable[[], Daemon]]:
    made: list[Daemon] = []

    def start() -> Daemon:
        made.append(Daemon(tmp_path, f"[broker]\nurl = '{broker.url}'\n"))
        return made[-1].start()

    yield start
    for daemon in made:
        daemon.kill()


@pytest.fixture
def load() -> Iterator[subprocess.Popen[bytes]]:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    yield burner
    burner.kill()
    burner.wait()


def events(messages: list[Received]) -> list[dict[str, object]]:
    return [json.loads(one.payload) for one in messages if one.topic == "host/event"]


def test_what_began_before_kill_9_ends_after_it(
    watch: Watcher, run: Callable[[], Daemon], load: subprocess.Popen[bytes]
) -> None:
    first = run()
    watch.wait(lambda got: any(one["event"] == "cause_began" for one in events(got)), timeout=60)
    began = next(one for one in events(watch.messages) if one["event"] == "cause_began")
    first.kill()
    load.kill()
    run()
    watch.wait(lambda got: any(one["event"] == "cause_ended" for one in events(got)), timeout=60)
    ended = next(one for one in events(watch.messages) if one["event"] == "cause_ended")
    assert (ended["label"], ended["began"]) == (began["label"], began["began"])
    assert ended["unwatched"] is True
    watch.wait(
        lambda got: any(
            one["event"] == "state_changed" and one["state"] == "quiet" for one in events(got)
        ),
        timeout=60,
    )
    ends = [one["id"] for one in events(watch.messages) if "ended" in str(one["event"])]
    assert len(set(ends)) == len(ends)


def _holds_sighup(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    held = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(held.split()[1], 16) & 1 << signal.SIGHUP - 1)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3, 0.5, 0.8])
def test_sighup_in_the_first_moments_ends_nothing(
    watch: Watcher, run: Callable[[], Daemon], after: float
) -> None:
    daemon = run()
    wait_until(lambda: _holds_sighup(daemon.pid))  # before that the interpreter itself starts
    time.sleep(after)  # the very moment is what is tried
    daemon.signal(signal.SIGHUP)
    watch.wait_for("host/cpu", timeout=60)
    wait_until(lambda: "configuration read again" in daemon.log.read_text(), timeout=60)
    assert daemon.end(signal.SIGTERM) == 0


def test_a_log_that_nobody_reads_keeps_nothing_waiting(
    tmp_path: Path, broker: Mosquitto, watch: Watcher
) -> None:
    (tmp_path / "fanwhy.toml").write_text(f"[broker]\nurl = '{broker.url}'\n")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)  # it is full before the first line
    except BlockingIOError:
        os.set_blocking(writer, True)
    daemon = subprocess.Popen(
        [sys.executable, "-m", "publisher", "run", "--config", tmp_path / "fanwhy.toml"],
        cwd=REPOSITORY,
        env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "s"), "FANWHY_LOG_LEVEL": "debug"},
        stderr=writer,
    )
    try:
        watch.wait_for("host/cpu", timeout=60)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        daemon.wait()
        os.close(reader)
        os.close(writer)


def test_a_state_folder_that_cannot_be_written_costs_no_event_and_no_second_daemon(
    watch: Watcher, run: Callable[[], Daemon], tmp_path: Path,
    load: subprocess.Popen[bytes],
) -> None:  # fmt: skip
    state = tmp_path / "state"
    state.write_text("a file stands in the way")
    first = run()
    watch.wait(lambda got: any(one["event"] == "cause_began" for one in events(got)), timeout=60)
    second = run()
    assert second.wait(30) == 1
    assert "runs already" in second.log.read_text()
    assert first.end(signal.SIGTERM) == 0


_PIDS = next(
    (place for place in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if place.is_dir()),
    Path("/nowhere"),
)


@pytest.fixture
def task_limit() -> Iterator[Path]:
    """A control group of this process's children that can be told how many tasks it may have."""
    place = _PIDS / f"fanwhy-faults-{os.getpid()}"
    place.mkdir()
    assert (place / "pids.max").exists(), "these tests need the pids controller"
    yield place
    (place / "pids.max").write_text("max")
    wait_until(lambda: _removed(place), timeout=60)


def _removed(place: Path) -> bool:
    try:
        place.rmdir()
    except OSError:
        return False
    return True


def test_the_task_limit_ends_nothing(
    watch: Watcher, run: Callable[[], Daemon], task_limit: Path,
    load: subprocess.Popen[bytes],
) -> None:  # fmt: skip
    daemon = run()
    pid = daemon.pid
    (task_limit / "cgroup.procs").write_text(str(pid))
    (task_limit / "pids.max").write_text("1")  # as it starts: not one thread can be had
    wait_until(lambda: "start no thread" in daemon.log.read_text(), timeout=60)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "cannot be read now" in daemon.log.read_text(), timeout=60)
    (task_limit / "pids.max").write_text("max")
    watch.wait_for("host/cpu", timeout=90)
    watch.wait(lambda got: any(one["event"] == "cause_began" for one in events(got)), timeout=90)
    wait_until(lambda: "configuration read again" in daemon.log.read_text(), timeout=90)
    assert daemon.end(signal.SIGTERM) == 0
