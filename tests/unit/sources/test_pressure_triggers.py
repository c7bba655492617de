"""The kernel's alarm for stalls is set only where this kernel is what we look at."""

from __future__ import annotations

from pathlib import Path

from publisher.sources.files import KernelFiles
from publisher.sources.pressure_triggers import PressureTriggers


def test_triggers_are_set_where_another_root_shows_this_kernel(tmp_path: Path) -> None:
    """As in a container that has its host's /proc mounted elsewhere; a fixture has none."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/proc").symlink_to("/proc")
    (tmp_path / "fixture/proc").mkdir(parents=True)
    set_: list[int] = []
    for root in ("/", tmp_path / "host", tmp_path / "fixture"):
        triggers = PressureTriggers(KernelFiles(root))
        set_.append(len(triggers.descriptors))
        triggers.close()
    assert set_[0] == set_[1], "as many as this kernel grants"
    assert set_[2] == 0
