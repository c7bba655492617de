"""Settings that are read by a process of its own, for commands that stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from publisher.errors import ConfigError
from subscriber_cli.arguments import load_settings_apart
done = []
try:
    settings = load_settings_apart(sys.argv[1], None, None, lambda: done.append(1))
    print(settings.broker.url, settings.report.currency)
except ConfigError as error:
    print(error)
print(done, "pydantic_settings" in sys.modules)
"""


def read(folder: Path, url: str, **environment: str) -> tuple[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FANWHY_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, url], capture_output=True, text=True, check=True,
        env={**kept, "HOME": str(folder), "XDG_CONFIG_HOME": "", **environment},
    )  # fmt: skip
    return done.stdout, done.stderr


def test_they_are_the_same_and_what_reads_them_is_gone(tmp_path: Path) -> None:
    out, err = read(tmp_path, "mqtt://nas", FANWHY_REPORT__CURRENCY="CHF")
    assert (out, err) == ("mqtt://nas CHF\n[1] False\n", "")


def test_what_is_wrong_with_them_is_told_here(tmp_path: Path) -> None:
    out, err = read(tmp_path, "http://nas")
    assert out.startswith("--broker: unknown scheme 'http'")
    assert out.endswith("[1] False\n")
    assert err == ""


def test_what_is_odd_about_them_is_told_once(tmp_path: Path) -> None:
    out, err = read(tmp_path, "mqtt://nas", FANWHY_BROKER__PASWORD="x")
    assert out.startswith("mqtt://nas")
    assert err.count("FANWHY_BROKER__PASWORD") == 1
