"""``fanwhy-pub classify``, as it is called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.cli import main


@pytest.fixture(autouse=True)
def _defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults, whatever this machine has configured and learned."""
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--config", str(tmp_path / "config.toml")])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_classify_tells_the_rule_and_the_reason(run: Run) -> None:
    code, out, err = run("classify", "backupd")
    assert (code, err) == (0, "")
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows["label"] == "Time Machine backup"
    assert rows["rule"] == "backup.time-machine"
    assert rows["because"] == "program 'backupd'"


def test_classify_takes_the_surroundings(run: Run) -> None:
    _, out, _ = run("classify", "gzip", "--inside", "duplicity", "--json")
    answer = json.loads(out)
    assert (answer["category"], answer["reason"]) == ("backup", "'gzip' works for 'duplicity'")
    _, out, _ = run("classify", "npm run build", "--json")
    assert json.loads(out)["rule"] == "node-build"
    _, out, _ = run("classify", "frob", "--unit", "smbd.service", "--json")
    assert json.loads(out)["category"] == "file_sharing"


def test_classify_calls_units_and_containers_as_the_ledger_does(run: Run) -> None:
    _, out, _ = run("classify", "bash", "--unit", "burner.service", "--json")
    answer = json.loads(out)
    assert (answer["label"], answer["category"]) == ("burner service", "unknown")
    assert (answer["kind"], answer["group"]) == ("unit", "burner")
    _, out, _ = run("classify", "sh", "--image", "registry.example/mine/thing:3", "--json")
    assert json.loads(out)["label"] == "thing:3"


def test_classify_a_living_process(run: Run) -> None:
    code, out, _ = run("classify", str(os.getpid()), "--json")
    assert (code, json.loads(out)["label"]) == (0, "fanwhy")


def test_classify_a_process_that_is_not_there(run: Run) -> None:
    code, out, err = run("classify", "999999999")
    assert (code, out, err) == (1, "", "fanwhy-pub: there is no process 999999999\n")


def test_classify_says_what_is_wrong_with_the_users_rules(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text("[media]\nx = { label = 'X', progam = 'x' }")
    (tmp_path / "config.toml").write_text(f"[explain]\nrules_file = {str(rules)!r}\n")
    code, _, err = run("classify", "x")
    assert code == 2
    assert f"{rules}: media.x: unknown key 'progam'; did you mean 'program'?" in err


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("bash /opt/nightly.sh", "nightly.sh"),
        ("/bin/bash '/opt/my scripts/nightly.sh' --password x", "nightly.sh"),
        ("sudo -u me nice -n 10 restic backup /home", "restic"),
        ("su - me -c 'restic backup /home'", "restic"),
        ("cd /src && FLAGS=-O2 make -j8 all", "make"),
        ("python3 -u /opt/train.py --token abc", "train.py"),
        ("./train.py --token abc", "train.py"),
        ("sh -c 'echo began; ffmpeg -i a b'", "ffmpeg"),
        ("npm run build", "npm run build"),
    ],
)
def test_classify_takes_a_command_line_as_it_is_typed(run: Run, line: str, named: str) -> None:
    _, out, _ = run("classify", line, "--json")
    answer = json.loads(out)
    assert answer["kind"] == "job"
    assert named in answer["group"]


def test_what_a_wrapper_runs_is_what_works(run: Run) -> None:
    _, out, _ = run("classify", "sudo nice bash -c 'gzip -9 a'", "--json")
    assert json.loads(out)["clues"]["program"] == "gzip"


def test_a_script_is_run_by_what_its_first_line_says(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "archive"
    script.write_text("#!/usr/bin/env ruby\n")
    _, out, _ = run("classify", str(script), "--json")
    clues = json.loads(out)["clues"]
    assert (clues["script"], clues["program"]) == ("archive", "ruby")


def test_a_command_line_in_a_unit_or_container_is_theirs(run: Run) -> None:
    line = "bash /opt/nightly.sh"
    _, out, _ = run("classify", line, "--unit", "copies", "--json")
    assert (json.loads(out)["kind"], json.loads(out)["group"]) == ("unit", "copies")
    _, out, _ = run("classify", line, "--image", "docker.io/me/copies:2", "--json")
    assert (json.loads(out)["kind"], json.loads(out)["group"]) == ("container", "copies:2")
    _, out, _ = run("classify", "gzip -9 x", "--inside", "duplicity", "--json")
    assert json.loads(out)["category"] == "backup"


@pytest.mark.parametrize("name", ["time machine", "Time Machine", "Time Machine backup", "backupd"])
def test_classify_knows_a_product_by_its_name(run: Run, name: str) -> None:
    _, out, _ = run("classify", name, "--json")
    assert json.loads(out)["rule"] == "time-machine"


def test_a_product_that_nobody_knows_is_no_command_line(run: Run) -> None:
    _, out, _ = run("classify", "Gorblax Media Thing", "--json")
    answer = json.loads(out)
    assert (answer["kind"], answer["group"]) == ("program", "Gorblax Media Thing")


@pytest.mark.parametrize("name", ["'", "echo $(((", "a | | b", ";", "/", "\0 x", "sh -c ''", "~/x"])
def test_no_line_is_too_odd(run: Run, name: str) -> None:
    code, out, _ = run("classify", name, "--json")
    assert code == 0
    assert json.loads(out)["label"].isprintable()


def test_a_name_of_blanks_is_none(run: Run) -> None:
    assert run("classify", " ", "--json")[0] == 2
