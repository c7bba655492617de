"""What is checked of the broker's section beside types, as a user of the daemon meets it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.cli.loading import load_settings
from publisher.config.load import Loaded
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.mqtt.broker import parse_url, resolve_username


def _load(
    tmp_path: Path,
    text: str,
    *,
    environment: dict[str, str] | None = None,
    broker: str | None = None,
    mode: int = 0o600,
) -> Loaded[Settings]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(mode)
    return load_settings(config=str(file), environment=environment or {}, broker=broker)


_FILE = '[broker]\nurl = "mqtt://home"\nusername = "me"\npassword_file = "/secret"\n'


@pytest.mark.parametrize(
    ("environment", "broker", "username", "password_file"),
    [
        ({}, None, "me", "/secret"),
        ({}, "mqtt://other", "me", "/secret"),
        ({}, "mqtt://me@other", "me", "/secret"),
        ({}, "mqtt://you@other", "you", None),
        ({}, "mqtt://you:p@other", "you", None),
        ({"FANWHY_BROKER__USERNAME": "you"}, None, "you", None),
        ({"FANWHY_BROKER__PASSWORD": "p"}, None, "me", None),
        ({"FANWHY_BROKER": "mqtt://you:p@other"}, None, "you", None),
    ],
)
def test_credentials_stay_together(
    tmp_path: Path,
    environment: dict[str, str],
    broker: str | None,
    username: str,
    password_file: str | None,
) -> None:
    found = _load(tmp_path, _FILE, environment=environment, broker=broker).settings.broker
    assert resolve_username(found) == username
    assert found.password_file == password_file


@pytest.mark.skipif(os.name != "posix", reason="modes of files mean nothing there")
class TestExposedPasswords:
    def _warnings(self, tmp_path: Path, text: str, mode: int) -> tuple[str, ...]:
        return _load(tmp_path, text, mode=mode).warnings

    @pytest.mark.parametrize("text", ['[broker]\npassword = "p"', '[broker]\nurl = "mqtt://u:p@h"'])
    def test_in_the_configuration(self, tmp_path: Path, text: str) -> None:
        (warning,) = self._warnings(tmp_path, text, 0o644)
        assert "chmod 600" in warning
        assert self._warnings(tmp_path, text, 0o640) == ()

    def test_no_password_no_warning(self, tmp_path: Path) -> None:
        assert self._warnings(tmp_path, '[broker]\nurl = "mqtt://u@h"', 0o644) == ()

    def test_in_the_password_file(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("p")
        secret.chmod(0o644)
        (warning,) = self._warnings(tmp_path, '[broker]\npassword_file = "secret"', 0o644)
        assert warning.endswith(f"chmod 600 {secret}")
        secret.chmod(0o600)
        assert self._warnings(tmp_path, '[broker]\npassword_file = "secret"', 0o644) == ()

    def test_on_the_command_line(self, tmp_path: Path) -> None:
        (warning,) = _load(tmp_path, "", broker="mqtt://u:271828@h").warnings
        assert warning.startswith("--broker: every user of this machine may read the password")
        assert "271828" not in warning
        assert _load(tmp_path, "", broker="mqtt://u@h").warnings == ()


@pytest.mark.parametrize(
    "url",
    [
        "mqtt:/me:271828@h", "mqtt://me:99/271828@h", "mqtt:me:271828@h", "271828://h",
        "ws://me:99/271828@h", "wss:/me:271828@h/mqtt", "mqtt://me:12#271828@h",
        "mqtt://me:12?271828@h", "mqtt://me:271828", "mqtt://me:271828[@h", "mqtt://[271828",
        "mqtt://271828]", "mqtt://me:271828/x@h", "mqtt//me:271828@h", "mqtt:///me:271828@h",
        "mqtt://me;271828@h:x", "mqtt://h/271828", "ws://h/x?token=271828", "http:/271828@h",
        "mqtt://me:2718\u210028@h", "MQTT:/me:271828@h", "mqtt:\n/me:271828@h",
        "mqtt://me:1 271828",
    ],
)  # fmt: skip
def test_a_password_in_the_wrong_place_is_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as found:
        _load(tmp_path, "", broker=url)
    assert "2718" not in str(found.value)
    assert str(found.value).startswith("--broker: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mqtt:1883", "mqtt://mqtt:1883"), ("mqtt", "mqtt://mqtt:1883"), ("h", "mqtt://h:1883"),
        ("me:p@h", "mqtt://h:1883"), ("ws://h/a/b", "ws://h:80/a/b"), ("MQTTS://h/", "mqtts://h:8883"),
        ("mqtt://me:p%2F%40@[::1]:1884", "mqtt://[::1]:1884"), ("wss://h", "wss://h:443/mqtt"),
    ],
)  # fmt: skip
def test_addresses(url: str, place: str) -> None:
    assert str(parse_url(url)) == place
