"""The load probe: busy cores from one line, told from what a hypervisor takes."""

from __future__ import annotations

from pathlib import Path

from publisher.sources.files import KernelFiles
from publisher.sources.load_probe import LoadProbe


def test_the_probe_counts_busy_cores(tmp_path: Path) -> None:
    stat = tmp_path / "proc/stat"
    stat.parent.mkdir()
    stat.write_text("cpu  100 0 50 9000 10 0 0 0 0 0\ncpu0 100 0 50 9000 10 0 0 0 0 0\n")
    probe = LoadProbe(KernelFiles(tmp_path))
    assert probe.busy_cores(0.0) is None
    stat.write_text("cpu  180 0 60 9000 20 0 0 0 0 0\ncpu0 180 0 60 9000 20 0 0 0 0 0\n")
    busy = probe.busy_cores(0.5)
    assert busy is not None
    assert round(busy, 6) == 2.0


def machine(root: Path, *, idle: float, work: int, told: float, stolen: int = 0) -> None:
    """Two processors that idled and worked so many seconds, and what /proc/uptime says of it."""
    (root / "proc").mkdir(exist_ok=True)
    numbers = f"{work * 100} 0 0 {round(idle * 100)} 0 0 0 {stolen * 100} 0 0"
    (root / "proc/stat").write_text(f"cpu  {numbers}\ncpu0 {numbers}\ncpu1 {numbers}\nintr 9 1\n")
    (root / "proc/uptime").write_text(f"5000.00 {told:.2f}\n")


def test_the_probe_goes_by_the_idle_time(tmp_path: Path) -> None:
    machine(tmp_path, idle=9000.0, work=1000, told=9000.0)
    probe = LoadProbe(KernelFiles(tmp_path))
    assert probe.busy_cores(10.0) is None
    machine(tmp_path, idle=0.0, work=0, told=9000.25)
    busy = probe.busy_cores(10.5)
    assert busy is not None
    assert round(busy, 6) == 1.5


def test_in_a_container_that_tells_another_idle_time_the_probe_counts_ticks(tmp_path: Path) -> None:
    machine(tmp_path, idle=9000.0, work=1000, told=4600.0)
    probe = LoadProbe(KernelFiles(tmp_path))
    assert probe.busy_cores(10.0) is None
    machine(tmp_path, idle=9000.0, work=1001, told=4600.0)
    busy = probe.busy_cores(10.5)
    assert busy is not None
    assert round(busy, 6) == 2.0


def test_what_a_hypervisor_steals_is_no_work(tmp_path: Path) -> None:
    machine(tmp_path, idle=9000.0, work=1000, told=9000.0, stolen=50)
    probe = LoadProbe(KernelFiles(tmp_path))
    probe.busy_cores(10.0)
    machine(tmp_path, idle=9058.0, work=1000, told=9058.0, stolen=60)
    assert probe.busy_cores(70.0) is None
    machine(tmp_path, idle=9058.4, work=1000, told=9058.4, stolen=61)
    assert probe.busy_cores(70.5) == 0.0


def test_a_processor_that_is_taken_away_is_no_work(tmp_path: Path) -> None:
    machine(tmp_path, idle=9000.0, work=1000, told=9000.0)
    probe = LoadProbe(KernelFiles(tmp_path))
    probe.busy_cores(10.0)
    stat = tmp_path / "proc/stat"
    stat.write_text("".join(stat.read_text().splitlines(keepends=True)[:2]))
    assert probe.busy_cores(70.0) is None
    (tmp_path / "proc/uptime").write_text("5000.00 9000.50\n")
    assert probe.busy_cores(70.5) == 0.0


def test_a_load_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert LoadProbe(KernelFiles(tmp_path)).busy_cores(0.0) is None
