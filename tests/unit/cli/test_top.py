"""``fanwhy-pub top``: the ledger without a broker."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console
from unit.cli.program import Program

from publisher.cli.top import show, table
from publisher.contract.readings import GroupKind
from publisher.ledger import Account, Balance, Clues, WorkGroup


def test_top_prints_one_object(fanwhy: Program) -> None:
    found = fanwhy("top", "--seconds", "0.5", "--json")
    assert found.code == 0
    document = json.loads(found.out)
    assert document["seconds"] >= 0.5
    parts = document["named_percent"] + document["unattributed_percent"]
    assert document["busy_percent"] == pytest.approx(parts, abs=0.05)
    group = document["groups"][0]
    assert {"label", "kind", "cpu_percent", "short_lived_percent", "process_count"} <= set(group)
    assert None not in group.values()


def test_top_draws_a_table(fanwhy: Program) -> None:
    found = fanwhy("top", "--seconds", "0.5")
    assert found.code == 0
    first, *rest = found.out.splitlines()
    assert first.startswith("busy ")
    assert " = named " in first
    header = next(line for line in rest if not line.startswith("and "))
    assert header.split()[:2] == ["who", "kind"]


def test_the_balance_stays_on_its_line_whatever_stands_beside_it() -> None:
    balance = Balance(
        window_seconds=1, cores=128, busy_seconds=127.9, unattributed_seconds=0,
        irq_seconds=2.5, steal_seconds=12.0,
    )  # fmt: skip
    shown = io.StringIO()
    Console(file=shown, width=80).print(table(balance))
    first, second, *_ = shown.getvalue().splitlines()
    assert first.rstrip() == (
        "busy 12790 % = named 12790 % + unattributed 0 %  (percent of one core of 128)"
    )
    assert second.rstrip() == "and irq 250 %, steal 1200 %, which no program did"


@pytest.mark.parametrize("width", [24, 30, 40, 60, 80, 200])
def test_top_leaves_columns_out_and_cuts_none(width: int) -> None:
    label = "a program with a rather long name"
    hog = Account(
        group=WorkGroup(label, GroupKind.JOB, label), clues=Clues(), cpu_seconds=1,
        memory_bytes=400 << 20, disk_read_bytes_per_second=5e6, wait_seconds=0.5,
    )  # fmt: skip
    balance = Balance(window_seconds=1, cores=4, busy_seconds=1, accounts=(hog,))
    shown = io.StringIO()
    Console(file=shown, width=width).print(table(balance, width=width))
    heads, cells = (line.split() for line in shown.getvalue().splitlines()[-2:])
    assert {"who", "CPU", "%"} <= set(heads)
    assert set(heads) <= {"who", "kind", "CPU", "%", "waits", "memory", "disk", "procs", "since"}
    assert "100.0" in cells
    assert ("400" in cells) == ("memory" in heads)
    assert ("memory" in heads) == (width >= 40)
    assert ("disk" in heads) == (width >= 60)
    assert ("waits" in heads) == (width >= 60)


def test_a_pipe_gets_every_column_whole() -> None:
    label = "a program with a rather long name, which fills half of the line"
    hog = Account(
        group=WorkGroup(label, GroupKind.JOB, label),
        clues=Clues(),
        cpu_seconds=1,
        memory_bytes=400 << 20,
        disk_read_bytes_per_second=5e6,
        wait_seconds=0.5,
    )
    shown = io.StringIO()
    show(
        Console(file=shown, width=40),
        Balance(window_seconds=1, cores=4, busy_seconds=1, accounts=(hog,)),
    )
    for part in ("400 MiB", "4.8 MiB/s", "50.0", "waits %"):
        assert part in shown.getvalue()


def test_top_is_live_in_a_pipe_too(surroundings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "publisher", "top", "--live", "--seconds", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings) as live:
        assert live.stdout is not None
        assert live.stdout.readline().startswith("busy ")
        live.kill()


def test_top_cannot_be_live_and_json(fanwhy: Program) -> None:
    found = fanwhy("top", "--live", "--json")
    assert found.code == 2
    assert "choose one" in found.err
