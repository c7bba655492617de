"""Files that outlive the daemon: the old content or the new, never half of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.config.state_folder import FILES, keep_private, memory_dir, nameless, save
from publisher.daemon.lock import claim
from publisher.errors import FanwhyError


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "state/day.json"
    save(path, "old")
    with path.open() as reader:
        save(path, "newer")
        assert reader.read() == "old", "whoever had it open reads on"
    assert path.read_text() == "newer"
    assert [file.name for file in path.parent.iterdir()] == ["day.json"]


def test_what_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "day.json"
    save(path, "old")
    (tmp_path / "day.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        save(path, "new")
    assert path.read_text() == "old"
    assert not (tmp_path / "day.new").is_symlink()


def test_a_state_folder_has_one_daemon_at_a_time(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    ours = claim(folder)
    with pytest.raises(FanwhyError, match=rf"process {os.getpid()}\) .*{folder}"):
        claim(folder)
    os.close(ours)
    os.close(claim(folder))


@pytest.mark.parametrize("door", ["memory", "file"])
def test_a_file_without_a_name_is_empty_and_nobody_inherits_it(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if door == "file":
        monkeypatch.delattr(os, "memfd_create")
    descriptor = nameless("fanwhy-test")
    assert os.fstat(descriptor).st_size == 0
    assert not os.get_inheritable(descriptor)
    os.write(descriptor, b"kept")
    os.lseek(descriptor, 0, os.SEEK_SET)
    assert os.read(descriptor, 10) == b"kept"
    os.close(descriptor)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_folder_in_memory_that_systemd_gives_is_taken_first(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given"
    given.mkdir(mode=0o755)
    clean_environment.setenv("RUNTIME_DIRECTORY", f"{given}:/elsewhere")
    assert memory_dir() == str(given)


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no shared memory here")  # noqa: PTH112
def test_a_folder_in_memory_that_others_may_write_or_have_laid_there_is_not_ours(
    tmp_path: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (tmp_path / "file").write_text("")
    for wrong in ("open", "link", "file", "missing/fanwhy"):
        clean_environment.setenv("RUNTIME_DIRECTORY", str(tmp_path / wrong))
        assert memory_dir() not in (None, str(tmp_path / wrong))


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.skipif(os.name != "posix", reason="modes of files mean nothing there")
class TestPrivacy:
    """What runs on a machine, and when, is nobody else's business."""

    def test_what_is_saved_is_for_us_alone(self, tmp_path: Path) -> None:
        left = tmp_path / "fanwhy" / "day.new"
        left.parent.mkdir()
        left.touch(0o666)
        left.chmod(0o666)
        save(tmp_path / "fanwhy/day.json", "{}")
        save(tmp_path / "made/fanwhy/day.json", "{}")
        assert _mode(tmp_path / "fanwhy/day.json") == 0o600
        assert _mode(tmp_path / "made/fanwhy") == 0o700

    def test_what_was_there_before_is_closed(self, tmp_path: Path) -> None:
        folder = tmp_path / "fanwhy"
        folder.mkdir(0o755)
        for name in (*FILES, "theirs"):
            folder.joinpath(name).touch(0o644)
        keep_private(str(folder))
        assert _mode(folder) == 0o700
        assert {_mode(folder / name) for name in FILES} == {0o600}
        assert _mode(folder / "theirs") == 0o644

    def test_a_home_that_is_used_for_it_stays_as_open_as_it_was(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        tmp_path.joinpath("learned.json").touch(0o644)
        keep_private(str(tmp_path))
        assert _mode(tmp_path) == 0o755
        assert _mode(tmp_path / "learned.json") == 0o600

    def test_where_there_is_none_it_is_made(self, tmp_path: Path) -> None:
        keep_private(str(tmp_path / "new/fanwhy"))
        assert _mode(tmp_path / "new/fanwhy") == 0o700
