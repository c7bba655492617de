"""GPUs of the kernel's own drivers: who uses them, what walks cost, what is left alone.

The values of each driver are in tests/fixtures/gpu, replayed with all other fixtures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.sources.gpu.boxes import FIXTURES, Box

from publisher.errors import AbsentError, DeniedError
from publisher.sources import Sources
from publisher.sources.drm_clients import Client, Clients
from publisher.sources.files import KernelFiles
from publisher.subsystems.gpu import Gpu

AMD = "0000:0c:00.0"


def _users(box: Box) -> dict[int, tuple[float, int, float, float]]:
    return {
        pid: (
            round(use.percent or 0.0, 1),
            (use.memory_bytes or 0) >> 10,
            round(use.encode_percent or 0.0, 1),
            round(use.decode_percent or 0.0, 1),
        )
        for pid, use in box.gpu.users().items()
    }


def test_amdgpu_engines_are_counted_once_for_each_client(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    box.gpu.read()
    box.later()

    # 4242 has one client open twice, and another; 1955 only inherited what 1900 opened.
    assert _users(box) == {
        1900: (5.0, 262144, 0.0, 0.0),
        4242: (86.0, 4194304 + 131072, 0.0, 0.0),
        5100: (50.0, 393216, 50.0, 20.0),
    }


def test_i915_engines_share_their_class(tmp_path: Path) -> None:
    box = Box("i915", tmp_path)
    box.gpu.read()
    box.later()

    # Two video engines of which the player used 1.2 s in 2 s; a GPU without memory of its own.
    assert _users(box) == {1700: (5.0, 6044, 0.0, 0.0), 3100: (30.0, 65536, 0.0, 0.0)}


def test_xe_counts_cycles(tmp_path: Path) -> None:
    box = Box("xe", tmp_path)
    box.gpu.read()
    box.later()

    assert _users(box) == {2200: (39.1, 23992, 0.0, 0.0), 2300: (60.0, 8388608, 0.0, 0.0)}


def test_a_gpu_that_is_not_on_pci_is_known_by_its_driver(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    box.gpu.read()
    box.later()

    assert _users(box) == {812: (30.0, 36496, 0.0, 0.0)}


def test_rocm_is_charged_with_what_no_engine_explains(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    for pid in (1955, 4242, 5100):
        shutil.rmtree(box.root / f"proc/{pid}")
    shutil.rmtree(box.root / "proc/1900/fd")
    shutil.copytree(box.root / "proc/1900", box.root / "proc/6000")
    folder = box.root / "proc/6000/fd"
    folder.mkdir()
    (folder / "9").symlink_to("/dev/dri/renderD128")
    (folder / "10").symlink_to("/dev/kfd")
    box.gpu.read()
    box.seconds += 2
    box.gpu.read()

    assert _users(box) == {6000: (96.0, 262144, 0.0, 0.0)}


def test_watts_above_idle_are_split_by_use(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    box.put(f"sys/bus/pci/devices/{AMD}/gpu_busy_percent", 0)
    box.put(f"sys/bus/pci/devices/{AMD}/hwmon/hwmon2/power1_average", 30_000_000)
    box.gpu.read()
    box.put(f"sys/bus/pci/devices/{AMD}/gpu_busy_percent", 96)
    box.put(f"sys/bus/pci/devices/{AMD}/hwmon/hwmon2/power1_average", 289_000_000)
    box.seconds += 2
    box.gpu.read()
    box.later()

    users = box.gpu.users()

    assert users[4242].power_watts == pytest.approx((289 - 30) * 86 / 141)
    assert sum(use.power_watts or 0 for use in users.values()) == pytest.approx(259)


def test_an_idle_gpu_is_not_searched_for_users(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    box.put(f"sys/bus/pci/devices/{AMD}/gpu_busy_percent", 0)

    for _ in range(30):
        box.seconds += 2
        box.gpu.read()

    assert box.files.walks == 0
    assert box.gpu.users() == {}


def test_a_sleeping_gpu_is_not_even_asked_how_busy_it_is(tmp_path: Path) -> None:
    box = Box("laptop-asleep", tmp_path)
    busy = box.root / "sys/bus/pci/devices/0000:01:00.0/gpu_busy_percent"
    busy.unlink()
    busy.mkdir()  # reading it would fail

    device = box.gpu.read().devices["0000:01:00.0"]

    assert device.state == "asleep"
    assert device.temperature_celsius is None


def test_an_idle_gpu_that_can_sleep_is_left_alone(tmp_path: Path) -> None:
    box = Box("laptop-asleep", tmp_path)
    path = box.root / "sys/class/drm/card0/gt/gt0/rc6_residency_ms"
    states = []
    for _ in range(10):
        states.append(box.gpu.read().devices["0000:00:02.0"].state)
        box.seconds += 2
        path.write_text(f"{9000 + int(box.seconds * 1000)}\n")

    # Nobody has it open, so it is idle from the first sample on.
    assert states == ["active"] * 6 + ["resting"] * 4


def test_users_explained_are_not_searched_for_again_soon(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    counter = 912_000_000_000
    fdinfo = box.root / "proc/4242/fdinfo/11"
    text = fdinfo.read_text()
    for _ in range(29):
        box.gpu.read()
        box.seconds += 2
        counter += 1_900_000_000
        fdinfo.write_text(text.replace("912000000000", str(counter)))

    # Once at the start, once more since the first sample of a counter explains nothing.
    assert box.files.walks == 2


def test_a_busy_gpu_without_known_users_is_searched_for_them(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    for pid in (1900, 1955, 4242, 5100):
        shutil.rmtree(box.root / f"proc/{pid}")
    for _ in range(30):
        box.gpu.read()
        box.seconds += 2
    walks = box.files.walks
    shutil.copytree(FIXTURES / "amdgpu/proc/4242", box.root / "proc/4242", symlinks=True)
    box.seconds += 4

    box.gpu.read()

    assert 10 <= walks <= 15
    assert list(box.gpu.users()) == [4242]


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Root may look into everything; others stay who they are."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_processes_that_may_not_be_looked_into_are_told() -> None:
    with TemporaryDirectory() as folder:  # that of a test would be closed to others altogether
        Path(folder).chmod(0o755)
        descriptors = Path(folder, "proc/812/fd")
        descriptors.mkdir(parents=True)
        clients = Clients(KernelFiles(folder))
        clients.look(0.0, {})
        before = clients.failure
        descriptors.chmod(0)
        with _unprivileged():
            clients.look(1000.0, {})
        descriptors.chmod(0o700)

    assert before is None
    assert isinstance(clients.failure, DeniedError)
    assert "CAP_SYS_PTRACE" in clients.failure.remedy


def test_a_counter_that_runs_backwards_waits_for_itself(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    fdinfo = box.root / "proc/812/fdinfo/19"
    text = fdinfo.read_text()
    box.gpu.read()
    shares = []
    for grown in (600_000_000, 500_000_000, 800_000_000):
        box.seconds += 2
        fdinfo.write_text(text.replace("1846584880", str(1846584880 + grown)))
        box.gpu.read()
        shares.append(box.gpu.users()[812].percent)

    assert shares == pytest.approx([30.0, 0.0, 10.0])


@pytest.mark.parametrize(
    ("lines", "memory"),
    [
        (("drm-memory-vram: 512 KiB", "drm-memory-gtt: 64 KiB"), 512 << 10),
        (("drm-memory-vram: 0 KiB", "drm-memory-gtt: 64 KiB", "drm-memory-cpu: 8 KiB"), 64 << 10),
        (("drm-total-vram: 2 MiB", "drm-resident-vram: 1 MiB"), 1 << 20),
        (("drm-total-memory: 290 MiB", "drm-resident-memory: 4096"), 4096),
        (("drm-memory-vram: many KiB",), None),
        (("drm-engine-gfx: 12 ns",), None),
    ],
)
def test_memory_is_that_on_the_card_first(lines: tuple[str, ...], memory: int | None) -> None:
    client = Client.parse("\n".join(("drm-driver: amdgpu", "drm-client-id: 1", *lines)).encode())

    assert client is not None
    assert client.memory_bytes == memory


@pytest.mark.parametrize(
    "content", [b"", b"pos:\t0\n", b"drm-driver: x", b"drm-driver:\n", b"\xff\xfe\n:\n::"]
)
def test_what_is_no_client_is_none(content: bytes) -> None:
    assert Client.parse(content) is None


@given(st.binary(max_size=300), st.sampled_from([b"", b"drm-driver: x\ndrm-client-id: 1\n"]))
def test_whatever_a_driver_writes_is_read(content: bytes, before: bytes) -> None:
    client = Client.parse(before + content)

    assert client is None or (client.memory_bytes or 0) >= 0


def test_a_gpu_that_nobody_has_open_does_nothing(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    shutil.rmtree(box.root / "proc/812")

    assert box.gpu.read().usage_percent == 0


def test_a_driver_that_tells_of_no_client_is_not_taken_for_idle(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    shutil.rmtree(box.root / "proc/812")
    link = box.root / "sys/devices/platform/soc/ffe40000.gpu/driver"
    link.unlink()
    (box.root / "sys/bus/pci/drivers/radeon").mkdir(parents=True)
    link.symlink_to("../../../../bus/pci/drivers/radeon")

    (card,) = box.gpu.read().devices.values()
    assert (card.driver, card.usage_percent) == ("radeon", None)


def test_a_driver_that_tells_no_engine_time_tells_no_usage(tmp_path: Path) -> None:
    box = Box("panfrost", tmp_path)
    fdinfo = box.root / "proc/812/fdinfo/19"
    fdinfo.write_text("drm-driver: panfrost\ndrm-client-id: 1\ndrm-total-memory: 4 MiB\n")
    box.gpu.read()
    box.seconds += 2

    assert box.gpu.read().usage_percent is None
    assert box.gpu.users()[812].memory_bytes == 4 << 20


def test_a_card_without_driver_is_told_of(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "class").write_text("0x030000\n")
    (device / "vendor").write_text("0x10de\n")

    with pytest.raises(AbsentError, match=r"the NVIDIA GPU .* has no driver") as raised:
        Gpu(Sources(files=KernelFiles(tmp_path))).read()

    assert "install" in raised.value.remedy


def test_a_gpu_pulled_out_is_gone(tmp_path: Path) -> None:
    box = Box("amdgpu", tmp_path)
    box.gpu.read()
    (box.root / "sys/class/drm/card0").unlink()
    shutil.rmtree((box.root / f"sys/bus/pci/devices/{AMD}").resolve())
    box.seconds += 2

    with pytest.raises(AbsentError, match="no GPU"):
        box.gpu.read()
