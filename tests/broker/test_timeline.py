"""What was, after a real load, a crash and a restart: held against what was really run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import servers
from broker.parties import Shipped, Watch, Watcher
from servers import wait_until

from publisher.daemon.timeline_reading import LARGEST

pytestmark = pytest.mark.broker

Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def daemon(tmp_path: Path, broker: Shipped) -> Iterator[servers.Daemon]:
    made = servers.Daemon(tmp_path)
    password = tmp_path / "password"
    password.write_text("daemon's own\n")
    password.chmod(0o600)
    made.config.write_text(
        f"[broker]\nurl = 'mqtt://fanwhy@127.0.0.1:{broker.port}'\npassword_file = '{password}'\n"
    )
    yield made
    made.kill()


@pytest.fixture
def load() -> Iterator[Callable[[], None]]:
    """Processes that keep the machine busy, without a parent of ours; a call ends them."""
    one = "xz -9e -T1 -c /dev/zero >/dev/null 2>&1 &"
    start = f"for _ in 1 2 3 4; do {one} done; echo $$"
    group = int(subprocess.check_output(["sh", "-c", start], start_new_session=True))

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    yield end
    end()


@pytest.fixture
def ask(tmp_path: Path, broker: Shipped, daemon: servers.Daemon) -> Ask:
    """Runs a command: the terminal's, or with ``program="publisher"`` the daemon's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
    reader = {"FANWHY_BROKER__USERNAME": "reader", "FANWHY_BROKER__PASSWORD": "read:only"}
    local = {"STATE_DIRECTORY": str(daemon.state), "FANWHY_CONFIG": str(daemon.config)}

    def run(*arguments: str, program: str = "subscriber_cli") -> subprocess.CompletedProcess[str]:
        ours = local if program == "publisher" else {"FANWHY_BROKER": broker.url, **reader}
        return subprocess.run(
            [sys.executable, "-m", program, *arguments],
            env={**kept, "HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "TZ": "UTC", **ours},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def remembered(watcher: Watcher, what: str) -> list[dict[str, Any]]:
    """What the newest timeline holds of causes, gaps and the like."""
    newest = watcher.newest("host/timeline")
    found: list[dict[str, Any]] = json.loads(newest.payload)[what] if newest else []
    return found


def of_the_load(watcher: Watcher) -> list[dict[str, Any]]:
    return [cause for cause in remembered(watcher, "causes") if "xz" in str(cause)]


def test_a_load_a_crash_and_what_is_told_of_them(
    broker: Shipped, watch: Watch, daemon: servers.Daemon, load: Callable[[], None], ask: Ask
) -> None:
    begun = time.time()
    watcher = watch(broker, "host/timeline")
    daemon.start()
    watcher.wait(lambda _: of_the_load(watcher), timeout=90)
    (cause,) = of_the_load(watcher)
    assert "ended" not in cause
    assert begun - 60 < datetime.fromisoformat(cause["began"]).timestamp() < time.time()

    daemon.kill()  # as kill -9
    killed = time.time()
    load()
    wait_until(lambda: time.time() > killed + 12)
    daemon.start()
    watcher.wait(lambda _: remembered(watcher, "gaps"), timeout=90)

    (gap,) = remembered(watcher, "gaps")
    assert gap["reason"] == "not_running"
    assert datetime.fromisoformat(gap["began"]).timestamp() <= killed
    assert datetime.fromisoformat(gap["ended"]).timestamp() >= killed + 12
    assert of_the_load(watcher)[0]["unwatched"] is True
    assert all(len(each.payload) <= LARGEST for each in watcher.messages)

    check_what_is_told(ask, cause["began"], killed)


def check_what_is_told(ask: Ask, began: str, killed: float) -> None:
    """The load when it began, nothing while no daemon ran, and both in the night's history."""
    then = ask("why", "--at", began, "--json")
    assert then.returncode == 0, then.stderr
    told = json.loads(then.stdout)
    assert told["recorded"] is True
    assert any("xz" in str(each) for each in told["causes"])
    assert "xz" in ask("why", "--at", began).stdout
    assert "xz" in ask("why", "--at", began, program="publisher").stdout

    between = datetime.fromtimestamp(killed + 6, UTC).isoformat(timespec="seconds")
    for program in ("subscriber_cli", "publisher"):
        hidden = ask("why", "--at", between, program=program)
        assert hidden.returncode == 1
        assert "nothing was recorded: fanwhy did not run" in hidden.stdout

    night = ask("history", "--since", "1 h ago")
    assert night.returncode == 0, night.stderr
    assert "not watched: fanwhy did not run" in night.stdout
    assert "xz" in night.stdout
    (document,) = map(json.loads, ask("history", "--json").stdout.splitlines())
    assert [each["reason"] for each in document["gaps"]] == ["not_running"]
    assert document["series"]


def test_a_time_that_is_none_is_one_line(ask: Ask) -> None:
    for program in ("subscriber_cli", "publisher"):
        for time_of, says in (("soonish", "is no time"), ("2999-01-01T00:00", "lies ahead")):
            done = ask("why", "--at", time_of, program=program)
            assert done.returncode == 2
            assert len(done.stderr.splitlines()) == 1
            assert says in done.stderr


def test_a_host_that_nobody_knows_is_one_line(
    broker: Shipped, watch: Watch, daemon: servers.Daemon, ask: Ask
) -> None:
    watcher = watch(broker, "host/timeline")
    daemon.start()
    watcher.wait_for("host/timeline", timeout=30)
    done = ask("history", "nobody")
    assert done.returncode == 1
    assert "no host nobody keeps a timeline" in done.stderr
