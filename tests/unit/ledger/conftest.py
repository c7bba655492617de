"""Accounts and processes of our making."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from unit.ledger.host import Host

from publisher.contract.readings import GroupKind
from publisher.ledger import WorkGroup
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.names import Name
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.sources.processes import Stat


@pytest.fixture
def opened() -> Callable[[str], OpenAccount]:
    """Opens a job's account."""

    def make(label: str) -> OpenAccount:
        return OpenAccount(WorkGroup(label, GroupKind.JOB, label), Name(label, label=label))

    return make


@pytest.fixture
def member() -> Callable[..., Member]:
    """Makes a process that belongs to an account; ``spawner`` and ``parent`` by keyword."""

    def make(
        pid: int, account: OpenAccount, *, spawner: bool = False, parent: Member | None = None
    ) -> Member:
        above = 1 if parent is None else parent.pid
        made: Member = Process(Stat(pid, b"x", b"S", above, pid, pid, 0, 0, 0, 1, 1, 0), pid, 0)
        made.parent = parent
        made.membership = GroupMembership(account, None, spawner, described=True, program="x")
        return made

    return make


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)
