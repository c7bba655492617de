"""The tables of programs: what is shipped, what a user's file adds, what is wrong with one."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from publisher.cli import main
from publisher.errors import ConfigError
from publisher.ledger import LedgerSettings
from publisher.ledger.ledger import open_ledger
from publisher.ledger.naming import programs
from publisher.ledger.naming.names import Namer
from publisher.sources import Sources

EXAMPLE = """
shells = "nsh"
chores = ["rotate-log"]
one_subcommand = "mytool"
plain = "my-copier"

[wrappers]
with-lock = { valued = "-n --name", positional = 1 }
ccache = { valued = "--mine" }
nohup = { disabled = true }

[switches]
mytool = "--dry-run"

[interpreters]
my-python = { like = "python", valued = "-Z" }
brew-java = { like = "java" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "programs.toml"
        path.write_text(text)
        return str(path)

    return write


def test_what_is_shipped_is_a_file_of_programs() -> None:
    text = Path(programs.__file__).with_name("programs.toml").read_text()
    programs.check(tomllib.loads(text), "programs.toml")
    shipped = programs.shipped()
    assert shipped is programs.shipped()
    assert {"sudo", "nice", "env", "numactl"} <= shipped.wrappers.keys()
    assert {"python", "node", "java", "pwsh"} <= shipped.interpreters.keys()
    assert "bash" in shipped.shells
    assert shipped.interpreters["pypy"] == shipped.interpreters["python"]


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("with-lock -n backup /run/lock make all", "make all"),
        ("/bin/sh /opt/with-lock --name=x /run/lock make all", "make all"),
        ("/usr/bin/python3 /opt/bin/with-lock /run/lock make all", "make all"),
        ("ccache --mine x gcc", "gcc"),
        ("ccache -d x gcc", "gcc"),
        ("nohup make", "nohup"),
        ("nsh -c make", "make"),
        ("nsh", "nsh"),
        ("mytool --dry-run deploy now", "mytool deploy"),
        ("my-python -Z x -m train", "my-python -m train"),
        ("brew-java -cp x org.example.Main", "example"),
        ("sudo -u me nice make all", "make all"),
    ],
)
def test_a_users_programs_are_laid_over_the_shipped_ones(
    write: Callable[[str], str], command: str, label: str
) -> None:
    tables = programs.load(write(EXAMPLE))
    words = command.split()
    assert Namer(lambda: tables).describe(words, words[0][:15]).label == label


def test_lists_are_added_to(write: Callable[[str], str]) -> None:
    tables, shipped = programs.load(write(EXAMPLE)), programs.shipped()
    assert tables.chores == shipped.chores | {"rotate-log"}
    assert tables.plain == shipped.plain | {"my-copier"}
    assert programs.load(write("")) == shipped


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[wrapers]\nx = {}", "unknown key 'wrapers'; did you mean 'wrappers'?"),
        ("shells = 3", 'shells: must be words, as in shells = "one two"'),
        ("shells = ['a b']", "shells: in a list each word stands alone, without spaces"),
        ("wrappers = 'x'", "wrappers: must be a table, as in [wrappers]"),
        ("[wrappers]\nx = '-n'", 'wrappers.x: must be a table, as in x = { valued = "-n --name" }'),
        ("[wrappers]\nx = { value = '-n' }", "unknown key 'value'; did you mean 'valued'?"),
        ("[wrappers]\nx = { valued = 1 }", "wrappers.x.valued: must be words, as in valued"),
        (
            "[wrappers]\nx = { positional = true }",
            "wrappers.x.positional: must be a number from 0 to 9, not True",
        ),
        ("[wrappers]\nx = { disabled = 1 }", "wrappers.x.disabled: must be true or false, not 1"),
        (
            "[interpreters]\nx = { style = 'perl' }",
            "interpreters.x.style: must be one of letters, java, pwsh, not 'perl'",
        ),
        ("[interpreters]\nx = { like = 1 }", "interpreters.x.like: must be a name, not 1"),
        (
            "[interpreters]\nx = { like = 'pyton' }",
            "interpreters.x.like: no such interpreter 'pyton'; did you mean 'python'?",
        ),
        ("[shell_options]\nswitch = '-x'", "shell_options: unknown key 'switch'; known: valued"),
        ("[switches]\ngit = 1", "switches.git: must be words"),
        ("shells = ", "not TOML: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    write: Callable[[str], str], text: str, words: str
) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        programs.load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert words in said
    assert "\n" not in said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"programs_file: .*mine.toml: No such file"):
        programs.load(str(tmp_path / "mine.toml"))


def test_a_file_that_went_bad_since_it_was_checked_is_no_reason_to_stop(
    write: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    settings = LedgerSettings(attribution="light", programs_file=write("shells = 3"))
    ledger = open_ledger(Sources(), settings)
    ledger.sample()
    ledger.close()
    assert "the shipped programs alone are used until the next reload" in caplog.text


@pytest.fixture
def wrapped(tmp_path: Path) -> Iterator[int]:
    """A sleeping script, run by a wrapper that stays above it."""
    wrapper = tmp_path / "with-lock"
    wrapper.write_text('#!/bin/sh\nshift\n"$@"\nexit\n')
    wrapper.chmod(0o755)
    job = tmp_path / "nightly.py"
    job.write_text("import sys; print('up', flush=True); sys.stdin.read()")
    # An orphan with a session of its own, since whatever we start is a part of our own job.
    line = 'exec 3<&0; setsid "$0" "$@" 0<&3 & echo $!'
    command = ["sh", "-c", line, str(wrapper), "/run/lock", sys.executable, str(job)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = {process.stdout.readline().strip() for _ in range(2)}
        assert "up" in told
        yield int((told - {"up"}).pop())


@pytest.mark.skipif(sys.platform != "linux", reason="the books of Linux")
def test_classify_sees_through_a_wrapper_that_the_user_declared(
    wrapped: int, write: Callable[[str], str], tmp_path: Path
) -> None:
    def command(text: str) -> str:
        """From a process of its own, since everything below ours would count as fanwhy's."""
        config = tmp_path / "config.toml"
        config.write_text(text)
        words = ["classify", str(wrapped), "--json", "--config", str(config)]
        done = subprocess.run(
            [sys.executable, "-m", "publisher", *words], check=True, capture_output=True, text=True
        )
        return str(json.loads(done.stdout)["clues"]["command"])

    before = command("")
    after = command(f"[ledger]\nprograms_file = {write(EXAMPLE)!r}\n")
    assert (before, after) == ("with-lock", "python nightly.py")


def test_classify_says_what_is_wrong_with_the_users_programs(
    write: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    path = write("[wrappers]\nx = { value = '-n' }")
    config.write_text(f"[ledger]\nprograms_file = {path!r}\n")
    assert main(["classify", "x", "--config", str(config)]) == 2
    said = capsys.readouterr().err
    assert f"ledger.programs_file: {path}: wrappers.x: unknown key 'value'" in said
