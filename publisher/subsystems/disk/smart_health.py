"""What ``smartctl --json`` says, and what that means: of ATA, SCSI and NVMe disks.

Sources: smartctl(8), its drive database (the names of attributes, which are what tells their
meaning: a number such as 202 is wear to one maker and errors to another), and the NVMe
specification's SMART / Health Information log.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from publisher.contract.printable import printable
from publisher.errors import DeniedError, SourceError

# The bits of smartctl's exit status that mean no answer, and the one that means a failing disk
# (smartctl(8), EXIT STATUS).
NO_ANSWER = 0b11
_FAILING = 0b1000
_LARGEST_COUNT = 1 << 32
_TOO_LARGE = 1 << 128  # of any number; those of names are long

# The bits of NVMe's critical warning.
_WARNINGS = {
    0x01: "its spare space is used up",
    0x02: "it is too hot or too cold",
    0x04: "it has become unreliable after many errors",
    0x08: "it can only be read",
    0x10: "what saves its memory when power fails is broken",
    0x20: "its persistent memory can only be read or has become unreliable",
}
_USED_UP = 100  # percent
_HEAT, _UNRELIABLE = 0x02, 0x04

# Attributes whose normalised value is the percentage of life that is left, the plainest first.
# smartctl reckons with them itself since 7.5. Not among them: the Media_Wearout_Indicator of WD's
# and SanDisk's SATA SSDs (number 230), which counts up with some firmware and down with other.
_LIFE_LEFT = (
    "SSD_Life_Left",
    "Percent_Lifetime_Remain",
    "Percent_Lifetime_Used",
    "Perc_Rated_Life_Used",
    "Remaining_Lifetime_Perc",
    "Percent_Life_Remaining",
    "Perc_Rated_Life_Remain",
    "Lifetime_Remaining%",
    "Drive_Life_Remaining%",
    "DriveLife_Remaining%",
    "PCT_Life_Remaining",
    "SSD_Life_Left_Perc",
    "Remaining_Life",
    "Lifetime_Left",
    "Media_Wearout_Indicator",
    "Wear_Leveling_Count",
    "Ave_Block-Erase_Count",
)
_COUNTS_EITHER_WAY = 230
# Of these some firmware leaves the value at 100 and tells the percentage as raw number.
_LEFT_AS_RAW = ("SSD_Life_Left", "Remaining_Lifetime_Perc")
# Which stop at 1, so that 0 means that something else is counted under the name.
_NEVER_NOTHING = ("Media_Wearout_Indicator", "Wear_Leveling_Count", "Ave_Block-Erase_Count")
# Of Crucial's MX500, where it is 1 for a moment now and then and means nothing.
_BOGUS = ("Current_Pending_ECC_Cnt", "Bogus_Current_Pend_Sect")


@dataclass(frozen=True, slots=True)
class SmartHealth:
    """What a disk says of itself; ``None`` for what its kind does not tell."""

    passed: bool | None = None
    reallocated: int | None = None
    pending: int | None = None
    media_errors: int | None = None
    life_used_percent: float | None = None
    spare_percent: float | None = None
    power_on_seconds: int | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class DiskIdentity:
    """Who a disk is that the kernel does not show.

    Attributes:
        identity: as ``BlockDisk`` has it.
        label: its model.
    """

    identity: str
    label: str
    size_bytes: int | None


def diagnosis(status: int, answer: bytes, *, device: str = "") -> SmartHealth | None:
    """What ``smartctl --json`` said; ``None`` when the device has no SMART to speak of.

    Raises:
        DeniedError: this user may not ask.
        SourceError: it did not answer in its JSON.
    """
    path = f"smartctl {device}".strip()
    told = _told(answer)
    if told is None:
        raise SourceError(
            f"ended with status {status} and no JSON",
            path=path,
            remedy="smartctl speaks JSON since 7.0",
        )
    words = complaints(answer)
    if status < 0 or status & NO_ANSWER:
        if "denied" in words or "not permitted" in words:
            raise DeniedError(
                "this user may not ask disks",
                path=path,
                remedy="run as root, or grant CAP_SYS_RAWIO and CAP_SYS_ADMIN",
            )
        if "Unable to detect device type" in words or "Unknown USB bridge" in words:
            return None
        behind = "please try" in words or "requires option" in words
        remedy = "name the disks behind it in smart.smart_devices" if behind else ""
        raise SourceError(words or f"ended with status {status}", path=path, remedy=remedy)
    return _health(told, status)


def emmc(life_time: str, end_of_life: str) -> SmartHealth | None:
    """What an eMMC's registers say, as ``life_time`` and ``pre_eol_info`` of sysfs have them.

    JEDEC 84-B50, 7.4: life used in steps of a tenth (1 is the first), of two kinds of memory; the
    reserve is normal (1), used up to four fifths (2), or nearly gone (3). 0 stands for not told.
    """
    try:
        steps = max(int(word, 16) for word in life_time.split())
        reserve = int(end_of_life or "0", 16)
    except ValueError:
        return None
    if not 0 < steps <= 11:
        return None
    return SmartHealth(
        passed=None if reserve == 0 else reserve < 3,
        life_used_percent=10 * (steps - 1),
        warning="its reserve of blocks is nearly used up" if reserve > 1 else None,
    )


def complaints(answer: bytes) -> str:
    """The messages in an answer, all together; empty where there are none."""
    told = _told(answer) or {}
    rows = _rows(_table(told, "smartctl").get("messages"))
    return " ".join(str(row.get("string", "")) for row in rows)


def scanned(answer: bytes) -> list[tuple[str, str]]:
    """(device, type) of each disk that ``smartctl --scan --json`` found."""
    rows = _rows((_told(answer) or {}).get("devices"))
    return [(str(row.get("name", "")), str(row.get("type", ""))) for row in rows]


def identity(answer: bytes) -> DiskIdentity | None:
    """Who has answered; ``None`` for one without number or name."""
    told = _told(answer) or {}
    name, serial = _table(told, "wwn"), told.get("serial_number")
    naa, oui, number = (_integer(name.get(part)) for part in ("naa", "oui", "id"))
    unit = told.get("logical_unit_id")
    if naa is not None and oui is not None and number is not None:
        found = f"wwn-0x{naa:x}{oui:06x}{number:09x}"
    elif isinstance(unit, str) and re.fullmatch(r"0x[0-9a-f]{16,32}", unit):
        found = f"wwn-{unit}"
    elif isinstance(serial, str) and serial:
        import hashlib  # noqa: PLC0415  # OpenSSL's library is 2 MB, and few disks need this

        found = (
            "disk-"
            + hashlib.blake2s(serial.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        )
    else:
        return None
    model = told.get("model_name") or told.get("scsi_model_name") or told.get("product")
    label = " ".join(str(model).split()) if model else found
    return DiskIdentity(found, label, _integer(_table(told, "user_capacity").get("bytes")))


def _told(answer: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("smartctl"), dict) else None


def _health(told: dict[str, Any], status: int) -> SmartHealth:
    nvme = _nvme_log(told)
    rows = _rows(_table(told, "ata_smart_attributes").get("table"))
    attributes = {
        row["id"]: _count(_table(row, "raw").get("value"))
        for row in rows
        if isinstance(row.get("id"), int) and row.get("name") not in _BOGUS
    }
    hours = _count(_table(told, "power_on_time").get("hours"))
    used = _percent(nvme.get("percentage_used"))
    if used is None:
        used = _percent(_table(told, "endurance_used").get("current_percent"))
    if used is None:
        used = _percent(told.get("scsi_percentage_used_endurance_indicator"))
    return SmartHealth(
        passed=_passed(told, nvme, status),
        reallocated=_first(attributes.get(5), _count(told.get("scsi_grown_defect_list"))),
        pending=_first(
            attributes.get(197), _count(_table(told, "scsi_pending_defects").get("count"))
        ),
        media_errors=_first(
            _count(nvme.get("media_errors")),
            _most(attributes.get(198), attributes.get(187)),
            _uncorrected(_table(told, "scsi_error_counter_log")),
        ),
        life_used_percent=_worn(rows) if used is None else used,
        spare_percent=_first(
            _count(nvme.get("available_spare")),
            _count(_table(told, "spare_available").get("current_percent")),
        ),
        power_on_seconds=None if hours is None else hours * 3600,
        warning=_warning(nvme) or _at_their_limit(rows),
    )


def _nvme_log(told: dict[str, Any]) -> dict[str, Any]:
    """NVMe's log of health; empty where it cannot be one, as of a controller that answers all ones.

    The specification has six warnings, and spare space in percent.
    """
    log = _table(told, "nvme_smart_health_information_log")
    bits, spare = _count(log.get("critical_warning")), _count(log.get("available_spare"))
    sound = (bits or 0) <= sum(_WARNINGS) and (spare or 0) <= 100  # percent
    return log if sound else {}


def _passed(told: dict[str, Any], nvme: dict[str, Any], status: int) -> bool | None:
    """The verdict; heat, which NVMe counts in, passes and is told as a warning."""
    warning = _critical(nvme)
    if warning is not None:
        return warning & ~_HEAT == 0
    passed = _table(told, "smart_status").get("passed")
    if isinstance(passed, bool):
        return passed
    return False if status & _FAILING else None


def _critical(nvme: dict[str, Any]) -> int | None:
    """NVMe's critical warnings, without what is no more than wear.

    Samsung's disks call themselves unreliable when their rated life is used up, though they have
    lost nothing and all their spare space is left
    (https://github.com/smartmontools/smartmontools/issues/537).
    """
    warning = _count(nvme.get("critical_warning"))
    used, errors = _count(nvme.get("percentage_used")), _count(nvme.get("media_errors"))
    spare, least = (
        _count(nvme.get(name)) for name in ("available_spare", "available_spare_threshold")
    )
    if warning is None or used is None or spare is None or least is None:
        return warning
    only_worn = used >= _USED_UP and errors == 0 and spare > least
    return warning & ~_UNRELIABLE if only_worn else warning


def _warning(nvme: dict[str, Any]) -> str | None:
    bits = _critical(nvme) or 0
    return ", ".join(words for bit, words in _WARNINGS.items() if bits & bit) or None


def _at_their_limit(rows: list[dict[str, Any]]) -> str | None:
    """Attributes that have come to what their maker calls a sign of failure, if any.

    The verdict of some disks passes nevertheless (smartctl(8), bit 4 of the exit status).
    """
    failing = [
        printable(str(row.get("name")))
        for row in rows
        if row.get("when_failed") == "now" and _table(row, "flags").get("prefailure") is True
    ]
    return f"at its maker's limit: {', '.join(failing)}" if failing else None


def _worn(rows: list[dict[str, Any]]) -> float | None:
    """Life used by a SATA SSD, of which only its maker's attributes tell."""
    named = {
        row["name"]: row
        for row in rows
        if isinstance(row.get("name"), str) and row.get("id") != _COUNTS_EITHER_WAY
    }
    for name in _LIFE_LEFT:
        row = named.get(name)
        if row is None:
            continue
        left, raw = _count(row.get("value")), _count(_table(row, "raw").get("value"))
        if name in _LEFT_AS_RAW and left == 100 and raw is not None and 0 < raw < 100:
            left = raw
        least = 1 if name in _NEVER_NOTHING else 0
        if left is not None and least <= left <= 100:  # percent
            return 100 - left
    return None


def _uncorrected(log: dict[str, Any]) -> int | None:
    """Errors that a SCSI disk could not make good, of reading, writing and verifying."""
    counts = [
        count
        for row in log.values()
        if isinstance(row, dict)
        and (count := _count(row.get("total_uncorrected_errors"))) is not None
    ]
    return sum(counts) if counts else None


def _table(told: dict[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _integer(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _TOO_LARGE
    return value if whole else None


def _count(value: Any) -> int | None:
    """A count that can be one: makers pack other things into the raw numbers of some disks."""
    found = _integer(value)
    return found if found is not None and found < _LARGEST_COUNT else None


def _percent(value: Any) -> float | None:
    """A share of what was promised: a disk may outlive it, and says up to 255."""
    found = _count(value)
    return None if found is None else min(found, 100)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _most(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)
