"""What nobody foresaw costs its own part, and is told with the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.contract.metric import Reading, gauge, reading
from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.base import Subsystem
from publisher.subsystems.runner import SubsystemRunner


@reading
class Doorbell(Reading):
    volts: float | None = gauge("Volts", "Of its battery.")
    rings: float | None = gauge("Rings", "How often it rang.")


class Parts(Subsystem):
    """Two files, read as carelessly as can be."""

    name = "doorbell"
    reading = Doorbell

    def read(self) -> Doorbell:
        volts = self.part("volts", lambda: float(self.files.read("/volts")))
        rings = self.apart("rings", lambda: float(self.files.read("/rings")))
        return Doorbell(volts=volts, rings=rings)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "volts").write_text("1.5.5")
    (tmp_path / "rings").write_text("7")
    return tmp_path


def runner_on(tree: Path) -> SubsystemRunner:
    return SubsystemRunner(Sources(files=KernelFiles(tree)), [Parts], patient=True)


def test_it_costs_its_own_part_and_names_the_file(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runner = runner_on(tree)
    for _ in range(5):
        assert runner.read() == {"doorbell": Doorbell(rings=7.0)}

    health = runner.health["doorbell.volts"]
    assert health.state == "failing"
    assert health.reason.startswith("/volts: unexpected ValueError: could not convert")
    assert len(caplog.records) == 1  # told once


def test_a_part_that_keeps_its_own_health_stumbles_and_gets_up(tree: Path) -> None:
    runner = runner_on(tree)
    (tree / "rings").write_text("x")
    runner.read()
    assert runner.health["doorbell.rings"].reason.startswith("/rings: unexpected ValueError")

    (tree / "rings").write_text("8")
    assert runner.read() == {"doorbell": Doorbell(rings=8.0)}
    assert runner.health["doorbell.rings"].state == "ok"


_NO_NUMBERS = [b"9" * 4000, b"9" * 5000, b"1e3", b"\xff", b"", b"18446744073709551616"]


@pytest.mark.parametrize("content", _NO_NUMBERS)
def test_a_number_that_is_none_is_refused_with_its_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(SourceError, match="/x: expected a whole number"):
        KernelFiles(tmp_path).integer("/x")
