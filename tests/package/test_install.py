"""The wheel, installed as a user does it, gives both commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from publisher import __version__

pytestmark = [pytest.mark.install, pytest.mark.timeout(600)]

_ROOT = Path(__file__).resolve().parents[2]


def _run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _follow(page: Path, commands: Path, home: Path) -> None:
    """Runs the commands of a page's blocks, as one to whom nothing here belongs."""
    home.mkdir()
    mine = {"PATH": f"{commands}:{os.environ['PATH']}", "HOME": str(home)}
    mine |= {"XDG_STATE_HOME": str(home / "state"), "STATE_DIRECTORY": str(home / "state")}
    mine |= {"FANWHY_CONFIG": str(home / "fanwhy.toml")}
    (block,) = re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        command = line.removeprefix("$ ")
        done = subprocess.run(
            ["sh", "-c", command], env=mine, cwd=home, capture_output=True, text=True, check=False
        )
        # Somebody's broker may be here, which does not let us in.
        assert done.returncode in ((0, 1) if "check" in command else (0,)), done.stderr


def _build(kind: str, source: Path, folder: Path) -> Path:
    _run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, folder=source)
    (made,) = folder.iterdir()
    return made


def test_both_commands_come_with_the_wheel(tmp_path: Path) -> None:
    """It is made from the source distribution, as those do who package fanwhy for a system."""
    with tarfile.open(_build("sdist", _ROOT, tmp_path / "sdist")) as sdist:
        sdist.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    wheel = _build("wheel", source, tmp_path / "wheel")
    home = tmp_path / "home"
    venv.create(home, with_pip=True)
    commands = home / ("Scripts" if sys.platform == "win32" else "bin")
    _run(commands / "python", "-m", "pip", "install", "--quiet", wheel, folder=tmp_path)

    for program in ("fanwhy-pub", "fanwhy-sub"):
        assert _run(commands / program, "--version", folder=tmp_path) == (
            f"{program} {__version__}\n"
        )
    _follow(_ROOT / "docs/install.md", commands, tmp_path / "me")
    # It finds its data there: the rules that name a program, and all topics.
    assert "xz" in _run(commands / "fanwhy-pub", "classify", "xz", folder=tmp_path)
    assert '"cpu"' in _run(commands / "fanwhy-pub", "schema", folder=tmp_path)
