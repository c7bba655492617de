"""``fanwhy-pub classify --json < LINES``: processes that somebody describes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import Outcome
from unit.cli.program import Program

from publisher.cli import main

_ROOT = Path(__file__).resolve().parents[3]

SYSTEMD = {"comm": "systemd", "argv": ["/sbin/init"]}
SSHD = {"comm": "sshd", "argv": ["sshd: me@pts/0"]}
PROMPT = {"comm": "bash", "argv": ["-bash"]}
SHIM = {"comm": "containerd-shim", "argv": ["/usr/bin/containerd-shim-runc-v2"]}
KTHREADD = {"comm": "kthreadd"}
SHELF = {"name": "shelf", "image": "docker.io/library/shelf:3"}
DOCKER = f"0::/system.slice/docker-{'ab' * 32}.scope"


@pytest.fixture
def fanwhy(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    """The program, without a process of its own, which takes longer than what is tried here."""

    def call(*arguments: str, stdin: str = "", **_: str) -> Outcome:
        lines = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        monkeypatch.setattr(sys, "stdin", lines)
        code = main([*arguments, "--config", str(empty)])
        return Outcome(code, *capsys.readouterr())

    return call


def ask(fanwhy: Program, *descriptions: Any) -> list[dict[str, Any]]:
    lines = "".join(f"{json.dumps(each)}\n" for each in descriptions)
    outcome = fanwhy("classify", "--json", stdin=lines)
    assert (outcome.code, outcome.err) == (0, "")
    return [json.loads(line) for line in outcome.out.splitlines()]


def groups(fanwhy: Program, *descriptions: Any) -> list[tuple[str, str]]:
    return [(answer["kind"], answer["group"]) for answer in ask(fanwhy, *descriptions)]


def test_each_line_is_answered_with_one(fanwhy: Program) -> None:
    answers = ask(fanwhy, {"comm": "borg", "argv": ["borg", "create"]}, {"comm": "nobodys"})
    assert [list(answer) for answer in answers] == 2 * [
        ["category", "label", "group", "kind", "confidence", "rule", "reason"]
    ]
    assert [answer["category"] for answer in answers] == ["backup", "unknown"]


def test_a_job_is_what_a_person_started(fanwhy: Program) -> None:
    cc1 = {"comm": "cc1", "argv": ["/usr/libexec/cc1", "a.c"]}
    make = {"comm": "make", "argv": ["make", "all"]}
    terminal = {"comm": "code", "argv": ["/usr/share/code/code"]}
    assert groups(
        fanwhy,
        {**cc1, "parents": [make, PROMPT, SSHD, SYSTEMD]},
        {**cc1, "parents": [make, PROMPT, SSHD]},
        {**cc1, "parents": [make, {"comm": "bash", "argv": ["bash"]}, terminal]},
    ) == 3 * [("job", "make all")]


def test_a_kernel_thread_has_nothing_but_its_name(fanwhy: Program) -> None:
    writeback = "kworker/u8:2-writeback"
    answers = ask(
        fanwhy,
        {"comm": writeback, "parents": [KTHREADD]},
        {"comm": "md0_raid6", "argv": [], "exe": None, "parents": [KTHREADD]},
        KTHREADD,
        {"comm": writeback, "argv": ["[kworker/u8:2]"], "parents": [SYSTEMD]},
        {"comm": writeback, "parents": [SYSTEMD]},
    )
    kinds = [answer["kind"] for answer in answers]
    assert kinds == ["kernel", "kernel", "kernel", "program", "program"]
    assert answers[0]["group"] == "kworker writeback"


def test_a_unit_holds_what_works_below_it(fanwhy: Program) -> None:
    worker = {"comm": "worker", "argv": ["worker"], "cgroup": "/system.slice/shop.service"}
    parent = {"comm": "master", "argv": ["master"]}
    assert groups(
        fanwhy,
        {**worker, "parents": [parent, SYSTEMD]},
        {**worker, "parents": [{**parent, "cgroup": worker["cgroup"]}]},
        {**worker, "cgroup": f"0::{worker['cgroup']}"},
        {**worker, "cgroup": f"12:pids:/x\n1:name=systemd:{worker['cgroup']}\n0::/\n"},
    ) == 4 * [("unit", "shop")]


def test_a_container_is_called_as_its_runtime_would(fanwhy: Program) -> None:
    worker = {"comm": "worker", "argv": ["worker"]}
    inside = {"comm": "entry.sh", "argv": ["/bin/sh", "/entry.sh"]}
    image = {"image": "ghcr.io/me/thing:1@sha256:00"}
    assert groups(
        fanwhy,
        {**worker, "container": SHELF},
        {**worker, "container": SHELF, "cgroup": DOCKER, "parents": [inside, SHIM, SYSTEMD]},
        {**worker, "container": SHELF, "cgroup": "/"},
        {**worker, "container": SHELF, "cgroup": "0::/lxc.payload.112/system.slice/x.service"},
        {**worker, "container": image},
        {**worker, "cgroup": DOCKER},
    ) == [
        *3 * [("container", "shelf")],
        ("container", "x (shelf)"),
        ("container", "thing:1"),
        ("container", f"docker {'ab' * 6}"),
    ]


def test_lines_know_nothing_of_each_other(fanwhy: Program) -> None:
    place = "/system.slice/shop.service"
    first = {"comm": "restic", "argv": ["restic", "backup"], "cgroup": place}
    second = {"comm": "ffmpeg", "argv": ["ffmpeg"], "cgroup": place}
    alone = ask(fanwhy, second)
    assert ask(fanwhy, first, second)[1:] == alone
    renamed = {"comm": "x", "argv": ["x"], "cgroup": DOCKER, "container": SHELF}
    assert groups(fanwhy, renamed, {**renamed, "container": {"name": "other"}}) == [
        ("container", "shelf"),
        ("container", "other"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("null", 'must be an object such as {"comm": "rsync"}'),
        ("[]", 'must be an object such as {"comm": "rsync"}'),
        ("4", 'must be an object such as {"comm": "rsync"}'),
        ("{}", "comm: missing"),
        ('{"comm": null}', "comm: missing"),
        ('{"comm": 4}', "comm: must be a text"),
        ('{"comm": "x", "argv": "x"}', "argv: must be a list of words"),
        ('{"comm": "x", "argv": [["x"]]}', "argv: must be a list of words"),
        ('{"comm": "x", "exe": {}}', "exe: must be a text"),
        ('{"comm": "x", "container": "x"}', "container: must be an object with name and image"),
        ('{"comm": "x", "container": {"image": 4}}', "container.image: must be a text"),
        ('{"comm": "x", "parents": {}}', "parents: must be a list of objects"),
        ('{"comm": "x", "parents": ["sh"]}', 'parents[0]: must be an object such as {"comm": "'),
        ('{"comm": "x", "parents": [{"comm": "x"}, {}]}', "parents[1]: comm: missing"),
        ('{"comm": "x", "parents": [' + ",".join(300 * ['{"comm": "p"}']) + "]}", "more than 256"),
        ("[" * 100_000, "nested too deeply"),
        ('{"comm": "x", "n": ' + "9" * 9000 + "}", "not JSON"),
        ("x\x1b[2J", "not JSON"),
    ],
)
def test_a_bad_line_does_not_stop_the_others(fanwhy: Program, line: str, reason: str) -> None:
    good = '{"comm": "borg"}'
    outcome = fanwhy("classify", "--json", stdin=f"{good}\n\n{line}\n{good}")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 2
    assert outcome.err.startswith("fanwhy-pub: line 3: ")
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1


def test_names_that_would_steer_a_terminal_are_harmless(fanwhy: Program) -> None:
    answers = ask(
        fanwhy,
        {"comm": "\ud800\0\x1b[31m", "argv": ["\ud800\0a", "\x1b]0;x\a"], "exe": "/x\0\n"},
        {"comm": "", "argv": [""], "cgroup": "\n\n::"},
        {"comm": "x", "argv": ["A" * 10_000_000], "container": {"name": "\u202e\x1b"}},
        {"comm": "x", "parents": [{"comm": f"p{n}", "argv": [f"p{n}"]} for n in range(100)]},
    )
    assert all(answer["group"].isprintable() for answer in answers)
    assert all(answer["label"].isprintable() for answer in answers)


def test_answers_come_as_the_lines_do(tmp_path: Path, empty: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "publisher", "classify", "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "FANWHY_CONFIG": str(empty)}, cwd=tmp_path,
    ) as program:  # fmt: skip
        assert program.stdin is not None
        assert program.stdout is not None
        for comm in ("borg", "ffmpeg"):
            program.stdin.write(json.dumps({"comm": comm}).encode() + b"\n")
            program.stdin.flush()
            assert comm in program.stdout.readline().decode()
        program.stdin.close()
    assert program.returncode == 0


def test_without_a_name_json_is_asked_for(fanwhy: Program) -> None:
    outcome = fanwhy("classify")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--json" in outcome.err
