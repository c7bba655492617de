"""Heat accounts: what work leaves in the machine, measured or not."""

from __future__ import annotations

import pytest
from unit.explain.stage import account

from publisher.contract.readings import EvidenceReading
from publisher.explain.thermal.heat import HeatAccounts
from publisher.explain.thermal.power_model import PowerModel
from publisher.ledger.accounts import Account, Balance

SECONDS = 2.0


def balance(*accounts: Account) -> Balance:
    busy = sum(each.cpu_seconds for each in accounts)
    return Balance(window_seconds=SECONDS, cores=4, busy_seconds=busy, accounts=accounts)


def heat_of(books: Balance, power: PowerModel, windows: int = 30) -> HeatAccounts:
    heat = HeatAccounts()
    for _ in range(windows):
        heat.observe(books, power, seconds=SECONDS, time_constant=60.0)
    return heat


def test_where_only_the_gpu_is_measured_work_of_the_cpu_leaves_heat_and_has_no_watts() -> None:
    make = account("cc1", 3.0, key="make")
    infer = account("ollama", 0.7, key="infer", gpu_percent=90.0, gpu_power_watts=200.0)
    books = balance(make, infer)
    evidence = EvidenceReading(gpu_power_watts=220.0, power_watts=220.0)
    power = PowerModel.of(books, evidence, 0.0)
    assert power.measured(make, SECONDS) is None
    assert power.measured(infer, SECONDS) == 200.0
    heat = heat_of(books, power)
    assert heat.level("make") > 10
    assert [each.group.key for each in heat.ranked(0.1)] == ["infer", "make"]


def test_measured_power_is_shared_by_work() -> None:
    make = account("cc1", 3.0, key="make")
    power = PowerModel.of(balance(make), EvidenceReading(power_watts=70.0), 10.0)
    assert power.measured(make, SECONDS) == pytest.approx(60.0)


def test_heat_fades_with_the_time_constant() -> None:
    make = account("cc1", 3.0, key="make")
    heat = heat_of(balance(make), PowerModel())
    before = heat.level("make")
    heat.observe(balance(), PowerModel(), seconds=60.0, time_constant=60.0)
    assert heat.level("make") == pytest.approx(before * 0.368, rel=0.01)


def test_accounts_are_few_and_fanwhys_own_work_has_none() -> None:
    many = [account(f"job{number}", 0.1 + number / 100, key=f"{number}") for number in range(60)]
    own = account("python3", 4.0, key="own", own=True)
    heat = heat_of(balance(own, *many), PowerModel())
    assert heat.level("own") == 0.0
    left = [number for number in range(60) if heat.level(f"{number}") > 0]
    assert left == list(range(36, 60))
