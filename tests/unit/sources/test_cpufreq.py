"""Clocks of processors: of cores that differ, are switched off, or do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.errors import AbsentError, SourceError
from publisher.sources.cpufreq import Clocks
from publisher.sources.recording import Captured


class Cores:
    """Cores with the clocks that a test gives them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clocks = Clocks(Captured(root))

    def put(self, core: int, **files: object) -> None:
        folder = self.root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(f"{content}\n")

    def read(self, *online: int) -> dict[str, float]:
        return dict(self.clocks.read([f"cpu{number}" for number in online]))


@pytest.fixture
def cores(tmp_path: Path) -> Cores:
    return Cores(tmp_path)


@pytest.mark.parametrize("error", ["!EBUSY", "!EIO", "<unknown>", "", 4294967295, -1])
def test_a_core_that_fails_leaves_the_others(cores: Cores, error: str) -> None:
    cores.put(0, scaling_cur_freq=1900000)
    cores.put(1, scaling_cur_freq=error)
    cores.put(2, scaling_cur_freq=2100000)

    assert cores.read(0, 1, 2) == {"cpu0": 1900, "cpu2": 2100}
    assert "no speed of cpu1" in str(cores.clocks.failure)
    assert cores.clocks.failure is not None
    assert "ten seconds" in cores.clocks.failure.remedy

    cores.put(1, scaling_cur_freq=2000000)
    assert cores.read(0, 1, 2)["cpu1"] == 2000
    assert cores.clocks.failure is None


def test_a_core_that_is_switched_off_is_a_fact(cores: Cores) -> None:
    cores.put(0, scaling_cur_freq=1900000)
    cores.put(1, scaling_cur_freq="!EBUSY")

    assert cores.read(0) == {"cpu0": 1900}
    assert isinstance(cores.clocks.failure, AbsentError)
    assert "switched off: cpu1" in str(cores.clocks.failure)


@pytest.mark.parametrize(
    ("limits", "lowest", "highest"),
    [
        ([(408000, 1800000)] * 4 + [(408000, 2400000)] * 4, 408, 2400),  # RK3588
        ([(600000, 3200000), (800000, 5400000), (800000, 5600000), (700000, 4300000)], 600, 5600),
        ([(408000, 1512000), ("!EBUSY", "!EBUSY"), (408000, 2016000)], 408, 2016),
        ([("", "!EIO")], None, None),
    ],
    ids=["big.LITTLE", "hybrid with favoured cores", "one fails", "none told"],
)
def test_limits_are_those_of_all_cores(
    cores: Cores, limits: list[tuple[object, object]], lowest: float, highest: float
) -> None:
    for number, (low, high) in enumerate(limits):
        cores.put(number, scaling_cur_freq=800000, cpuinfo_min_freq=low, cpuinfo_max_freq=high)
    cores.read(*range(len(limits)))

    assert cores.clocks.lowest == lowest
    assert cores.clocks.highest == highest


def test_a_limit_that_failed_is_asked_again(cores: Cores) -> None:
    cores.put(0, scaling_cur_freq=800000, cpuinfo_min_freq="!EBUSY", cpuinfo_max_freq=1800000)
    cores.read(0)
    assert cores.clocks.lowest is None

    cores.put(0, cpuinfo_min_freq=408000)
    cores.read(0)
    assert cores.clocks.lowest == 408


def test_a_limit_that_cannot_be_is_none(cores: Cores) -> None:
    cores.put(0, scaling_cur_freq=1900000, cpuinfo_min_freq=400000, cpuinfo_max_freq=4294967295)
    cores.put(1, scaling_cur_freq=1900000, cpuinfo_min_freq=400000, cpuinfo_max_freq=2400000)

    cores.read(0, 1)
    assert (cores.clocks.lowest, cores.clocks.highest) == (400, 2400)


def test_a_core_that_runs_above_its_limit_has_a_boost(cores: Cores) -> None:
    cores.put(0, scaling_cur_freq=3720000, cpuinfo_min_freq=2200000, cpuinfo_max_freq=3700000)
    cores.read(0)
    assert cores.clocks.highest == 3700  # measured a little wrong

    cores.put(0, scaling_cur_freq=4350000)
    cores.read(0)
    cores.put(0, scaling_cur_freq=2200000)
    cores.read(0)
    assert cores.clocks.highest == 4350


def test_a_measured_speed_goes_before_what_was_asked_for(cores: Cores) -> None:
    """nokyan/resources #570: all cores locked at 400 MHz with Intel's driver."""
    cores.put(0, scaling_cur_freq=400000, cpuinfo_avg_freq=3292000)
    cores.put(1, scaling_cur_freq=400000, cpuinfo_avg_freq="!EAGAIN")

    assert cores.read(0, 1) == {"cpu0": 3292, "cpu1": 400}
    assert cores.clocks.failure is None


def test_a_clock_of_nought_is_none(cores: Cores) -> None:
    cores.put(0, scaling_cur_freq=0)
    cores.put(1, scaling_cur_freq=1000000)

    assert cores.read(0, 1) == {"cpu1": 1000}


def test_without_cpufreq_the_processors_own_page_tells(cores: Cores, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(
        "processor\t: 0\ncpu MHz\t\t: 2445.404\n\nprocessor\t: 1\ncpu MHz\t\t: broken\n"
    )

    assert cores.read(0, 1) == {"cpu0": 2445.404}


def test_where_none_tells_the_reason_is_the_first_ones(cores: Cores) -> None:
    with pytest.raises(AbsentError):
        cores.read(0)

    cores.put(0, scaling_cur_freq="!EIO")
    with pytest.raises(SourceError, match="cpu0/cpufreq/scaling_cur_freq"):
        cores.read(0)


@pytest.mark.parametrize("odd", ["nan", "inf", "-1", "1e300", "x"])
def test_a_clock_in_cpuinfo_that_cannot_be_costs_its_core_alone(cores: Cores, odd: str) -> None:
    told = cores.root / "proc/cpuinfo"
    told.parent.mkdir()
    told.write_text(f"cpu MHz\t: {odd}\ncpu MHz\t: 2000.5\n")
    assert cores.read(0, 1) == {"cpu1": 2000.5}
