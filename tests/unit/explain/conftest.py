"""The stage and what stands on it, for every test of the verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from unit.explain.stage import Card, FirstOrder, MakeAccount, Stage, TwoMass, account


@pytest.fixture(autouse=True)
def _universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hours in sentences are local: let local be the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def make_stage() -> type[Stage]:
    return Stage


@pytest.fixture
def make_account() -> MakeAccount:
    return account


@pytest.fixture
def make_card() -> type[Card]:
    return Card


@pytest.fixture(params=[FirstOrder, TwoMass], ids=["first order", "two masses"])
def thermal_machine(request: pytest.FixtureRequest) -> FirstOrder:
    machine: FirstOrder = request.param()
    return machine
