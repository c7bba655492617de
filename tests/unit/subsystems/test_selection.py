"""Which devices are looked at, which one counts, and what each is called."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from publisher.cli.replay import replay
from publisher.contract.payload import to_json
from publisher.daemon.settings import Settings
from publisher.explain.inputs import signs
from publisher.pipeline import Pipeline
from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.selection import ChooseSettings, IgnoreSettings, Selection

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_DESKTOP = _FIXTURES / "machines/intel_desktop"
_NAS = _FIXTURES / "disk/nas"
_NETWORK = _FIXTURES / "network/desktop"


class Machine:
    """A captured machine as one configuration sees it."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.now = 1000.0
        files = Captured(root)
        self.pipeline = Pipeline.of(
            Settings(root=str(root), **settings),
            sources=Sources(files=files, monotonic=lambda: self.now, nut=None),
            subsystems=[cls for cls in SUBSYSTEMS if cls.name in _topics(root)],
            ledger=False,
            patient=True,
        )

    def look(self) -> Mapping[str, Any]:
        """The payload of each topic after a second sample."""
        self.pipeline.sample()
        self.now += 2.0
        sample = self.pipeline.sample()
        self.pipeline.close()
        return {topic: to_json(reading) for topic, reading in sample.readings.items()}

    @property
    def told(self) -> dict[str, str]:
        """What of the configuration fits nothing, by setting."""
        return {
            name: found.reason
            for name, found in self.pipeline.health.items()
            if name == "names" or name.startswith(("ignore.", "choose."))
        }


def _topics(root: Path) -> set[str]:
    above = root.parent.name
    return {cls.name for cls in SUBSYSTEMS} & ({above} if above != "machines" else {"thermal"})


@pytest.mark.parametrize(
    "pattern", ["nct6798 fan2", "NCT6798-isa-0290/fan2", "nct6798  FAN2", "*/fan2"]
)
def test_a_fan_that_is_ignored_is_neither_there_nor_the_fastest(pattern: str) -> None:
    machine = Machine(_DESKTOP, ignore=IgnoreSettings(fans=(pattern,)))
    thermal = machine.look()["thermal"]
    assert "nct6798-isa-0290/fan2" not in thermal["fans"]
    assert thermal["fan_speed_rpm"] == thermal["fans"]["nct6798-isa-0290/fan1"]["speed_rpm"]
    assert machine.told == {}


def test_a_whole_chip_can_be_ignored_by_its_name() -> None:
    machine = Machine(_DESKTOP, ignore=IgnoreSettings(sensors=("nct6798", "acpitz*")))
    chips = {each["chip"] for each in machine.look()["thermal"]["temperatures"].values()}
    assert "coretemp" in chips
    assert not chips & {"nct6798", "acpitz"}


def test_the_sensor_of_the_processor_and_the_fan_that_counts() -> None:
    choose = ChooseSettings(cpu_sensor="nct6798 CPUTIN", fan="nct6798 fan1")
    thermal = Machine(_DESKTOP, choose=choose).look()["thermal"]
    sensor = thermal["temperatures"]["nct6798-isa-0290/cputin"]
    assert thermal["cpu_temperature_celsius"] == sensor["temperature_celsius"]
    assert thermal["fan_speed_rpm"] == thermal["fans"]["nct6798-isa-0290/fan1"]["speed_rpm"]


def test_a_choice_that_fits_nothing_is_told_and_changes_nothing() -> None:
    machine = Machine(_DESKTOP, choose=ChooseSettings(cpu_sensor="nct6798 CPUTEMP"))
    thermal = machine.look()["thermal"]
    assert thermal == Machine(_DESKTOP).look()["thermal"]
    assert list(machine.told) == ["choose.cpu_sensor"]
    said = machine.told["choose.cpu_sensor"]
    assert said.startswith('"nct6798 CPUTEMP" fits no sensor here; did you mean nct6798 CPUTIN')


