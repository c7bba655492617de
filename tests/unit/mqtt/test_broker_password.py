"""Which password is used, and what is said of a file that holds none."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.errors import ConfigError
from publisher.mqtt.broker import BrokerSettings, resolve_password


class TestPassword:
    def test_in_order(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("from file\nmore\n")
        credential = tmp_path / "fanwhy-broker-password"
        credential.write_text("from systemd")
        environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        url = "mqtt://u:from%20url@h"
        everything = BrokerSettings(
            url=url, password="from setting", password_file=str(tmp_path / "file")
        )
        assert resolve_password(everything, environment) == "from file"
        setting = BrokerSettings(url=url, password="from setting")
        assert resolve_password(setting, environment) == "from systemd"
        assert resolve_password(setting, {}) == "from setting"
        assert resolve_password(BrokerSettings(url=url), {}) == "from url"
        assert resolve_password(BrokerSettings(url="mqtt://u@h"), {}) is None
        assert resolve_password(BrokerSettings(), {}) is None

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "cannot be read: No such file"),
            (b"", "its first line should be the password; it is empty"),
            (b"\nsecond", "it is empty"),
            (b"\xff\xff", "not a text file in UTF-8"),
        ],
    )
    def test_a_file_without_one(self, tmp_path: Path, content: bytes | None, words: str) -> None:
        file = tmp_path / "file"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=words):
            resolve_password(BrokerSettings(password_file=str(file)), {})

    def test_lines_of_windows(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"p\r\n")
        assert resolve_password(BrokerSettings(password_file=str(tmp_path / "file")), {}) == "p"
