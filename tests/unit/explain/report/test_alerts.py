"""Alerts: raised once when a condition lasts, cleared once when it is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.inputs import Signs, Trouble, signs
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.disk import DiskReading
from publisher.subsystems.disk.md import mdstat
from publisher.subsystems.power.power import PowerReading
from publisher.subsystems.power.supply import SupplyReading

MAKE = {"kind": "job", "label": "make -j8", "command": "make -j8"}


def told(stage: Stage) -> list[tuple[str | None, str | None]]:
    return [(event.event, event.alert) for event in stage.events if event.alert]


def test_high_cpu_usage_must_last(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.9, **MAKE)
    stage.play(make, lasting=290)
    assert told(stage) == []
    stage.play(make, lasting=30)
    assert told(stage) == [("alert_raised", "cpu")]
    raised = stage.events[-1]
    assert raised.message == "CPU usage stays high: Software build (make -j8)"
    assert (raised.severity, raised.causes[0].label) == ("warning", "Software build")
    assert raised.id


def test_one_clear_per_raise(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.9, **MAKE)
    stage.play(make, lasting=330)
    for _ in range(10):  # it wavers around the threshold
        stage.play(lasting=20)
        stage.play(make, lasting=20)
    stage.play(lasting=300)
    assert told(stage) == [("alert_raised", "cpu"), ("alert_cleared", "cpu")]
    cleared = next(event for event in stage.events if event.event == "alert_cleared")
    assert 700 <= cleared.duration_seconds <= 740


def test_memory(stage: Stage) -> None:
    stage.play(lasting=40, memory_available_percent=3.0)
    stage.play(lasting=120, memory_available_percent=40.0)
    assert told(stage) == [("alert_raised", "memory"), ("alert_cleared", "memory")]


def test_memory_names_who_holds_it(stage: Stage, make_account: MakeAccount) -> None:
    holder = make_account("postgres", memory_bytes=6 << 30)
    stage.play(holder, lasting=40, memory_available_percent=3.0)
    raised = stage.events[-1]
    assert raised.message == "Memory is nearly used up: PostgreSQL database holds 6 GiB"
    assert (raised.category, raised.label, raised.resource) == (
        "database",
        "PostgreSQL database",
        "memory",
    )


def test_heat_names_who_makes_it(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.9, **MAKE)
    stage.play(make, lasting=60, cpu_temperature_celsius=96.0)
    raised = stage.events[-1]
    assert raised.message == "The CPU is hot, most from Software build (make -j8)"
    assert (raised.alert, raised.category) == ("temperature", "development")


def test_a_disk_that_fills_up_names_who_writes_if_that_is_clear(
    stage: Stage, make_account: MakeAccount
) -> None:
    full = Signs(disk_used_percent={"/srv": 96.0})
    backup = make_account("borg", 0.1, disk_write_bytes_per_second=20e6)
    other = make_account("postgres", 0.1, disk_write_bytes_per_second=1e6)
    stage.play(backup, other, lasting=60, signs=full)
    (raised,) = [event for event in stage.events if event.alert]
    told = "File system /srv is nearly full; Borg backup has written the most lately"
    assert (raised.message, raised.category) == (told, "backup")


def test_two_that_write_alike_are_not_to_blame_for_a_full_disk(
    stage: Stage, make_account: MakeAccount
) -> None:
    both = [make_account(name, 0.1, disk_write_bytes_per_second=20e6) for name in ("borg", "dd")]
    stage.play(*both, lasting=60, signs=Signs(disk_used_percent={"/srv": 96.0}))
    (raised,) = [event for event in stage.events if event.alert]
    assert (raised.message, raised.label) == ("File system /srv is nearly full", None)


def test_temperature(stage: Stage) -> None:
    stage.play(lasting=60, cpu_temperature_celsius=96.0)
    assert told(stage) == [("alert_raised", "temperature")]


def test_a_disk_that_fills_up_is_told_twice_and_wavers_once(stage: Stage) -> None:
    def used(percent: float, lasting: float) -> None:
        stage.play(lasting=lasting, signs=Signs(disk_used_percent={"/": percent}))

    used(96.0, 60)
    used(99.5, 60)
    for _ in range(5):  # within the noise of a threshold
        used(94.9, 120)
        used(95.1, 120)
    used(60.0, 120)
    assert [(event.event, event.message) for event in stage.events] == [
        ("alert_raised", "File system / is nearly full"),
        ("alert_raised", "File system / is full"),
        ("alert_cleared", "Over: File system / is full"),
        ("alert_cleared", "Over: File system / is nearly full"),
    ]


def test_disks_and_arrays_are_told_one_by_one(stage: Stage) -> None:
    signs = replace(arrays("degraded"), disk_used_percent={"/": 97.0, "/srv": 99.6, "/home": 60.0})
    stage.play(lasting=60, signs=signs)
    assert told(stage) == [("alert_raised", "disk_full")] * 2 + [("alert_raised", "raid_degraded")]
    assert {(event.severity, event.message) for event in stage.events} == {
        ("warning", "File system / is nearly full"),
        ("critical", "File system /srv is full"),
        ("critical", "RAID array md0 lacks a disk"),
    }


def test_inodes_that_run_out_are_told_where_there_is_space(stage: Stage) -> None:
    def used(inodes: float, space: float, lasting: float) -> None:
        signs = Signs(disk_used_percent={"/mail": space}, inodes_used_percent={"/mail": inodes})
        stage.play(lasting=lasting, signs=signs)

    used(96.0, 40.0, 60)
    used(100.0, 40.0, 60)
    used(10.0, 40.0, 120)
    assert told(stage) == [("alert_raised", "disk_full")] * 2 + [("alert_cleared", "disk_full")] * 2
    assert [(event.severity, event.message) for event in stage.events[:2]] == [
        ("warning", "File system /mail can take few more files: its inodes are nearly used"),
        ("critical", "File system /mail can take no more files: all its inodes are used"),
    ]


def test_a_full_file_system_is_not_told_of_its_inodes_as_well(stage: Stage) -> None:
    signs = Signs(disk_used_percent={"/": 99.9}, inodes_used_percent={"/": 100.0})
    stage.play(lasting=60, signs=signs)
    assert [event.message for event in stage.events] == ["File system / is full"]


def test_a_pool_that_fills_up_is_told_like_a_file_system(stage: Stage) -> None:
    def used(data: float, metadata: float, lasting: float) -> None:
        filling = {"Thin pool pve/data": data, "The metadata of thin pool pve/data": metadata}
        stage.play(lasting=lasting, signs=Signs(volumes_used_percent=filling))

    used(97.3, 3.7, 60)
    used(100.0, 96.0, 60)
    used(60.0, 3.7, 120)
    assert [(event.severity, event.message) for event in stage.events[:3]] == [
        ("warning", "Thin pool pve/data is nearly full"),
        ("critical", "Thin pool pve/data is full"),
        ("warning", "The metadata of thin pool pve/data is nearly full"),
    ]
    assert told(stage)[3:] == [("alert_cleared", "disk_full")] * 3


@pytest.mark.parametrize(
    ("trouble", "severity", "words"),
    [
        (Trouble.READ_ONLY, "critical", "turned read-only after an error"),
        (Trouble.FAILING, "critical", "has errors"),
        (Trouble.SILENT, "warning", "does not answer"),
    ],
)
def test_a_file_system_in_trouble(
    stage: Stage, trouble: Trouble, severity: str, words: str
) -> None:
    for _ in range(5):  # a flicker is none
        stage.play(lasting=10, signs=Signs(filesystem_trouble={"/srv": trouble}))
        stage.play(lasting=120, signs=Signs())
    assert told(stage) == []
    stage.play(lasting=60, signs=Signs(filesystem_trouble={"/srv": trouble}))
    (raised,) = stage.events
    assert (raised.alert, raised.severity) == ("filesystem", severity)
    assert raised.message == f"File system /srv {words}"
    stage.play(lasting=120, signs=Signs())
    assert told(stage) == [("alert_raised", "filesystem"), ("alert_cleared", "filesystem")]


def test_worse_trouble_is_told_again(stage: Stage) -> None:
    for trouble in (Trouble.SILENT, Trouble.FAILING):
        stage.play(lasting=120, signs=Signs(filesystem_trouble={"/srv": trouble}))
    assert [(event.event, event.message) for event in stage.events] == [
        ("alert_raised", "File system /srv does not answer"),
        ("alert_raised", "File system /srv has errors"),
        ("alert_cleared", "Over: File system /srv does not answer"),
    ]


def test_what_does_not_answer_any_more_is_not_less_full(stage: Stage) -> None:
    stage.play(lasting=60, signs=Signs(disk_used_percent={"/nas": 99.5}))
    stage.play(lasting=600, signs=Signs(filesystem_trouble={"/nas": Trouble.SILENT}))
    assert told(stage) == [("alert_raised", "disk_full"), ("alert_raised", "filesystem")]
    stage.play(lasting=120, signs=Signs(disk_used_percent={"/nas": 40.0}))
    assert told(stage)[2:] == [("alert_cleared", "disk_full"), ("alert_cleared", "filesystem")]


_LACKS = "RAID array md0 lacks a disk"
_FAILED = "RAID array md0 has failed: too many of its disks are gone or do not answer"


def arrays(state: str) -> Signs:
    return signs({"disk": DiskReading(arrays={"md0": ArrayReading(kind="md", state=state)})})


@pytest.mark.parametrize(
    ("kind", "called"),
    [("zfs", "ZFS pool"), ("btrfs", "File system"), ("unraid", "Array"), ("md", "RAID array")],
)
def test_what_lacks_a_disk_is_called_what_it_is(stage: Stage, kind: str, called: str) -> None:
    array = ArrayReading(kind=kind, label="tank", state="degraded")
    stage.play(lasting=120, signs=signs({"disk": DiskReading(arrays={"any": array})}))
    assert told_of(stage) == [("alert_raised", f"{called} tank lacks a disk")]


def told_of(stage: Stage) -> list[tuple[str | None, str | None]]:
    return [(event.event, event.message) for event in stage.events if event.alert]


def test_an_array_that_gets_worse_is_told_again_and_is_not_over(stage: Stage) -> None:
    stage.play(lasting=120, signs=arrays("ok"))
    stage.play(lasting=120, signs=arrays("degraded"))
    stage.play(lasting=600, signs=arrays("failed"))
    assert told_of(stage) == [("alert_raised", _LACKS), ("alert_raised", _FAILED)]
    stage.play(lasting=600, signs=arrays("degraded"))
    assert told_of(stage)[2:] == [("alert_cleared", f"Over: {_FAILED}")]
    stage.play(lasting=600, signs=arrays("ok"))
    assert told_of(stage)[3:] == [("alert_cleared", f"Over: {_LACKS}")]


def test_an_array_that_is_broken_from_the_start_is_told(stage: Stage) -> None:
    stage.play(lasting=120, signs=arrays("failed"))
    assert told_of(stage) == [("alert_raised", _FAILED)]


def test_one_flicker_of_an_array_is_no_alert(stage: Stage) -> None:
    for state in ("degraded", "failed", "inactive"):
        stage.play(lasting=10, signs=arrays(state))
        stage.play(lasting=60, signs=arrays("ok"))
    assert told_of(stage) == []


def crashing(text: str) -> Signs:
    content = f"Personalities : [raid1]\nmd2 : active raid1 {text}\n"
    return signs({"disk": DiskReading(arrays=dict(mdstat(content.encode())))})


_UE = "sda5[0] sdb5[1](E)\n      976 blocks super 1.2 [2/2] [UE]"
_E = "sdb5[1](E)\n      976 blocks super 1.2 [2/1] [_E]"
_NONE = "sda5[0](F) sdb5[1](F)\n      976 blocks super 1.2 [2/0] [__]"
_WHOLE = "sda5[0] sdb5[1]\n      976 blocks super 1.2 [2/2] [UU]"
_COVERED = "RAID array md2 has a disk with too many errors; the others still make up for it"
_CRASHED = "RAID array md2 has a disk with errors and no other to make up for it: save what you can"


def test_a_disk_of_a_synology_that_meets_errors_gets_worse_and_is_mended(stage: Stage) -> None:
    gone = "RAID array md2 has failed: too many of its disks are gone or do not answer"
    stage.play(lasting=120, signs=crashing(_UE))
    stage.play(lasting=120, signs=crashing(_E))
    stage.play(lasting=600, signs=crashing(_NONE))
    assert told_of(stage) == [
        ("alert_raised", _COVERED),
        ("alert_raised", _CRASHED),
        ("alert_raised", gone),
    ]
    assert [event.severity for event in stage.events] == ["warning", "critical", "critical"]
    stage.play(lasting=600, signs=crashing(_WHOLE))
    assert {event for event, _ in told_of(stage)[3:]} == {"alert_cleared"}
    assert len(told_of(stage)) == 6


def test_a_failed_spare_is_told_and_is_over_when_it_was_taken_out(stage: Stage) -> None:
    failed = "sdc5[2](F) sda5[0] sdb5[1]\n      976 blocks super 1.2 [2/2] [UU]"
    for _ in range(5):  # one flicker is none
        stage.play(lasting=10, signs=crashing(failed))
        stage.play(lasting=90, signs=crashing(_WHOLE))
    assert told_of(stage) == []
    stage.play(lasting=300, signs=crashing(failed))
    stage.play(lasting=300, signs=crashing(_WHOLE))
    words = "RAID array md2 has a disk less to stand in for another: one has failed or is gone"
    assert told_of(stage) == [("alert_raised", words), ("alert_cleared", f"Over: {words}")]
    assert stage.events[0].severity == "warning"


def ups(*, online: bool | None = None, low: bool | None = None, reachable: bool = True) -> Signs:
    supply = SupplyReading(kind="ups", label="rack", online=online, low=low, reachable=reachable)
    return signs({"power": PowerReading(supplies={"nut/rack": supply})})


def test_an_outage_gets_worse_while_the_ups_falls_silent_and_is_over_with_it(stage: Stage) -> None:
    stage.play(lasting=20, signs=ups(online=False))  # it tries its battery
    stage.play(lasting=90, signs=ups(online=True))
    assert told_of(stage) == []
    stage.play(lasting=90, signs=ups(online=False))
    stage.play(lasting=90, signs=ups(online=False, low=True))
    stage.play(lasting=200, signs=ups(reachable=False))
    assert [event.severity for event in stage.events if event.event == "alert_raised"] == [
        "warning",
        "critical",
        "warning",
    ]
    stage.play(lasting=200, signs=ups(online=True))
    assert sorted(told(stage)) == [("alert_cleared", "ups")] * 3 + [("alert_raised", "ups")] * 3


def test_an_oom_kill_is_told_at_once_and_old_ones_are_not(stage: Stage) -> None:
    stage.play(lasting=10, signs=Signs(oom_kills=3))
    assert told(stage) == []
    stage.step(signs=Signs(oom_kills=4))
    assert told(stage) == [("alert_raised", "oom_kill")]
    stage.play(lasting=60, signs=Signs(oom_kills=5))
    stage.play(lasting=900, signs=Signs(oom_kills=5))
    assert told(stage) == [("alert_raised", "oom_kill"), ("alert_cleared", "oom_kill")]


def test_alerts_can_be_switched_off(make_stage: type[Stage], make_account: MakeAccount) -> None:
    stage = make_stage(settings=ExplainSettings(alerts=False))
    stage.play(make_account("xmrig", 3.9), lasting=400)
    assert told(stage) == []


def test_ids_are_unique_across_restarts(make_stage: type[Stage], make_account: MakeAccount) -> None:
    ids = set()
    for _ in range(3):
        stage = make_stage()
        stage.play(make_account("borg", 3.0), lasting=20)
        ids |= {event.id for event in stage.events}
    assert len(ids) == 6


def test_an_unknown_program_that_hides_and_takes_everything_is_suspected(
    stage: Stage, make_account: MakeAccount
) -> None:
    hidden = make_account("zsvc", 3.8, executable="/tmp/.X11-unix/.x/zsvc")
    verdict = stage.play(hidden, lasting=100)
    assert told(stage) == []
    assert (verdict.cause, "cryptomining" in verdict.headline) == ("unknown", False)
    stage.play(hidden, lasting=60)
    (alert,) = [event for event in stage.events if event.event == "alert_raised"]
    assert (alert.alert, alert.severity) == ("cryptomining", "warning")
    assert alert.message.startswith("Possibly cryptomining: zsvc, an unknown program")


def test_who_poses_as_a_kernel_thread_deserves_attention_at_once(
    stage: Stage, make_account: MakeAccount
) -> None:
    poses = "calls itself a kernel thread, and is none"
    stage.play(make_account("kswapd0", 0.9, disguise=poses), lasting=20)
    (alert,) = [event for event in stage.events if event.event == "alert_raised"]
    assert (alert.alert, alert.severity) == ("cryptomining", "warning")
    assert (
        alert.message == "Possibly cryptomining: kswapd0 calls itself a kernel thread, and is none"
    )


def test_what_lies_where_programs_belong_is_not_suspected(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(make_account("zsvc", 3.8, executable="/opt/zsvc/bin/zsvc"), lasting=200)
    assert told(stage) == []


FAN = "fan1 (nct6798)"


def test_a_fan_that_stands_still_raises_escalates_and_clears(stage: Stage) -> None:
    stopped = Signs(fans_stopped={FAN: False})
    stage.play(lasting=60, signs=stopped)
    (raised,) = [event for event in stage.events if event.alert]
    assert (raised.severity, raised.message) == ("warning", f"Fan {FAN} stands still")

    stage.play(lasting=60, signs=stopped, cpu_temperature_celsius=96.0)
    worse = [event for event in stage.events if event.alert == "fan"][-1]
    assert (worse.event, worse.severity) == ("alert_raised", "critical")
    assert worse.message == f"Fan {FAN} stands still, and the CPU is hot"

    stage.play(lasting=200, cpu_temperature_celsius=50.0)
    fans = [event.event for event in stage.events if event.alert == "fan"]
    assert fans == ["alert_raised"] * 2 + ["alert_cleared"] * 2


def test_a_pump_that_stands_still_is_grave_at_once(stage: Stage) -> None:
    stage.play(lasting=60, signs=Signs(fans_stopped={"AIO_PUMP (nct6798)": True}))
    (raised,) = [event for event in stage.events if event.alert]
    told = (raised.severity, raised.message)
    assert told == ("critical", "Pump AIO_PUMP (nct6798) stands still")


def test_one_flicker_of_a_tachometer_is_no_alert(stage: Stage) -> None:
    for _ in range(5):
        stage.play(lasting=4, signs=Signs(fans_stopped={FAN: False}))
        stage.play(lasting=20)
    assert told(stage) == []
