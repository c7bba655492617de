"""Counters that stand at 100 while nobody works, and those that tell the truth.

``vega-apu-stuck`` is a desktop at rest on an APU whose counter says 100 for ever; where its values
come from stands in its SOURCE.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.sources.gpu.boxes import FIXTURES, Box

from publisher.contract.metric import fields_of

APU = "0000:0a:00.0"
DEVICE = f"sys/bus/pci/devices/{APU}"
COMPOSITOR = "proc/1100/fdinfo/14"


class Apu(Box):
    """The stuck APU; its compositor works as told."""

    def __init__(self, folder: Path) -> None:
        super().__init__("vega-apu-stuck", folder)
        self.worked = 481_200_300_400
        self.clocked = True
        self.text = (self.root / COMPOSITOR).read_text()

    def after(self, seconds: float = 2.0, *, share: float = 0.01) -> float | None:
        """The use of the GPU, some seconds later, in which the compositor worked for a share."""
        self.seconds += seconds
        self.worked += int(seconds * share * 1e9)
        if share > 0.1:
            self.put(f"{DEVICE}/pp_dpm_sclk", "0: 200Mhz \n1: 400Mhz \n2: 1200Mhz *")
        elif self.clocked:
            self.put(f"{DEVICE}/pp_dpm_sclk", "0: 200Mhz *\n1: 400Mhz \n2: 1200Mhz ")
        if (self.root / COMPOSITOR).exists():
            text = self.text.replace("481200300400", str(self.worked))
            (self.root / COMPOSITOR).write_text(text)
        return self.gpu.read().devices[APU].usage_percent

    def joins(self, pid: int, *lines: str, node: str = "renderD128") -> None:
        """One more process opens a device file."""
        folder = self.root / f"proc/{pid}"
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "fd/5").symlink_to(f"/dev/dri/{node}" if "/" not in node else node)
        (folder / "fdinfo/5").write_text("\n".join(("pos:\t0", *lines, "")))
        self.put("sys/module/amdgpu/refcnt", 42)

    def reason(self) -> str:
        return str(self.gpu.health.get(f"gpu.{APU}"))


@pytest.fixture
def apu(tmp_path: Path) -> Apu:
    return Apu(tmp_path)


def test_what_no_users_time_explains_is_not_believed(apu: Apu) -> None:
    apu.gpu.read()
    told = [apu.after() for _ in range(10)]

    assert told == pytest.approx([1.0] * 10)
    assert "stands at 100 %" in apu.reason()


def test_work_is_told_as_its_users_tell_it(apu: Apu) -> None:
    apu.gpu.read()
    apu.after()

    assert apu.after(share=0.3) == pytest.approx(30)
    assert apu.after(share=0.97) == pytest.approx(97)
    assert apu.after() == pytest.approx(1)


def test_a_counter_that_is_explained_is_believed(apu: Apu) -> None:
    apu.gpu.read()
    told = [apu.after(share=0.9) for _ in range(10)]

    assert told == [100] * 10
    assert apu.reason() == "None"


def test_a_counter_that_moves_again_is_believed_again(apu: Apu) -> None:
    apu.gpu.read()
    for _ in range(10):
        apu.after()
    apu.put(f"{DEVICE}/gpu_busy_percent", 37)

    assert apu.after() == 37
    assert apu.reason() == "None"


def test_a_machine_whose_gpu_nobody_has_open_is_idle(apu: Apu) -> None:
    shutil.rmtree(apu.root / "proc/1100")
    shutil.rmtree(apu.root / "proc/1180")
    told = [apu.after() for _ in range(150)]

    assert told == [0] * 150
    assert apu.files.walks <= 8  # one a minute, one when it was seen to be stuck


def test_a_stuck_gpu_at_rest_is_left_alone(apu: Apu) -> None:
    apu.gpu.read()
    for _ in range(10):
        apu.after()
    apu.files.asked.clear()
    for _ in range(30):
        apu.after()

    asked = [path for path in apu.files.asked if "fdinfo" in path or "temp1" in path]
    assert len(asked) <= 2 * 3 + 3  # two users and the sensor, twice or three times a minute


def test_who_comes_to_a_stuck_gpu_is_seen_at_once(apu: Apu) -> None:
    apu.gpu.read()
    for _ in range(10):
        apu.after()
    lines = ("drm-driver: amdgpu", f"drm-pdev: {APU}", "drm-client-id: 77", "drm-engine-gfx: {} ns")
    apu.joins(4000, *lines[:3], lines[3].format(5))
    apu.after()
    (apu.root / "proc/4000/fdinfo/5").write_text(
        "\n".join((*lines[:3], lines[3].format(5 + 1_600_000_000), ""))
    )

    assert apu.after() == pytest.approx(81)
    assert apu.gpu.users()[4000].percent == pytest.approx(80)


def _of_rocm(apu: Apu) -> None:
    apu.joins(6000, node="/dev/kfd")


def _of_an_old_kernel(apu: Apu) -> None:
    apu.joins(4000, f"pdev: {APU}", "pasid: 32771", "gfx0: 99.8%")


def _of_a_driver_without_time(apu: Apu) -> None:
    apu.joins(4000, "drm-driver: other", f"drm-pdev: {APU}", "drm-client-id: 77")


def _of_another_namespace(apu: Apu) -> None:
    (apu.root / "proc/self/ns").mkdir(parents=True)
    (apu.root / "proc/self/ns/pid").symlink_to("pid:[4026532281]")
    apu.clocked = False
    apu.put(f"{DEVICE}/pp_dpm_sclk", "0: 200Mhz \n1: 400Mhz \n2: 1200Mhz *")


def _of_a_mount_that_hides_others(apu: Apu) -> None:
    (apu.root / "proc/self").mkdir()
    apu.clocked = False
    apu.put(f"{DEVICE}/pp_dpm_sclk", "0: 200Mhz \n1: 400Mhz \n2: 1200Mhz *")


@pytest.mark.parametrize(
    "hidden",
    [
        _of_rocm,
        _of_an_old_kernel,
        _of_a_driver_without_time,
        _of_another_namespace,
        _of_a_mount_that_hides_others,
    ],
)
def test_work_that_cannot_be_seen_may_be_there(apu: Apu, hidden: Callable[[Apu], None]) -> None:
    hidden(apu)
    apu.gpu.read()

    assert [apu.after() for _ in range(30)] == [100] * 30


def test_who_may_not_see_all_users_takes_the_lowest_clock_for_rest(apu: Apu) -> None:
    (apu.root / "proc/self/ns").mkdir(parents=True)
    (apu.root / "proc/self/ns/pid").symlink_to("pid:[4026532281]")
    told = [apu.after() for _ in range(20)]

    assert told == [100] * 15 + [None] * 5
    assert "clock stands at its lowest" in apu.reason()
    failure = apu.gpu.health[f"gpu.{APU}"]
    assert failure is not None
    assert "as root" in failure.remedy


def test_an_intel_gpu_that_never_sleeps_is_as_busy_as_its_users(tmp_path: Path) -> None:
    box = Box("i915", tmp_path)
    told = []
    for _ in range(4):  # RC6 is switched off: its residency stands still
        told.append(box.gpu.read().devices["0000:00:02.0"].usage_percent)
        box.seconds += 2

    assert told == [None, 0, 0, 0]


def test_an_intel_gpu_that_cannot_sleep_has_no_counter(tmp_path: Path) -> None:
    box = Box("i915", tmp_path)
    for path in box.root.glob("sys/devices/**/rc6_residency_ms"):
        path.write_text("0\n")
    box.gpu.read()

    # What its users did is known all the same.
    assert box.later().usage_percent == pytest.approx(35)


def test_arms_drivers_say_what_makes_them_tell(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    box.put("sys/devices/platform/soc/ffe40000.gpu/profiling", 0)
    fdinfo = box.root / "proc/812/fdinfo/19"
    lines = fdinfo.read_text().splitlines(keepends=True)
    fdinfo.write_text(
        "".join(line for line in lines if "engine" not in line and "cycles" not in line)
    )
    box.gpu.read()
    box.seconds += 2

    assert box.gpu.read().usage_percent is None
    failure = box.gpu.health["gpu.ffe40000.gpu"]
    assert failure is not None
    assert failure.remedy.startswith("echo 1 > /sys/")


def test_partitions_of_an_accelerator_are_told_as_a_whole(apu: Apu) -> None:
    device = apu.root / "sys/devices/platform/amdgpu_xcp_0"
    (device / "drm/renderD129").mkdir(parents=True)
    (device / "drm/card1").mkdir()
    (device / "drm/card1/device").symlink_to("../..")
    (apu.root / "sys/class/drm/card1").symlink_to(
        os.path.relpath(device / "drm/card1", apu.root / "sys/class/drm")
    )

    assert list(apu.gpu.read().devices) == [APU]


# Values and cards that fail


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("gpu_busy_percent", "usage_percent"),
        ("mem_busy_percent", "memory_controller_percent"),
        ("mem_info_vram_used", "memory_used_bytes"),
        ("mem_info_vram_total", "memory_total_bytes"),
        ("pp_dpm_sclk", "graphics_clock_mhz"),
        ("pp_dpm_mclk", "memory_clock_mhz"),
        ("current_link_speed", "pcie_generation"),
        ("current_link_width", "pcie_width"),
        ("hwmon/hwmon2/temp1_input", "temperature_celsius"),
        ("hwmon/hwmon2/temp2_input", "hotspot_temperature_celsius"),
        ("hwmon/hwmon2/temp1_crit", "slowdown_temperature_celsius"),
        ("hwmon/hwmon2/fan1_input", "fan_speed_rpm"),
        ("hwmon/hwmon2/pwm1", "fan_percent"),
        ("hwmon/hwmon2/power1_average", "power_watts"),
        ("hwmon/hwmon2/power1_cap", "power_limit_watts"),
        ("unique_id", "uuid"),
        ("vendor", "vendor"),
        ("product_name", "name"),
    ],
)
@pytest.mark.parametrize("content", ["!EIO", "!EINVAL", "!EACCES", "garbage", ""])
def test_a_value_that_fails_is_left_out_alone(
    tmp_path: Path, path: str, field: str, content: str
) -> None:
    whole = Box("amdgpu", tmp_path / "whole").gpu.read().devices["0000:0c:00.0"]
    box = Box("amdgpu", tmp_path / "broken")
    box.put(f"sys/bus/pci/devices/0000:0c:00.0/{path}", content)

    device = box.gpu.read().devices["0000:0c:00.0"]

    names = {
        declared.name
        for declared in fields_of(type(device))
        if getattr(device, declared.name) != getattr(whole, declared.name)
    }
    assert names <= {field, "memory_used_percent"}


def test_a_failing_value_is_said_and_read_again(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    path = "sys/bus/pci/devices/0000:0c:00.0/hwmon/hwmon2/temp1_input"
    box.put(path, "!EIO")
    box.gpu.read()
    failure = box.gpu.health["gpu.0000:0c:00.0"]
    assert "fails to tell temp1: reading failed" in str(failure)

    box.put(path, 61000)
    box.seconds += 2

    assert box.gpu.read().temperature_celsius == 61
    assert box.gpu.health["gpu.0000:0c:00.0"] is None


def test_a_limit_that_failed_is_read_again(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    path = "sys/bus/pci/devices/0000:0c:00.0/hwmon/hwmon2/power1_cap"
    box.put(path, "!EIO")
    assert box.gpu.read().devices["0000:0c:00.0"].power_limit_watts is None

    box.put(path, 303_000_000)
    box.seconds += 2

    assert box.gpu.read().devices["0000:0c:00.0"].power_limit_watts == 303


def test_a_driver_that_never_answers_leaves_the_other_cards(tmp_path: Path) -> None:
    box = Box("laptop-asleep", tmp_path)
    shutil.copytree(
        FIXTURES / "vega-apu-stuck/sys", box.root / "sys", symlinks=True, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("card0"),
    )  # fmt: skip
    device = box.root / f"sys/devices/pci0000:00/0000:00:08.1/{APU}"
    (device / "drm/card7").mkdir()
    (device / "drm/card7/device").symlink_to("../..")
    (box.root / "sys/class/drm/card7").symlink_to(
        f"../../devices/pci0000:00/0000:00:08.1/{APU}/drm/card7"
    )
    silent = device / "gpu_busy_percent"
    silent.unlink()
    os.mkfifo(silent)  # whoever opens it waits for ever

    states = {name: card.state for name, card in box.gpu.read().devices.items()}
    failure = box.gpu.health[f"gpu.{APU}"]
    with silent.open("w"):  # for as long as somebody writes
        box.gpu.close()

    assert states == {"0000:00:02.0": "active", "0000:01:00.0": "asleep", APU: "unreachable"}
    assert "has not answered" in str(failure)


def test_a_card_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    box = Box("laptop-asleep", tmp_path)
    folder = box.root / "sys/class/drm/card0/device/hwmon"
    folder.mkdir(exist_ok=True)
    refused = box.files.refused = f"{(folder).resolve()}".removeprefix(str(box.root.resolve()))

    devices = box.gpu.read().devices

    assert devices["0000:00:02.0"].state == "unreachable"
    assert devices["0000:01:00.0"].state == "asleep"
    assert refused in str(box.gpu.health["gpu.0000:00:02.0"])