def test_disks_and_file_systems() -> None:
    everything = replay(_NAS, ["disk"])["disk"]
    first, *others = everything["devices"]
    point = next(each["label"] for each in everything["filesystems"].values())
    ignore = IgnoreSettings(disks=(first,), filesystems=(point,))
    machine = Machine(_NAS, ignore=ignore)
    disk = machine.look()["disk"]
    assert list(disk["devices"]) == others
    assert point not in [each["label"] for each in disk["filesystems"].values()]
    assert len(disk["filesystems"]) == len(everything["filesystems"]) - 1
    assert machine.told == {}


def test_an_array_that_is_ignored_is_degraded_for_nobody() -> None:
    machine = Machine(_FIXTURES / "disk/zfs", ignore=IgnoreSettings(arrays=("tank",)))
    assert machine.look()["disk"]["arrays"] == {}
    assert machine.told == {}


def test_batteries(tmp_path: Path) -> None:
    root = shutil.copytree(_FIXTURES / "machines/laptop", tmp_path / "power/case", symlinks=True)
    everything = Machine(root).look()["power"]["supplies"]
    battery = next(key for key, each in everything.items() if each["kind"] == "battery")
    ignore = IgnoreSettings(supplies=(everything[battery]["label"],))
    power = Machine(root, ignore=ignore).look()["power"]
    assert power["supplies"].keys() == everything.keys() - {battery}
    assert "battery_percent" not in power


def test_graphics_cards_by_product_and_by_place(tmp_path: Path) -> None:
    root = shutil.copytree(_FIXTURES / "gpu/amdgpu", tmp_path / "gpu/case", symlinks=True)
    gpu = Machine(root).look()["gpu"]
    place, *others = gpu["devices"]
    ignored = Machine(root, ignore=IgnoreSettings(gpus=(place,)))
    assert list(ignored.look().get("gpu", {"devices": {}})["devices"]) == others
    named = Machine(root, names={place: "Render card"}).look()["gpu"]
    assert named["devices"][place] == gpu["devices"][place] | {"label": "Render card"}


def test_a_card_that_is_ignored_is_in_no_sum_and_no_virtual_one_either(tmp_path: Path) -> None:
    everything = replay(_NETWORK / "1", ["network"]) if (_NETWORK / "1").is_dir() else None
    everything = everything or replay(_NETWORK, ["network"])
    cards = everything["network"]["interfaces"]
    name = next(iter(cards.values()))["label"]
    root = shutil.copytree(_NETWORK, tmp_path / "network" / "case", symlinks=True)
    machine = Machine(root, ignore=IgnoreSettings(interfaces=(name, "lo")))
    network = machine.look()["network"]
    assert name not in [each["label"] for each in network["interfaces"].values()]
    assert network["virtual"]["count"] == everything["network"]["virtual"]["count"] - 1
    assert machine.told == {}


def test_names_are_everywhere_and_identities_stay() -> None:
    names = {"nct6798 fan2": "Rear fan", "coretemp-isa-0000/package-id-0": "Processor"}
    machine = Machine(_DESKTOP, names=names)
    thermal = machine.look()["thermal"]
    assert thermal["fans"]["nct6798-isa-0290/fan2"]["label"] == "Rear fan"
    assert thermal["temperatures"]["coretemp-isa-0000/package-id-0"]["label"] == "Processor"
    assert thermal["fans"]["nct6798-isa-0290/fan1"]["label"] == "fan1"
    assert machine.told == {}


