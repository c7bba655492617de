"""``/proc/mdstat`` of machines of others, and an array that gets worse and better again."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.md import mdstat

_CASES = tomllib.loads(
    (Path(__file__).parents[2] / "fixtures" / "mdstat" / "wild.toml").read_text()
)["case"]


def _read(text: str) -> dict[str, ArrayReading]:
    return dict(mdstat(text.lstrip("\n").encode()))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_arrays_of_others(case: dict[str, Any]) -> None:
    found = {
        name: [
            array.state,
            *(
                value or 0
                for value in (
                    array.devices_total,
                    array.devices_working,
                    array.devices_failing,
                    array.spares_lost,
                )
            ),
        ]
        for name, array in _read(case["text"]).items()
    }

    assert found == {name: [*told, 0, 0, 0][:5] for name, told in case["arrays"].items()}


def test_a_synology_with_empty_bays_lacks_nothing() -> None:
    text = (
        b"Personalities : [raid1]\nmd1 : active raid1 sda2[0] sdb2[1]\n"
        b"      2097088 blocks [4/2] [UU__]\n\nmd0 : active raid1 sda1[0](F) sdb1[1]\n"
        b"      2490176 blocks [4/1] [_U__]\n\nmd2 : active raid1 sda5[0]\n"
        b"      1948779648 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n"
    )

    states = {name: array.state for name, array in mdstat(text, synology=True)}

    assert states == {"md1": "ok", "md0": "degraded", "md2": "degraded"}
    assert {array.state for _, array in mdstat(text)} == {"degraded"}


def test_every_case_names_its_source() -> None:
    assert len(_CASES) >= 10
    assert all(case["source"] for case in _CASES)


def test_unraid_at_a_rebuild() -> None:
    (array,) = _read(
        "mdState=STARTED\nmdNumDisks=2\ndiskSize.0=8\nrdevStatus.0=DISK_OK\ndiskSize.1=8\n"
        "rdevStatus.1=DISK_INVALID\nrdevNumErrors.1=3\nmdResyncAction=recon D1\nmdResync=1000\n"
        "mdResyncSize=1000\nmdResyncPos=250\nmdResyncDt=10\nmdResyncDb=50\n"
    ).values()

    assert (array.kind, array.state, array.activity) == ("unraid", "degraded", "recovery")
    assert (array.progress_percent, array.errors) == (25, 3)
    assert array.speed_bytes_per_second == 5 * 1024
    assert array.remaining_seconds == 150


def test_unraid_with_words_where_numbers_belong() -> None:
    (array,) = _read("mdState=\nmdNumDisks=many\nrdevStatus.0=\nmdResyncDt=-1\n").values()

    assert (array.state, array.devices_total, array.activity) == ("inactive", 0, "idle")


def test_an_array_whose_journal_failed_is_not_whole() -> None:
    (array,) = _read(
        "Personalities : [raid6] [raid5] [raid4]\n"
        "md0 : active raid5 sdd1[4](J)(F) sda1[0] sdb1[1] sdc1[2]\n"
        "      7813529600 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/3] [UUU]\n"
    ).values()

    assert (array.state, array.devices_working) == ("degraded", 3)


@pytest.mark.parametrize("words", ["recover=REMOTE", "resync=REMOTE", "reshape=REMOTE"])
def test_what_another_machine_of_a_cluster_does_is_waited_for(words: str) -> None:
    (array,) = _read(
        "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0]\n"
        f"      7813529600 blocks super 1.2 [2/2] [UU]\n      \t{words}\n"
    ).values()

    assert array.activity == "waiting"


def test_unraid_lacks_a_disk_that_is_not_there_and_has_no_size() -> None:
    text = "mdState=STARTED\nmdNumDisks=2\nrdevStatus.0=DISK_OK\n"
    (lacking,) = _read(f"{text}rdevStatus.1=DISK_NP_DSBL\n").values()
    (whole,) = _read(f"{text}rdevStatus.1=DISK_OK\nrdevStatus.29=DISK_NP_DSBL\n").values()

    assert (lacking.state, whole.state) == ("degraded", "ok")


@pytest.mark.parametrize("copies", [b"0", b"9" * 30])
def test_copies_that_cannot_be_hold_nothing_up(copies: bytes) -> None:
    content = (
        b"Personalities : [raid10]\nmd0 : active raid10 sdb[1] sda[0]\n"
        b"      100 blocks " + copies + b" near-copies [4/2] [__U_]\n"
    )
    ((_, array),) = mdstat(content)
    assert array.state == "failed"


def test_a_count_of_slots_that_is_none_costs_itself() -> None:
    content = (
        b"Personalities : [raid1]\nmd0 : active raid1 sdb[1] sda[0]\n"
        b"      100 blocks [" + b"9" * 5000 + b"/2] [UU]\n"
    )
    ((_, array),) = mdstat(content)
    assert (array.state, array.devices_total, array.devices_working) == ("ok", None, 2)


def test_a_number_of_unraid_that_is_none_is_passed_over() -> None:
    content = b"mdState=STARTED\nmdNumDisks=1\nrdevStatus.0=DISK_OK\nrdevNumErrors.0=" + b"9" * 5000
    ((_, array),) = mdstat(content)
    assert (array.state, array.errors) == ("ok", 0)
