"""One daemon at a time, by whatever locks the system has."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from publisher.daemon.lock import Claim, claim, health, holder
from publisher.errors import FanwhyError

_ROOT = Path(__file__).resolve().parents[3]


class Msvcrt:
    """Windows' locks as far as they are used: a byte of a file can be locked once."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        if place in self.held:
            raise PermissionError(13, "Permission denied")
        self.held[place] = descriptor


def test_windows_locks_a_byte_that_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    windows = Msvcrt()
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=windows.locking))
    ours = claim(str(tmp_path))
    with pytest.raises(FanwhyError, match=rf"runs already \(process {os.getpid()}\)"):
        claim(str(tmp_path))
    os.close(ours)
    assert (tmp_path / "lock").read_bytes() == b"%d\n" % os.getpid()  # no hole, nothing after it


def test_a_system_without_locks_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", None)
    with caplog.at_level(logging.WARNING):
        os.close(claim(str(tmp_path)))
    assert [record.message for record in caplog.records] == [
        "no file locks on this system: take care that only one fanwhy-pub runs"
    ]


def test_nobody_holds_what_was_let_go_or_never_claimed(tmp_path: Path) -> None:
    assert holder(str(tmp_path / "nowhere")) is None
    (tmp_path / "lock").write_text("no number\n")
    assert holder(str(tmp_path)) is None
    os.close(claim(str(tmp_path)))
    assert holder(str(tmp_path)) is None


def test_the_holder_is_a_daemon_of_ours(tmp_path: Path) -> None:
    held = claim(str(tmp_path))
    assert holder(str(tmp_path)) is None  # we are none
    os.close(held)
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from publisher.daemon.lock import claim; "
        "held = claim(sys.argv[3]); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, "publisher.daemon", str(_ROOT), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as daemon:  # fmt: skip
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        daemon.stdout.readline()
        assert holder(str(tmp_path)) == daemon.pid
        daemon.communicate(b"\n")
    assert holder(str(tmp_path)) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract names are Linux's")
def test_a_folder_that_cannot_be_written_is_claimed_by_name_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("in the way")
    folder = str(tmp_path / "state" / "fanwhy")
    ours = Claim(folder)
    with pytest.raises(FanwhyError, match="runs already"):
        Claim(folder)
    (tmp_path / "state").unlink()
    said = logging.makeLogRecord({"msg": f"{folder}/learned.json: cannot be kept", "levelno": 30})
    other = logging.makeLogRecord({"msg": "mqtt://nas: nothing listens there", "levelno": 30})
    assert (ours.filter(said), ours.filter(other)) == (False, True)
    ours.tick(0.0)
    assert ours.filter(said)
    with pytest.raises(FanwhyError, match=f"process {os.getpid()}"):
        claim(folder)
    with caplog.at_level(logging.INFO):
        ours.tick(1000.0)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot be written" in caplog.messages[0]
    ours.close()
    os.close(claim(folder))


def test_what_can_be_read_alone_can_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.close(claim(str(tmp_path)))
    real = os.open

    def read_only(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    ours = claim(str(tmp_path))
    with pytest.raises(FanwhyError, match="runs already"):
        claim(str(tmp_path))
    os.close(ours)


def test_a_folder_that_was_taken_away_is_claimed_anew(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    ours = Claim(str(folder))
    (folder / "lock").unlink()
    folder.rmdir()
    ours.tick(1000.0)
    with pytest.raises(FanwhyError, match="runs already"):
        claim(str(folder))
    ours.close()
    os.close(claim(str(folder)))


def test_health_is_the_claim_and_the_brokers_last_word(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert health(folder) == (
        False,
        f"no daemon keeps its state in {folder}: No such file or directory",
    )
    ours = Claim(folder)
    assert health(folder) == (False, "starting")
    ours.note(connected=True, words="connected to mqtt://nas:1883 with MQTT 5")
    assert health(folder) == (True, "connected to mqtt://nas:1883 with MQTT 5")
    assert holder(folder) is None  # still read as the number that it begins with: we are no daemon
    ours.note(connected=False, words="mqtt://nas:1883: connection lost")
    assert health(folder) == (False, "mqtt://nas:1883: connection lost")
    with pytest.raises(FanwhyError, match=rf"\(process {os.getpid()}\)"):
        Claim(folder)
    ours.close()
    assert health(folder) == (False, f"no daemon keeps its state in {folder} now")
