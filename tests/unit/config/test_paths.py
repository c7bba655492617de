"""Where a configuration file is looked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from publisher.config.paths import expanded, find_config, user_config

pytestmark = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="Linux's places")


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HOME": "/home/me"}, "/home/me/.config/fanwhy/config.toml"),
        ({"HOME": "/home/me", "XDG_CONFIG_HOME": "/x"}, "/x/fanwhy/config.toml"),
        ({"HOME": "/home/me", "XDG_CONFIG_HOME": "x"}, "/home/me/.config/fanwhy/config.toml"),
    ],
)
def test_the_users(environment: dict[str, str], path: str) -> None:
    assert user_config(environment) == Path(path)


def test_no_home() -> None:
    assert user_config({}) is None


def test_the_one_named_on_the_command_line_goes_before_the_variable() -> None:
    environment = {"FANWHY_CONFIG": "/variable"}
    assert find_config("/flag", environment) == (Path("/flag"), ())
    assert find_config(None, environment) == (Path("/variable"), ())
    assert find_config("~/x.toml", {}) == (expanded(Path("~/x.toml")), ())


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "fanwhy" / "config.toml"
    file.parent.mkdir()
    file.touch(mode=0o000)
    found, warnings = find_config(None, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert found != file
    assert warnings[0] == f"{file}: not read; this user may not"
