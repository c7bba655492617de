"""What a BMC says, and how seldom it is asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.ipmi import Bmc, BmcSensor, parse

# Answers to "ipmitool -c sdr list full", from reports of ipmitool's output: a Dell R320 with two
# broken fans (home-assistant-ipmi, issue 52), a Supermicro board (issue 22), an HP DL380 G7
# (collectd, issue 819).
DELL = """\
Fan1A,7560,RPM,ok
Fan3A,7320,RPM,ok
Fan3B,0,RPM,cr
Inlet Temp,32,degrees C,ok
Current 1,0.40,Amps,ok
Pwr Consumption,84,Watts,ok
Temp,46,degrees C,ok
Temp,,,ns
Temp,51,degrees C,ok
"""
SUPERMICRO = """\
CPU1 Temp,29,degrees C,ok
MB_10G Temp,,,ns
FAN1,3400,RPM,ok
FAN3,,,ns
"""
HP = """\
UID Light,0x0,discrete,0x0080
Power Supply 1,35,Watts,ok
Power Supply 2,155,Watts,ok
Fan 1,43.51,percent,ok
Temp 1,16,degrees C,ok
"""


def test_what_has_a_reading_is_there() -> None:
    assert parse(DELL)["Fan3B"] == BmcSensor("Fan3B", 0, "RPM", alarm=True)
    assert parse(SUPERMICRO).keys() == {"CPU1 Temp", "FAN1"}
    assert parse(HP)["Fan 1"] == BmcSensor("Fan 1", 43.51, "percent", alarm=False)
    assert "UID Light" not in parse(HP)


def test_twins_are_told_apart() -> None:
    assert [name for name in parse(DELL) if name.startswith("Temp")] == ["Temp", "Temp 2"]


@pytest.mark.parametrize("answer", ["", "\n", "no such file", ",,,\n", "a,b\n", "x,1e999,RPM,ok"])
def test_no_answer_is_no_sensor(answer: str) -> None:
    assert all(each.value > 1e300 for each in parse(answer).values())


class Board:
    """A machine with a stand-in for ipmitool, which counts how often it is started."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.device = where / "ipmi0"
        self.device.touch()
        self.now = 1000.0
        self.program = where / "ipmitool"
        self.answers(DELL)

    def answers(self, text: str, *, first: str = "") -> None:
        self.program.write_text(
            f"#!/bin/sh\necho x >>{self.where}/asked\n{first}\ncat <<'END'\n{text}END\n"
        )
        self.program.chmod(0o755)

    @property
    def asked(self) -> int:
        log = self.where / "asked"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def bmc(self) -> Bmc:
        return Bmc((str(self.device),), str(self.program))

    def answered(self, bmc: Bmc) -> tuple[float, Mapping[str, BmcSensor]]:
        """Looks until its program has ended."""
        for _ in range(2000):
            at, told = bmc.look(self.now)
            if told:
                return at, told
            time.sleep(0.01)
        raise AssertionError("no answer")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_it_is_asked_once_a_minute_at_most(board: Board) -> None:
    bmc = board.bmc()
    assert bmc.there(board.now)
    began, told = board.answered(bmc)
    assert told["Fan1A"].value == 7560
    for _ in range(29):
        board.now += 2
        assert bmc.look(board.now)[0] == began
    assert board.asked == 1
    board.now += 2
    bmc.look(board.now)
    board.now += 1
    for _ in range(2000):
        if bmc.look(board.now)[0] != began:
            break
        time.sleep(0.01)
    assert board.asked == 2
    bmc.close()


def test_a_slow_one_is_asked_less_often(board: Board) -> None:
    bmc = board.bmc()
    bmc.look(board.now)
    board.now += 8  # so long it took
    board.answered(bmc)
    board.now += 200
    bmc.look(board.now)
    assert board.asked == 1
    bmc.close()


def test_one_that_hangs_is_given_up(board: Board) -> None:
    board.answers(DELL, first="exec sleep 600")
    bmc = board.bmc()
    bmc.look(board.now)
    board.now += 61
    with pytest.raises(SourceError, match="no answer"):
        bmc.look(board.now)
    board.now += 60
    with pytest.raises(SourceError, match="no answer"):
        bmc.look(board.now)
    bmc.close()


def test_without_the_device_nothing_is_asked(board: Board) -> None:
    board.device.unlink()
    assert not board.bmc().there(board.now)
    assert board.asked == 0


def test_without_the_right_it_is_said_how_to_get_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(DeniedError) as caught:
        board.bmc().look(board.now)
    assert "udevadm" in caught.value.remedy


def test_without_the_program_it_is_said_what_to_install(board: Board) -> None:
    with pytest.raises(AbsentError) as caught:
        Bmc((str(board.device),), "no-such-ipmitool").look(board.now)
    assert caught.value.remedy == "install no-such-ipmitool"
