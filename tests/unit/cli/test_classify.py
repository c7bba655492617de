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
    _, out, _ = run("classify", "x", "--unit", "smbd.service", "--json")
    assert json.loads(out)["category"] == "file_sharing"


def test_classify_calls_units_and_containers_as_the_ledger_does(run: Run) -> None:
    _, out, _ = run("classify", "bash", "--unit", "burner.service", "--json")
    answer = json.loads(out)
    assert (answer["label"], answer["category"]) == ("burner service", "unknown")
    assert answer["group"] == {"kind": "unit", "label": "burner"}
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
