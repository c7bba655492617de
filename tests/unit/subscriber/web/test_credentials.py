"""The file of the password: what it holds, and what becomes of one that is not ours."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from publisher.config.companions import WebSettings
from publisher.errors import ConfigError, FanwhyError
from subscriber_cli.web.credentials import add_token, keys_of, keys_path, set_password
from subscriber_cli.web.throttle import Throttle


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "web-password"


def test_a_password_is_kept_so_that_it_cannot_be_read(path: Path) -> None:
    set_password(path, "correct horse")
    keys = keys_of(WebSettings(password_file=str(path)))

    assert "horse" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys
    assert keys.is_password("correct horse")
    assert not keys.is_password("correct horse ")


def test_another_password_ends_sessions_and_keeps_tokens(path: Path) -> None:
    settings = WebSettings(password_file=str(path))
    set_password(path, "correct horse")
    token = add_token(path, "prometheus at home")
    before = keys_of(settings)
    set_password(path, "battery staple")
    after = keys_of(settings)

    assert before
    assert after
    session = before.session(1000.0)
    assert before.is_session(session, 1000.0)
    assert not after.is_session(session, 1000.0)
    assert after.is_token(token)
    assert list(after.tokens.values()) == ["prometheus-at-home"]


def test_a_token_of_the_same_name_takes_the_place_of_the_other(path: Path) -> None:
    set_password(path, "correct horse")
    first, second = add_token(path, "ha"), add_token(path, "ha")
    keys = keys_of(WebSettings(password_file=str(path)))
    assert keys
    assert keys.is_token(second)
    assert not keys.is_token(first)


def test_a_short_password_is_none(path: Path) -> None:
    with pytest.raises(ConfigError, match="8 characters"):
        set_password(path, "horse")
    with pytest.raises(ConfigError, match="first a password"):
        add_token(path, "x")


@pytest.mark.parametrize(
    "content",
    ["", "password\n", "hunter2", "password scrypt 1 2 3 four five", "token sha256 x y\n", "\x00"],
)
def test_what_we_did_not_write_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(ConfigError, match="fanwhy-sub web password"):
        keys_of(WebSettings(password_file=str(path)))


def test_a_file_that_is_named_must_be_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="is missing"):
        keys_of(WebSettings(password_file=str(path)))
    monkeypatch.setenv("STATE_DIRECTORY", str(path.parent))
    assert keys_of(WebSettings()) is None
    assert keys_path(WebSettings()) == path


def test_the_systemd_credential_goes_before_the_state_folder(path: Path) -> None:
    set_password(path.with_name("fanwhy-web-password"), "correct horse")
    keys = keys_of(WebSettings(), {"CREDENTIALS_DIRECTORY": str(path.parent)})
    assert keys
    assert keys.is_password("correct horse")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FanwhyError, match="cannot be written"):
        set_password(tmp_path / "file" / "password", "correct horse")


def test_tries_are_counted_by_household_and_by_all() -> None:
    throttle = Throttle()
    first = [throttle.wait_seconds(f"2001:db8::{number:x}", 0.0) for number in range(6)]
    assert first[:5] == [0.0] * 5
    assert first[5] == pytest.approx(20.0)
    assert throttle.wait_seconds("2001:db8:1::1", 0.0) == 0.0  # next door
    assert throttle.wait_seconds("2001:db8::1", 20.0) == 0.0  # later

    everywhere = [throttle.wait_seconds(f"192.0.2.{number}", 20.0) for number in range(80)]
    assert everywhere.count(0.0) < 80
    assert throttle.wait_seconds("no address", 2000.0) == 0.0


def test_no_flood_of_addresses_fills_memory() -> None:
    throttle = Throttle()
    for number in range(3000):
        throttle.wait_seconds(f"10.{number >> 8}.{number & 255}.1", float(number))
    assert len(throttle) == 1000
