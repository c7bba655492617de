"""What ``smartctl --json`` says of disks of others."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import SourceError
from publisher.subsystems.disk.smart_health import (
    SmartHealth,
    diagnosis,
    emmc,
    identity,
    scanned,
)

_FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "smart").glob("wild-*.json"))


def _diagnosis(status: int = 0, **told: object) -> SmartHealth | None:
    answer = {"smartctl": {"exit_status": status}, **told}
    return diagnosis(status, json.dumps(answer).encode())


def _row(number: int, name: str, value: int, raw: int) -> dict[str, Any]:
    return {"id": number, "name": name, "value": value, "raw": {"value": raw}}


def _attributes(*rows: tuple[int, str, int, int]) -> SmartHealth:
    found = _diagnosis(ata_smart_attributes={"table": [_row(*row) for row in rows]})
    assert found
    return found


@pytest.mark.parametrize("path", _FIXTURES, ids=lambda path: path.stem)
def test_the_disks_of_others(path: Path) -> None:
    case = json.loads(path.read_text())
    status = case["answer"]["smartctl"].get("exit_status", 0)
    health = diagnosis(status, json.dumps(case["answer"]).encode())

    assert health
    assert {key: value for key, value in asdict(health).items() if value is not None} == case[
        "expected"
    ]
    assert case["source"].startswith("https://")


def test_there_are_enough_shapes() -> None:
    assert len(_FIXTURES) >= 10


@pytest.mark.parametrize(
    ("row", "used"),
    [
        ((177, "Wear_Leveling_Count", 1, 2981), 99),  # github.com/Napsty/check_smart/issues/73
        ((177, "Wear_Range_Delta", 0, 0), None),  # SandForce: no wear at all
        ((202, "Percent_Lifetime_Remain", 55, 45), 45),  # Crucial MX300
        ((202, "Data_Address_Mark_Errs", 100, 0), None),
        ((231, "SSD_Life_Left", 0, 0), 100),  # github.com/Napsty/check_smart/issues/96
        ((231, "SSD_Life_Left", 100, 0), 0),  # SandForce
        ((231, "Temperature_Celsius", 36, 36), None),
        ((233, "Media_Wearout_Indicator", 98, 0), 2),
        ((233, "Media_Wearout_Indicator", 0, 7), None),  # the name by default, another count
        ((233, "NAND_GB_Written_TLC", 100, 44318), None),
        ((169, "Remaining_Lifetime_Perc", 93, 93), 7),
        ((169, "Bad_Block_Rate", 100, 4), None),
        ((173, "Ave_Block-Erase_Count", 98, 31), 2),  # Crucial M500
        ((230, "Media_Wearout_Indicator", 1, 0x2900140029), None),  # zbx-smartctl/issues/148
        ((248, "Perc_Rated_Life_Remain", 87, 87), 13),
        ((231, "SSD_Life_Left", 253, 0), None),
        ((202, "Perc_Rated_Life_Used", 97, 3), 3),  # Crucial m4
        ((231, "Lifetime_Left", 88, 0), 12),
        ((248, "Remaining_Life", 91, 91), 9),
        ((248, "PCT_Life_Remaining", 64, 64), 36),
        ((231, "SSD_Life_Left_Perc", 99, 99), 1),
        ((177, "DriveLife_Remaining%", 80, 80), 20),
    ],
    ids=lambda case: f"{case[0]} {case[1]} {case[2]}" if isinstance(case, tuple) else str(case),
)
def test_wear_by_the_makers_attributes(row: tuple[int, str, int, int], used: int | None) -> None:
    assert _attributes(row).life_used_percent == used


def test_what_the_disk_itself_reckons_goes_before_its_attributes() -> None:
    table = {"table": [_row(177, "Wear_Leveling_Count", 50, 1)]}
    health = _diagnosis(ata_smart_attributes=table, endurance_used={"current_percent": 4})

    assert health
    assert health.life_used_percent == 4


def test_a_count_that_flickers_in_good_disks_is_not_believed() -> None:
    assert _attributes((197, "Current_Pending_ECC_Cnt", 100, 1)).pending is None
    assert _attributes((197, "Current_Pending_Sector", 100, 1)).pending == 1


def test_heat_is_no_failure() -> None:
    hot = _diagnosis(
        8,
        smart_status={"passed": False, "nvme": {"value": 2}},
        nvme_smart_health_information_log={"critical_warning": 2, "percentage_used": 130},
    )
    worn = _diagnosis(nvme_smart_health_information_log={"critical_warning": 5})

    assert hot
    assert (hot.passed, hot.warning) == (True, "it is too hot or too cold")
    assert hot.life_used_percent == 100
    assert worn
    assert worn.passed is False
    assert worn.warning == (
        "its spare space is used up, it has become unreliable after many errors"
    )


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        ({}, True),  # of https://github.com/smartmontools/smartmontools/issues/537
        ({"percentage_used": 99}, False),
        ({"media_errors": 1}, False),
        ({"media_errors": None}, False),
        ({"available_spare": 10}, False),
        ({"critical_warning": 0x0C}, False),
    ],
)
def test_a_disk_whose_rated_life_is_used_up_is_worn_and_does_not_fail(
    values: dict[str, int | None], passed: bool
) -> None:
    told = {
        "critical_warning": 4, "percentage_used": 100, "media_errors": 0,
        "available_spare": 100, "available_spare_threshold": 10,
    }  # fmt: skip
    health = _diagnosis(
        8, smart_status={"passed": False}, nvme_smart_health_information_log={**told, **values}
    )
    assert health
    assert (health.passed, health.warning is None) == (passed, passed)


@pytest.mark.parametrize("values", [{"critical_warning": 0xFF}, {"available_spare": 255}])
def test_a_log_that_cannot_be_one_says_nothing(values: dict[str, int]) -> None:
    """As a controller answers that has gone (https://github.com/linux-nvme/nvme-cli/issues/1729)."""
    log = {"critical_warning": 0, "available_spare": 100, "percentage_used": 255, **values}
    health = _diagnosis(nvme_smart_health_information_log=log)
    assert health
    assert (health.passed, health.warning, health.life_used_percent) == (None, None, None)


def test_a_verdict_that_only_the_exit_status_tells() -> None:
    health = _diagnosis(8)

    assert health
    assert health.passed is False


def test_errors_that_a_scsi_disk_could_not_correct() -> None:
    counts = {
        "read": {"total_uncorrected_errors": 3},
        "write": {"total_uncorrected_errors": 1},
        "verify": "none",
    }
    health = _diagnosis(scsi_error_counter_log=counts, scsi_pending_defects={"count": 2})

    assert health
    assert (health.media_errors, health.pending) == (4, 2)


@pytest.mark.parametrize(
    ("when_failed", "prefailure", "warning"),
    [
        ("now", True, "at its maker's limit: Reallocated_Sector_Ct"),
        ("past", True, None),
        ("now", False, None),  # an old disk, not a failing one
        ("", True, None),
    ],
)
def test_a_sign_of_failure_is_told_though_the_verdict_passes(
    when_failed: str, prefailure: bool, warning: str | None
) -> None:
    row = _row(5, "Reallocated_Sector_Ct", 1, 2000)
    row |= {"when_failed": when_failed, "flags": {"prefailure": prefailure}}
    health = _diagnosis(16, smart_status={"passed": True}, ata_smart_attributes={"table": [row]})

    assert health
    assert (health.passed, health.warning) == (True, warning)


@pytest.mark.parametrize(
    "words",
    [
        "AMCC/3ware controller, please try adding '-d 3ware,N'",
        "/dev/sda: requires option '-d cciss,N'",
    ],
)
def test_a_controller_that_hides_its_disks_says_what_helps(words: str) -> None:
    """The messages for HP, Areca and 3ware; https://www.smartmontools.org, os_linux.cpp."""
    with pytest.raises(SourceError, match="N'") as caught:
        _diagnosis(2, smartctl={"messages": [{"string": words}]})

    assert "smart_devices" in caught.value.remedy


@pytest.mark.parametrize(
    ("life_time", "reserve", "expected"),
    [
        ("0x02 0x01", "0x01", SmartHealth(passed=True, life_used_percent=10)),
        ("0x01 0x0b", "", SmartHealth(life_used_percent=100)),
        (
            "0x0a 0x01",
            "0x03",
            SmartHealth(
                passed=False,
                life_used_percent=90,
                warning="its reserve of blocks is nearly used up",
            ),
        ),
        ("0x00 0x00", "0x01", None),  # an SD card, or an eMMC that does not tell
        ("", "", None),
        ("0x7f 0x01", "0x01", None),
    ],
)
def test_the_wear_of_an_emmc(life_time: str, reserve: str, expected: SmartHealth | None) -> None:
    assert emmc(life_time, reserve) == expected


def test_who_answered() -> None:
    def who(**told: object) -> str | None:
        found = identity(json.dumps({"smartctl": {}, **told}).encode())
        return found.identity if found else None

    wwn = {"naa": 5, "oui": 5358, "id": 10217451239}
    assert who(wwn=wwn, serial_number="x") == "wwn-0x50014ee26101eee7"
    assert who(logical_unit_id="0x5000c500301a2433") == "wwn-0x5000c500301a2433"
    assert (who(serial_number="WD-WCAZA") or "").startswith("disk-")
    assert who(wwn={"naa": "five"}, serial_number=7) is None


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b'{"smartctl": 3}', b'{"smartctl": {}, "devices": 1}']
)
def test_a_scan_that_makes_no_sense_finds_nothing(answer: bytes) -> None:
    assert scanned(answer) == []
    assert identity(answer) is None
