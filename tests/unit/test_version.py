"""Both programs say which version they are, in the same words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from publisher import __version__


@pytest.mark.parametrize(
    ("module", "program"), [("publisher", "fanwhy-pub"), ("subscriber_cli", "fanwhy-sub")]
)
def test_version(module: str, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"{program} {__version__}\n", "")


def test_it_is_the_same_among_other_options() -> None:
    """Alone it takes a shorter way."""
    done = subprocess.run(
        [sys.executable, "-m", "publisher", "--version", "run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"fanwhy-pub {__version__}\n"
