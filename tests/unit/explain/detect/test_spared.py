"""What the user does not want to hear of, played from window to window."""

from __future__ import annotations

from typing import Any

import pytest
from unit.explain.stage import MAKE, NORMAL, SENTENCE, Stage, account

from publisher.explain.explain_settings import ExplainSettings

_BUILD: dict[str, Any] = MAKE


def _stage(**settings: Any) -> Stage:
    return Stage(settings=ExplainSettings(learn=False, **settings))


@pytest.mark.parametrize("name", ["boinc", "BOINC*", "boinc-client", "boinc-client.service"])
def test_never_blamed_work_is_no_load_by_whatever_name_it_goes(name: str) -> None:
    boinc = account(
        "boinc", 3.5, kind="unit", label="boinc-client", unit="boinc-client.service", pid=7
    )
    stage = _stage(never_blame=(name,))
    verdict = stage.play(boinc, lasting=400, cpu_percent=88.0)
    assert (verdict.state, verdict.headline, verdict.causes) == ("quiet", NORMAL, ())
    assert verdict.evidence.cpu_percent == 88.0
    assert stage.events == []


def test_what_works_beside_it_is_blamed_as_if_it_were_alone() -> None:
    stage = _stage(never_blame=("boinc",))
    verdict = stage.play(account("boinc", 3.0), account("cc1", 0.9, **_BUILD), lasting=20)
    assert verdict.state == "busy"
    assert [cause.label for cause in verdict.causes] == ["Software build"]
    assert "boinc" not in (verdict.headline or "").lower()
    assert verdict.rejected == ()


def test_it_raises_no_alert_of_the_processor_and_does_not_count_into_it() -> None:
    stage = _stage(never_blame=("boinc",), alert_cpu_seconds=20.0)
    stage.play(account("boinc", 3.9), lasting=60)
    assert [event.event for event in stage.events] == []


def test_it_makes_a_machine_hot_without_being_named() -> None:
    stage = _stage(never_blame=("boinc",))
    verdict = stage.play(account("boinc", 3.9), lasting=40, cpu_temperature_celsius=99.0)
    assert verdict.state == "hot"
    assert verdict.causes == ()
    assert "boinc" not in (verdict.headline or "").lower()


def test_nobody_else_is_blamed_for_the_waiting_that_it_causes() -> None:
    stage = _stage(never_blame=("restic",))
    restic = account("restic", 0.1, disk_read_bytes_per_second=90e6)
    other = account("sshd", 0.0, disk_read_bytes_per_second=2e5)
    verdict = stage.play(
        restic, other, lasting=20, pressure_io_percent=80.0, disk_bytes_per_second=90.2e6
    )
    assert verdict.state == "quiet"
    assert verdict.causes == ()


def test_want_of_memory_is_told_and_not_by_its_name() -> None:
    stage = _stage(never_blame=("java",))
    java = account("java", 0.2, memory_bytes=14 << 30)
    other = account("sshd", 0.0, memory_bytes=10 << 20)
    verdict = stage.play(
        java, other, lasting=20, pressure_memory_percent=50.0, memory_available_percent=2.0
    )
    assert verdict.state == "pressure"
    assert verdict.causes == ()


def test_only_above_so_much() -> None:
    stage = _stage(blame_above_percent={"make*": 50.0})
    verdict = stage.play(account("cc1", 1.6, **_BUILD), lasting=20)
    assert (verdict.state, verdict.headline) == ("quiet", NORMAL)
    verdict = stage.play(account("cc1", 3.4, **_BUILD), lasting=20)
    assert (verdict.state, verdict.headline) == ("busy", SENTENCE)


def test_each_resource_has_its_own_measure() -> None:
    """Much traffic of disks is told, and little work of the processor is not."""
    stage = _stage(blame_above_percent={"restic": 60.0})
    restic = account("restic", 1.0, disk_read_bytes_per_second=180e6)
    verdict = stage.play(restic, lasting=20, disk_bytes_per_second=200e6)
    assert [cause.resource for cause in verdict.causes] == ["disk"]


@pytest.mark.parametrize("more", [{"mining": True}, {"disguise": "calls itself boinc, is perl"}])
def test_a_miner_or_an_impostor_is_not_spared(more: dict[str, Any]) -> None:
    stage = _stage(never_blame=("*",))
    verdict = stage.play(account("boinc", 3.9, **more), lasting=20)
    assert len(verdict.causes) == 1


def test_what_is_not_meant_is_blamed_as_ever() -> None:
    stage = _stage(never_blame=("boinc", "mak"))
    verdict = stage.play(account("cc1", 3.4, **_BUILD), lasting=20)
    assert verdict.headline == SENTENCE
