"""The command itself, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "subscriber_cli", *arguments],
        capture_output=True, text=True, timeout=30, check=False,
        env={**kept, "HOME": str(home), "XDG_CONFIG_HOME": "", **environment},
    )  # fmt: skip


def test_help_shows_every_command_and_an_example(tmp_path: Path) -> None:
    done = run("--help", home=tmp_path)
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("watch", "tail", "why"))

    assert "fanwhy-sub tail cpu gpu" in run("tail", "--help", home=tmp_path).stdout


def test_version(tmp_path: Path) -> None:
    assert run("--version", home=tmp_path).stdout.startswith("fanwhy-sub ")


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
def test_wrong_usage_is_one_line_and_two(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments, home=tmp_path)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_daemons_file_will_do(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[broker]\nurl = "mqtt://h:0x"\n[sampling]\nperiod_seconds = 2.0\n')

    done = run("tail", "--config", str(config), home=tmp_path)

    assert done.returncode == 2
    assert "broker.url" in done.stderr
    assert "sampling" not in done.stderr


def test_no_broker_is_one_line_and_one(tmp_path: Path) -> None:
    done = run("why", "--broker", "mqtt://127.0.0.1:1", "--timeout", "0.3", home=tmp_path)

    assert done.returncode == 1
    assert done.stderr == (
        "fanwhy-sub: mqtt://127.0.0.1:1: nothing listens there; is the broker running?\n"
    )
