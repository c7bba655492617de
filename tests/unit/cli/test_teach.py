"""``fanwhy-pub teach``, as it is called."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.cli import main
from publisher.cli.asking import running_daemon

_ROOT = Path(__file__).resolve().parents[3]
LABEL = "Nightly copy to the NAS"
LINE = "bash /opt/to-nas.sh --password x"

# Claims the state folder as the daemon does, and tells of SIGHUP.
_DAEMON = """
import signal, sys
sys.path.insert(0, sys.argv[2])
from publisher.daemon.lock import claim
held = claim(sys.argv[3])
signal.signal(signal.SIGHUP, lambda *_: print("again", flush=True))
print("here", flush=True)
while True:
    signal.pause()
"""


class Home:
    """A configuration of our own, and the command in it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.config = folder / "config.toml"
        self.rules = folder / "rules.toml"
        self.state = folder / "state"
        self._capture = capture
        self.config.write_text("# Mine.\n")

    def teach(self, *words: str) -> tuple[int, str, str]:
        code = main(["teach", *words, "--config", str(self.config)])
        return code, *self._capture.readouterr()

    def rule(self) -> tuple[str, str, dict[str, Any]]:
        """The one rule that the file has."""
        ((category, entries),) = tomllib.loads(self.rules.read_text()).items()
        ((name, body),) = entries.items()
        return category, name, body

    def classified(self, what: str) -> str:
        assert main(["classify", what, "--config", str(self.config)]) == 0
        return self._capture.readouterr().out.splitlines()[0].split(None, 1)[1]


@pytest.fixture
def home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Home:
    made = Home(tmp_path, capsys)
    monkeypatch.setenv("STATE_DIRECTORY", str(made.state))
    return made


@pytest.fixture
def script(tmp_path: Path) -> Iterator[int]:
    """The number of a living process that runs ``to-nas.sh``, a child of init as daemons are."""
    (tmp_path / "to-nas.sh").write_text("read -r _ < go\n")
    os.mkfifo(tmp_path / "go")
    launch = "(bash to-nas.sh > /dev/null 2>&1 & echo $!)"
    started = subprocess.run(
        ["bash", "-c", launch],
        cwd=tmp_path, check=True, start_new_session=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = int(started.stdout)
    while b"to-nas.sh" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        os.sched_yield()  # until it has become bash
    yield pid
    (tmp_path / "go").write_text("\n")


def test_a_process_gets_a_name_and_keeps_it(home: Home, script: int) -> None:
    code, out, err = home.teach(str(script), LABEL, "--category", "backup")
    assert (code, err) == (0, "")
    rule = ("backup", "nightly-copy-to-the-nas", {"label": LABEL, "script": "to-nas.sh"})
    assert home.rule() == rule
    assert home.classified(str(script)) == LABEL
    assert "script to-nas.sh" in out
    assert f"{LABEL} (backup, 0.95)" in out


def test_a_command_line_and_a_name_can_be_taught(home: Home) -> None:
    assert home.teach(LINE, LABEL)[0] == 0
    assert home.classified(LINE) == LABEL
    assert home.teach("my-encoder", "My encoder", "--category", "media")[0] == 0
    assert home.classified("my-encoder") == "My encoder"
    assert home.classified(LINE) == LABEL
    assert "password" not in home.rules.read_text()


def test_the_configuration_names_the_file(home: Home) -> None:
    _, out, _ = home.teach(LINE, LABEL)
    assert home.config.read_text() == '# Mine.\n\n[explain]\nrules_file = "rules.toml"\n'
    assert f"{home.config} names it now" in out
    assert "names it now" not in home.teach(LINE, LABEL)[1]


def test_a_configuration_that_cannot_be_changed_is_told_what_to_add(home: Home) -> None:
    home.config.write_text("explain = { busy_cores = 1 }\n")
    code, out, _ = home.teach(LINE, LABEL)
    assert code == 0
    assert f'add to {home.config}: [explain] rules_file = "{home.rules}"' in out


def test_said_again_it_changes_nothing(home: Home) -> None:
    home.teach(LINE, LABEL)
    before = home.rules.stat()
    code, out, _ = home.teach(LINE, LABEL)
    after = home.rules.stat()
    assert (code, after.st_ino, after.st_mtime_ns) == (0, before.st_ino, before.st_mtime_ns)
    assert "has it already" in out


def test_another_label_replaces_the_first_and_nothing_else(home: Home) -> None:
    home.teach(LINE, LABEL)
    comment = "# Films.\n[media]\nfilm = { label = 'Film', program = 'film' } # all\n\n"
    home.rules.write_text(comment + home.rules.read_text())
    home.rules.chmod(0o640)
    home.teach(LINE, "Copy", "--category", "backup")
    text = home.rules.read_text()
    assert text.startswith(comment)
    assert LABEL not in text
    assert home.classified(LINE) == "Copy"
    assert home.rules.stat().st_mode & 0o777 == 0o640
    home.teach(LINE, "Film copy", "--category", "media")
    assert home.classified(LINE) == "Film copy"


def test_a_link_to_the_rules_stays_one(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text("")
    home.rules.symlink_to(elsewhere)
    home.teach(LINE, LABEL)
    assert home.rules.is_symlink()
    assert LABEL in elsewhere.read_text()


def test_a_dry_run_writes_nothing(home: Home) -> None:
    code, out, _ = home.teach(LINE, LABEL, "--dry-run")
    assert code == 0
    assert out.startswith(f"would write {home.rules}\n")
    assert LABEL in out
    assert not home.rules.exists()
    assert home.config.read_text() == "# Mine.\n"


def test_a_rule_does_not_take_on_what_a_shipped_one_matches(home: Home) -> None:
    home.teach("my-own-thing", "Restic")
    category, name, _ = home.rule()
    assert name != "restic"
    assert home.classified("restic") != "Restic"
    assert category == "backup", "a word of the label says so"


def test_a_tool_stays_a_tool(home: Home) -> None:
    home.teach("gzip", "Zipping")
    assert home.rule()[2]["role"] == "tool"


@pytest.mark.parametrize("label", ["Größere Kopie", "コピー", 'With "quotes" \\ and = # [x]'])
def test_labels_of_every_script_are_kept(home: Home, label: str) -> None:
    assert home.teach(LINE, label)[0] == 0
    assert home.rule()[2]["label"] == label
    assert home.classified(LINE) == label


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("my-encoder", " "), "LABEL: must not be empty"),
        (("my-encoder", "a\x1b[2Jb"), "must not hold control characters"),
        (("my-encoder", "a\nb"), "must not hold control characters"),
        (("my-encoder", "x" * 61), "at most 60 characters"),
        (("my-encoder", "x", "--category", "meda"), "did you mean media?"),
        (("bash", "x"), "only a shell or an interpreter is known of it"),
        (("python3", "x"), "only a shell or an interpreter is known of it"),
        (("bash -c 'x=1; read y'", "x"), "only a shell or an interpreter is known of it"),
        (("a*b", "x"), "only a shell or an interpreter is known of it"),
        (("999999999", "x"), "there is no process 999999999"),
    ],
)
def test_what_cannot_be_taught_is_refused_in_a_sentence(
    home: Home, words: tuple[str, ...], complaint: str
) -> None:
    code, out, err = home.teach(*words)
    assert (code != 0, out, err.count("\n")) == (True, "", 1)
    assert complaint in err
    assert not home.rules.exists()


