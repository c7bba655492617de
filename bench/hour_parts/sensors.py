"""A machine with sensors where there are none: heat, a fan and a power meter that follow its work.

A virtual machine has neither. Everything of the real machine is there by links; below
``sys/class`` stand in addition a processor's temperature, a fan and an energy counter, which are
made from the processor time that the kernel really counts: power at once, temperature with a lag
of half a minute, the fan after the temperature.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from why_parts.truth import busy_seconds

_PERIOD = 0.5
_IDLE_WATTS, _CORE_WATTS = 7.0, 14.0
_ROOM_CELSIUS, _CELSIUS_PER_WATT = 31.0, 1.15
_LAG_SECONDS = 28.0
_QUIET_RPM, _WARM_CELSIUS, _RPM_PER_DEGREE = 640.0, 48.0, 62.0
_FAN_LAG_SECONDS = 6.0
_RANGE_MICROJOULES = 262_143_328_850


@contextlib.contextmanager
def sensors(folder: Path) -> Iterator[Path]:
    """A root folder of this machine with sensors that are kept up to date meanwhile."""
    root = folder / "root"
    _linked(Path("/"), root, {"sys"})
    _linked(Path("/sys"), root / "sys", {"class"})
    _linked(Path("/sys/class"), root / "sys/class", {"hwmon", "powercap"})
    over = threading.Event()
    made = _Sensors(root / "sys/class")
    thread = threading.Thread(target=made.follow, args=(over,))
    thread.start()
    try:
        yield root
    finally:
        over.set()
        thread.join()


def _linked(of: Path, place: Path, without: set[str]) -> None:
    place.mkdir()
    for entry in of.iterdir():
        if entry.name not in without:
            (place / entry.name).symlink_to(entry)


class _Sensors:
    def __init__(self, classes: Path) -> None:
        self._chip = classes / "hwmon/hwmon0"
        self._board = classes / "hwmon/hwmon1"
        self._package = classes / "powercap/intel-rapl:0"
        for place in (self._chip, self._board, self._package):
            place.mkdir(parents=True)
        (self._chip / "name").write_text("coretemp\n")
        (self._chip / "temp1_label").write_text("Package id 0\n")
        (self._chip / "temp1_crit").write_text("100000\n")
        (self._board / "name").write_text("nct6779\n")
        (self._package / "name").write_text("package-0\n")
        (self._package / "max_energy_range_uj").write_text(f"{_RANGE_MICROJOULES}\n")
        self._celsius, self._rpm, self._joules = 40.0, _QUIET_RPM, 0.0
        self._write()

    def follow(self, over: threading.Event) -> None:
        at, busy = time.monotonic(), busy_seconds()
        while not over.wait(_PERIOD):
            then, at = at, time.monotonic()
            was, busy = busy, busy_seconds()
            self._step(at - then, (busy - was) / (at - then))
            self._write()

    def _step(self, seconds: float, cores: float) -> None:
        watts = _IDLE_WATTS + _CORE_WATTS * cores
        self._joules += watts * seconds
        goal = _ROOM_CELSIUS + _CELSIUS_PER_WATT * watts
        self._celsius += (goal - self._celsius) * min(seconds / _LAG_SECONDS, 1.0)
        goal = _QUIET_RPM + max(self._celsius - _WARM_CELSIUS, 0.0) * _RPM_PER_DEGREE
        self._rpm += (goal - self._rpm) * min(seconds / _FAN_LAG_SECONDS, 1.0)

    def _write(self) -> None:
        _put(self._chip / "temp1_input", round(self._celsius) * 1000)
        _put(self._board / "fan1_input", round(self._rpm))
        _put(self._package / "energy_uj", round(self._joules * 1e6) % _RANGE_MICROJOULES)


def _put(path: Path, value: int) -> None:
    # In place: the daemon keeps files open, as it may with those of the kernel. Always as long,
    # so that no reading finds half of one.
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(b"%020d\n" % value)
