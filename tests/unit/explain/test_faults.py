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
    assert _array(state="degraded") == [("critical", "ZFS pool tank lacks a disk")]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"state": "degraded", "devices_total": 2, "devices_working": 1, "devices_failing": 1},
            [("warning", "has a disk with too many errors; the others still make up for it")],
        ),
        (
            {"state": "degraded", "devices_total": 4, "devices_working": 2, "devices_failing": 1},
            [("critical", "lacks a disk")],
        ),
        (
            {"state": "failing", "devices_total": 1, "devices_working": 0, "devices_failing": 1},
            [
                (
                    "critical",
                    "has a disk with errors and no other to make up for it: save what you can",
                )
            ],
        ),
        (
            {"state": "ok", "spares_lost": 1},
            [
                (
                    "warning",
                    "has a disk less to stand in for another: one has failed or is gone",
                )
            ],
        ),
        (
            {"state": "ok", "devices_total": 2, "devices_working": 2, "caches_lost": 1},
            [("info", "lost a cache device: it is slower, and nothing is lost")],
        ),
        (
            {"state": "degraded", "devices_total": 2, "devices_working": 2, "logs_lost": 1},
            [("warning", "lacks a log device: a crash may cost it its newest writes")],
        ),
        (
            {"state": "degraded", "devices_total": 2, "devices_working": 2, "specials_lost": 1},
            [
                (
                    "critical",
                    "lacks a device for its metadata: all is lost with the last copy of that",
                )
            ],
        ),
        (
            {"state": "degraded", "devices_total": 2, "devices_working": 1, "logs_lost": 1},
            [
                ("critical", "lacks a disk"),
                ("warning", "lacks a log device: a crash may cost it its newest writes"),
            ],
        ),
    ],
)
def test_what_an_array_lacks_is_called_what_it_is(
    values: dict[str, object], told: list[tuple[str, str]]
) -> None:
    assert _array(**values) == [(grade, f"ZFS pool tank {words}") for grade, words in told]


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