def test_a_rule_that_would_change_nothing_is_refused(home: Home) -> None:
    home.rules.write_text('[web]\nmine = { label = "Mine", script = ["to-nas.sh", "x.sh"] }\n')
    before = home.rules.read_text()
    code, out, err = home.teach(LINE, LABEL)
    assert (code, out) == (1, "")
    assert "web.mine goes before it" in err
    assert home.rules.read_text() == before


def test_fanwhy_keeps_its_own_name(home: Home) -> None:
    code, _, err = home.teach(str(os.getpid()), "x")
    assert (code, err) == (
        1,
        "fanwhy-pub: that is fanwhy itself, which always goes by its own name\n",
    )


def test_a_file_that_cannot_be_read_is_told(home: Home) -> None:
    home.rules.mkdir()
    code, _, err = home.teach(LINE, LABEL)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{home.rules}: cannot be read: " in err


def test_a_file_that_cannot_be_written_is_told(home: Home, tmp_path: Path) -> None:
    home.rules.symlink_to("/proc/sys/no-such-file")
    code, _, err = home.teach(LINE, LABEL)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("fanwhy-pub: /proc/sys/no-such-file: cannot be written: ")


def _daemon(state: Path) -> subprocess.Popen[str]:
    """One that keeps its state there, once it does."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", _DAEMON, "publisher.daemon", str(_ROOT), str(state)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "here\n"
    return daemon


def test_who_names_a_state_folder_means_its_daemon(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publisher.cli.asking._OF_SERVICES", str(tmp_path / "service"))
    with _daemon(tmp_path / "service") as service:
        assert running_daemon() is None
        with _daemon(home.state) as own:
            assert running_daemon() == own.pid
            own.kill()
        service.kill()


def test_the_running_daemon_reads_it(home: Home) -> None:
    with _daemon(home.state) as daemon:
        assert daemon.stdout is not None
        _, out, _ = home.teach(LINE, LABEL)
        assert f"the running fanwhy (process {daemon.pid}) reads it now" in out
        assert daemon.stdout.readline() == "again\n"
        daemon.kill()


def test_a_process_that_has_the_number_of_a_daemon_is_left_alone(home: Home) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        home.state.mkdir()
        (home.state / "lock").write_text(f"{other.pid}\n")
        _, out, _ = home.teach(LINE, LABEL)
        assert "systemctl reload" in out
        assert other.poll() is None
        other.kill()
