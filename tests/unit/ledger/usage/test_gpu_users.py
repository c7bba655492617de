"""GPU users and the ledger's groups, joined."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from publisher.contract.readings import GroupKind
from publisher.ledger import open_ledger
from publisher.ledger.accounts import Account, Balance, Clues, WorkGroup
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.ledger.usage.gpu_users import with_gpu
from publisher.sources import Sources
from publisher.sources.gpu_use import GpuUse


def _account(name: str, seconds: float) -> Account:
    return Account(group=WorkGroup(name, GroupKind.JOB, name), clues=Clues(), cpu_seconds=seconds)


TRAINING, DESKTOP = _account("train.py", 0.0), _account("gnome-shell", 0.4)
BALANCE = Balance(
    window_seconds=2.0, cores=4, busy_seconds=1.4, accounts=(_account("make", 1.0), DESKTOP)
)
OWNERS = {10: TRAINING, 11: TRAINING, 20: _account("gnome-shell", 0.0)}


def test_processes_of_a_group_add_up() -> None:
    users = {
        10: GpuUse(percent=60.0, memory_bytes=4 << 30, power_watts=120.0, device="a"),
        11: GpuUse(percent=70.0, memory_bytes=2 << 30, power_watts=140.0, device="b"),
        20: GpuUse(percent=5.0, memory_bytes=1 << 20),
    }

    joined = {a.group.key: a for a in with_gpu(BALANCE, users, OWNERS.get).accounts}

    assert joined["train.py"].gpu_percent == 130.0
    assert joined["train.py"].gpu_memory_bytes == 6 << 30
    assert joined["train.py"].gpu_power_watts == 260.0
    assert joined["gnome-shell"].gpu_percent == 5.0
    assert joined["gnome-shell"].cpu_seconds == 0.4  # of the window, not of now
    assert joined["make"].gpu_percent is None


def test_a_group_that_only_uses_the_gpu_gets_an_account() -> None:
    joined = with_gpu(BALANCE, {10: GpuUse(percent=99.0)}, OWNERS.get)

    assert [account.group.key for account in joined.accounts] == ["make", "gnome-shell", "train.py"]
    assert joined.busy_seconds == BALANCE.busy_seconds


def test_what_the_driver_does_not_tell_stays_unknown() -> None:
    joined = with_gpu(BALANCE, {10: GpuUse(memory_bytes=5)}, OWNERS.get)

    assert joined.accounts[-1].gpu_percent is None
    assert joined.accounts[-1].gpu_memory_bytes == 5


def test_a_stranger_is_nobodys() -> None:
    assert with_gpu(BALANCE, {99: GpuUse(percent=50.0)}, OWNERS.get) == BALANCE


def test_without_users_nothing_is_done() -> None:
    assert with_gpu(BALANCE, {}, OWNERS.get) is BALANCE


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        yield process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the books of Linux")
def test_the_ledger_knows_whose_a_process_is(sleeper: int) -> None:
    ledger = open_ledger(Sources(), LedgerSettings())
    ledger.sample()

    account = ledger.account_of(sleeper)
    own = ledger.account_of(os.getpid())

    assert account is not None
    assert account.process_count >= 1
    assert own is not None
    assert own.group.own
    assert ledger.account_of(2**22 + 1) is None
    ledger.close()
