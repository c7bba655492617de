"""``fanwhy-sub web`` as people type it: what it says, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.config.companions import RecordSettings, WebSettings
from publisher.errors import ConfigError, FanwhyError
from publisher.mqtt.broker import BrokerSettings
from subscriber_cli.serve import _enabled as enabled
from subscriber_cli.terminal_settings import TerminalSettings
from subscriber_cli.web.server import WebServer

Say = Callable[..., subprocess.CompletedProcess[str]]
BROKER = BrokerSettings(url="mqtt://127.0.0.1:1")


@pytest.fixture
def say(tmp_path: Path) -> Say:
    environment = {name: value for name, value in os.environ.items() if "FANWHY" not in name}

    def run(*words: str, given: str = "", program: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *(["-c", program] if program else ["-m", "subscriber_cli"])]
        return subprocess.run(
            [*command, "web", *words],
            env=environment | {"STATE_DIRECTORY": str(tmp_path)}, input=given,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return run


def test_a_password_and_a_token_are_made(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "web-password"
    done = say("password", given="correct horse\n")
    assert (done.returncode, done.stdout) == (0, f"wrote {path}; it holds from the next start on\n")
    token = say("token", "prometheus")
    assert token.returncode == 0
    assert len(token.stdout.strip()) == 43
    assert token.stdout.strip() not in path.read_text()


def test_a_short_password_is_refused_in_one_line(say: Say) -> None:
    done = say("password", given="short\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fanwhy-sub: a password has 8 characters at least\n"


def test_others_are_not_let_in_without_one(say: Say) -> None:
    done = say("--listen", "0.0.0.0:18642")
    assert done.returncode == 2
    assert done.stderr == (
        "fanwhy-sub: web.listen: 0.0.0.0: others can reach that; set a password first: "
        "fanwhy-sub web password\n"
    )


def test_without_the_extra_it_says_what_to_install(say: Say) -> None:
    program = (
        "import sys; sys.modules['starlette'] = None\n"
        "from subscriber_cli.command_line import main; main()"
    )
    done = say(program=program)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("install them with: pip install 'fanwhy[web]'")


def test_other_commands_load_nothing_of_it() -> None:
    program = "import sys, subscriber_cli.command_line; print('starlette' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    "listen", ["8642", "localhost:8642", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", ":1"]
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"is no address and port, such as 127\.0\.0\.1:8642"):
        WebServer(TerminalSettings(broker=BROKER, web=WebSettings(listen=listen)), print)


@pytest.mark.parametrize(
    ("listen", "path", "url"),
    [
        ("127.0.0.1:81", "", "http://localhost:81/"),
        ("[::1]:81", "/fan/", "http://localhost:81/fan/"),
    ],
)
def test_it_says_where_it_is(listen: str, path: str, url: str) -> None:
    settings = WebSettings(listen=listen, path=path)
    assert WebServer(TerminalSettings(broker=BROKER, web=settings), print).url == url


def test_a_port_that_somebody_has_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        web = WebSettings(listen=f"127.0.0.1:{port}")
        server = WebServer(TerminalSettings(broker=BROKER, web=web), print)
        with pytest.raises(FanwhyError, match=f"127.0.0.1:{port}: Address already in use"):
            server.run()


def test_it_runs_beside_the_recorder(tmp_path: Path) -> None:
    settings = TerminalSettings(
        broker=BROKER,
        record=RecordSettings(enabled=True, database=str(tmp_path / "archive.sqlite")),
        web=WebSettings(enabled=True),
    )
    assert [type(part).__name__ for part in enabled(settings)] == ["Recording", "WebServer"]
    assert enabled(TerminalSettings()) == []
