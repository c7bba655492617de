"""What is broken of disks, arrays and UPSes, as one sentence each."""

from __future__ import annotations

import pytest

from publisher.contract.metric import Reading
from publisher.contract.readings import ALERTS, SEVERITIES
from publisher.explain.faults import Fault, faults
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.disk import DeviceReading, DiskReading
from publisher.subsystems.power.power import PowerReading
from publisher.subsystems.power.supply import SupplyReading


def _of(**readings: Reading) -> tuple[Fault, ...]:
    found = faults(readings)
    assert all(fault.alert in ALERTS and fault.severity in SEVERITIES for fault in found)
    assert len({(fault.alert, fault.subject) for fault in found}) == len(found)
    return found


def _told(*found: Fault) -> list[tuple[str, str]]:
    return [(fault.severity, fault.words) for fault in found]


def _array(**values: object) -> list[tuple[str, str]]:
    array = ArrayReading(**{"label": "tank", "kind": "zfs", **values})  # type: ignore[arg-type]
    return _told(*_of(disk=DiskReading(arrays={"zfs-tank": array})))


def _disk(**values: object) -> list[tuple[str, str]]:
    named = {"label": "WDC WD40", "device": "sda", **values}
    device = DeviceReading(**named)  # type: ignore[arg-type]
    return _told(*_of(disk=DiskReading(devices={"wwn-1": device})))


def _ups(**values: object) -> list[tuple[str, str]]:
    named = {"kind": "ups", "label": "Smart-UPS", **values}
    supply = SupplyReading(**named)  # type: ignore[arg-type]
    return _told(*_of(power=PowerReading(supplies={"nut/rack": supply})))


def test_nothing_is_broken_where_nothing_is_known() -> None:
    assert _of() == ()
    assert _array() == _disk() == _ups() == []


def test_arrays() -> None:
    failed = "ZFS pool tank has failed: too many of its disks are gone or do not answer"
    assert _array(state="failed") == [("critical", failed)]
    assert _array(state="inactive") == [("warning", "ZFS pool tank is not running")]
    assert _array(state="ok", errors=3) == [
        ("warning", "ZFS pool tank has met errors on its disks")
    ]
    assert _array(state="ok", errors=0) == []
    assert _array(state="degraded") == []  # told by its own alert


def test_a_name_that_tries_to_look_like_something_else_is_told_as_it_is() -> None:
    ((_, words),) = _array(label="ta\nnk\x1b[31m", state="inactive")

    assert words == r"ZFS pool ta\nnk\x1b[31m is not running"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"healthy": False}, [("critical", "says that it fails")]),
        (
            {"healthy": False, "smart_warning": "it can only be read"},
            [("critical", "says that it fails: it can only be read")],
        ),
        ({"healthy": True}, []),
        ({"reachable": True}, []),
        ({"reachable": False}, [("critical", "does not answer any more")]),
        (
            {"healthy": True, "pending_sectors": 8},
            [("warning", "has sectors that it cannot read")],
        ),
        (
            {"healthy": True, "media_errors": 1},
            [("warning", "has lost data: errors that it could not correct")],
        ),
        ({"healthy": True, "reallocated_sectors": 4}, [("info", "has replaced bad sectors")]),
        ({"life_used_percent": 89.0}, []),
        ({"life_used_percent": 90.0}, [("info", "is nearly worn out")]),
        ({"life_used_percent": 100.0}, [("warning", "is worn out: its rated life is used up")]),
        (
            {"healthy": True, "spare_percent": 9.0},
            [("warning", "has little spare space left for bad blocks")],
        ),
    ],
)
def test_disks(values: dict[str, object], told: list[tuple[str, str]]) -> None:
    assert _disk(**values) == [(grade, f"Disk WDC WD40 (sda) {words}") for grade, words in told]


def test_a_disk_that_is_too_hot_is_no_broken_one() -> None:
    assert _disk(healthy=True, smart_warning="it is too hot or too cold") == [
        ("warning", "Disk WDC WD40 (sda): it is too hot or too cold")
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"online": True, "low": True}, []),  # it charges after an outage
        ({"online": False}, [("warning", "runs on its battery")]),
        (
            {"online": False, "low": True},
            [("critical", "runs on its battery, which is nearly empty")],
        ),
        (
            {"online": True, "overloaded": True},
            [("critical", "is overloaded: more is drawn from it than it can give")],
        ),
        ({"online": True, "replace_battery": True}, [("warning", "needs a new battery")]),
        ({"bypassed": True}, [("warning", "protects nothing: it is bypassed or off")]),
        (
            {"reachable": False},
            [("warning", "does not answer: nobody knows whether it protects this machine")],
        ),
    ],
)
def test_upses(values: dict[str, object], told: list[tuple[str, str]]) -> None:
    assert _ups(**values) == [(grade, f"UPS Smart-UPS {words}") for grade, words in told]


def test_a_battery_of_a_laptop_is_no_ups() -> None:
    supply = SupplyReading(kind="battery", label="BAT0", online=False, low=True)

    assert _of(power=PowerReading(supplies={"supply/BAT0": supply})) == ()
