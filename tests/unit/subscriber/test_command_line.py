"""The command itself, as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked import Forkable, Outcome

Run = Callable[..., Outcome]


def surroundings(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": ""}


@pytest.fixture(scope="module")
def forkable() -> Iterator[Forkable]:
    commands = [f"subscriber_cli.{name}" for name in ("command_line", "watch", "tail", "why")]
    made = Forkable(["subscriber_cli", *commands], options=["-W", "error"])
    yield made
    made.close()


@pytest.fixture
def run(forkable: Forkable, tmp_path: Path) -> Run:
    """Runs the real program; it is imported already."""

    def call(*arguments: str) -> Outcome:
        return forkable.run(*arguments, environment=surroundings(tmp_path), folder=tmp_path)

    return call


@pytest.mark.parametrize("arguments", [["--help"], ["tail", "-n", "0"]])
def test_what_the_tests_fork_does_as_what_a_user_starts(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "subscriber_cli", *arguments],
        capture_output=True, text=True, check=False, env=surroundings(tmp_path),
    )  # fmt: skip
    assert run(*arguments) == Outcome(done.returncode, done.stdout, done.stderr)


def test_help_shows_every_command_and_an_example(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(command in done.out for command in ("watch", "tail", "why"))

    assert "fanwhy-sub tail cpu gpu" in run("tail", "--help").out


COMMANDS = ("watch", "why", "hosts", "history", "report", "record", "serve", "tail", "topics",
            "refresh", "doctor")  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_speaks_of_no_types(run: Run, command: str) -> None:
    told = run(command, "--help").out
    assert told.startswith(f"Usage: fanwhy-sub {command} ")
    assert not re.search(r"<[a-z]|\[\[|\]\]|\.\.\.\]?|x>=| range", told)
    assert f"{command} " in run("--help").out


def test_the_list_of_commands_is_not_cut(run: Run) -> None:
    assert "..." not in run("--help").out.partition("Commands:")[2]


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("fanwhy-sub ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frob",), "No such command 'frob'"),
        (("tail", "-n", "0"), "--count"),
        (("tail", "--broker", "http://x"), "unknown scheme 'http'"),
        (("why", "--broker", "mqtt://h:99999"), "1 to 65535"),
        (("tail", "--prefix", "a/#"), "prefix 'a/#'"),
        (("tail", "--config", "/does/not/exist.toml"), "/does/not/exist.toml"),
    ],
)
def test_wrong_usage_is_one_line_and_two(run: Run, arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)

    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_the_daemons_file_will_do(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[broker]\nurl = "mqtt://h:0x"\n[sampling]\nperiod_seconds = 2.0\n')

    done = run("tail", "--config", str(config))

    assert done.code == 2
    assert "broker.url" in done.err
    assert "sampling" not in done.err


def test_no_broker_is_one_line_and_one(run: Run) -> None:
    done = run("why", "--broker", "mqtt://127.0.0.1:1", "--timeout", "0.3")

    assert done.code == 1
    assert done.err == (
        "fanwhy-sub: mqtt://127.0.0.1:1: nothing listens there; is the broker running?\n"
    )