def test_a_reading_that_stays_the_same_stays_the_same_object() -> None:
    """What has not changed costs nothing further on."""
    machine = Machine(_DESKTOP, names={"nct6798 fan2": "Rear fan"})
    first = machine.pipeline.sample().readings["thermal"]
    second = machine.pipeline.sample().readings["thermal"]
    machine.pipeline.close()
    for before, after in zip(first.fans.values(), second.fans.values(), strict=True):  # type: ignore[attr-defined]
        assert before is after


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"ignore": IgnoreSettings(fans=("nct6789 fan2",))}, "ignore.fans", "nct6798 fan2"),
        ({"ignore": IgnoreSettings(sensors=("acptz*",))}, "ignore.sensors", "acpitz"),
        ({"names": {"nct6798 fan9": "x"}}, "names", "did you mean"),
        ({"ignore": IgnoreSettings(fans=("\x1b[2J",))}, "ignore.fans", '"\\x1b[2J" fits no fan'),
    ],
)
def test_a_near_miss_is_told_once_with_the_nearest_names(
    settings: Mapping[str, Any], setting: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(_DESKTOP, **settings)
    machine.pipeline.sample()
    machine.look()
    assert list(machine.told) == [setting]
    assert words in machine.told[setting]
    assert machine.pipeline.health[setting].state == "absent"
    said = [record for record in caplog.records if setting in record.getMessage()]
    assert [record.levelname for record in said if record.levelname != "DEBUG"] == ["WARNING"]


def test_every_graphics_card_ignored_is_none_at_all(tmp_path: Path) -> None:
    root = shutil.copytree(_FIXTURES / "gpu/amdgpu", tmp_path / "gpu/case", symlinks=True)
    machine = Machine(root, ignore=IgnoreSettings(gpus=("*",)))
    assert machine.look() == {}
    assert machine.pipeline.health["gpu"].reason == "every GPU is ignored by the configuration"


def test_two_file_systems_of_one_name_are_both_watched() -> None:
    points = [each["label"] for each in replay(_NAS, ["disk"])["disk"]["filesystems"].values()]
    machine = Machine(_NAS, names=dict.fromkeys(points, "Data"))
    sample = machine.pipeline.sample()
    machine.pipeline.close()
    writable = [
        each
        for each in sample.readings["disk"].filesystems.values()  # type: ignore[attr-defined]
        if each.used_percent is not None and not each.read_only
    ]
    assert len(signs(sample.readings).disk_used_percent) == len(writable) > 1


def test_of_subsystems_that_do_not_run_nothing_is_missed() -> None:
    machine = Machine(_DESKTOP, ignore=IgnoreSettings(gpus=("Quadro*",), disks=("sda",)))
    machine.look()
    assert machine.told == {}


def test_what_comes_later_and_fits_is_no_miss_any_more() -> None:
    selection = Selection(IgnoreSettings(disks=("sdb",)))
    assert selection.wanted("disks", "ata-one", "sda")
    assert [name for name, _ in selection.misses(["disk"])] == ["ignore.disks"]
    selection.changed = False
    assert not selection.wanted("disks", "ata-two", "sdb")
    assert selection.changed
    assert list(selection.misses(["disk"])) == []


def test_a_device_that_got_another_name_is_looked_at_anew() -> None:
    selection = Selection(IgnoreSettings(disks=("sdb",)))
    assert selection.wanted("disks", "ata-one", "sda")
    assert not selection.wanted("disks", "ata-one", "sdb")


def test_what_comes_and_goes_by_the_hundred_takes_no_memory() -> None:
    selection = Selection(IgnoreSettings(interfaces=("veth*",)))
    for number in range(5000):
        assert not selection.wanted("interfaces", f"veth{number}", listed=False)
        assert selection.wanted("interfaces", f"card{number}")
    assert len(selection.names("interfaces")) <= 512
    assert list(selection.misses(["network"])) == []


def test_odd_names_are_only_text() -> None:
    """A pattern's brackets and dots stand for themselves."""
    selection = Selection(IgnoreSettings(filesystems=("/mnt/[a].b", "/media/*")))
    assert selection.wanted("filesystems", "1", "/mnt/aXb")
    assert not selection.wanted("filesystems", "2", "/mnt/[A].b")
    assert not selection.wanted("filesystems", "3", "/media/new\nline")
