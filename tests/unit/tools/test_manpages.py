"""Manual pages, made of the commands: one for each, and troff has nothing to say against them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from publisher.cli import COMMANDS
from tools.manpages import pages


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_every_command_that_help_lists_has_one(made: dict[str, str]) -> None:
    assert {f"fanwhy-pub-{name}.1" for name in COMMANDS if name != "config"} <= made.keys()
    assert {"fanwhy-pub.1", "fanwhy-sub.1", "fanwhy-sub-why.1"} <= made.keys()
    assert "fanwhy-pub-service-install.1" in made
    assert "fanwhy-pub-config.1" not in made, "it is the daemon's own"


def test_a_page_says_what_help_says(made: dict[str, str]) -> None:
    page = made["fanwhy-sub-why.1"]

    assert page.startswith('.TH "FANWHY\\-SUB\\-WHY" 1 ')
    for part in (".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", "\\-\\-follow", "fanwhy\\-sub why nas"):
        assert part in page


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff here")
def test_troff_has_nothing_against_them(made: dict[str, str]) -> None:
    for name, page in made.items():
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-Kutf8"], input=page, text=True,
            capture_output=True, check=True,
        )  # fmt: skip
        assert done.stderr == "", name
