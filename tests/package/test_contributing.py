"""CONTRIBUTING.md, followed to the letter: the doorbell is added as the page says, and is there.

What the page says is done in a copy of the tree: its blocks of Python become files, its
differences are applied, its commands are run, and what they print is compared with the page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.render.panels import panels

_ROOT = Path(__file__).resolve().parents[2]
_COPIED = (
    "publisher",
    "subscriber_cli",
    "tools",
    "docs",
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "tests/servers.py",
    "tests/conftest.py",
    "tests/unit/subsystems/test_fixtures.py",
)
_SECTION = "## Add a subsystem in one file"
_FENCE = re.compile(r"^ *```(?P<kind>\w+)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`(publisher/[\w./]+\.py)`")
_NOW = 1_800_000_000.0
# What the page calls by its place in .venv, by the module that it runs.
_PROGRAMS = {"python": (), "ruff": ("-m", "ruff"), "fanwhy-pub": ("-m", "publisher")}


@dataclass(frozen=True)
class Block:
    """A block of the page.

    Attributes:
        kind: its language.
        file: that the text before it names last.
    """

    kind: str
    file: str
    text: str


class House:
    """A copy of the tree that a newcomer works in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in _COPIED:
            source, target = _ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        commands = root / ".venv" / "bin"
        commands.mkdir(parents=True)
        for name, arguments in _PROGRAMS.items():
            command = commands / name
            command.write_text(f'#!/bin/sh\nexec {sys.executable} {" ".join(arguments)} "$@"\n')
            command.chmod(0o755)
        (root / ".cache").mkdir()
        for stamp in ("run", "dev"):  # all is installed
            (root / ".cache" / stamp).touch()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "PYTHONPATH": str(root),
            "STATE_DIRECTORY": str(root / "state"),
            "FANWHY_CONFIG": os.devnull,
        }

    def run(self, line: str, **variables: str) -> str:
        """What a line of the shell prints."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.root,
            env=self._environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, block: Block) -> None:
        """Does what a block of the page says."""
        if block.kind == "python":
            path = self.root / block.file
            assert not path.exists()
            path.write_text(block.text)
        elif block.kind == "diff":
            self._change(self.root / block.file, block.text.splitlines())
        else:
            assert block.kind == "console"
            for command, shown in _commands(block.text):
                said = self.run(command)
                assert not shown or said == shown

    def _change(self, path: Path, difference: Sequence[str]) -> None:
        before = "\n".join(line[1:] for line in difference if line[0] in " -")
        after = "\n".join(line[1:] for line in difference if line[0] in " +")
        text = path.read_text()
        assert text.count(before) == 1
        path.write_text(text.replace(before, after))


def _blocks() -> Iterator[Block]:
    section = (_ROOT / "CONTRIBUTING.md").read_text().split(f"{_SECTION}\n")[1]
    section = section.split("\n## ")[0]
    at, file = 0, ""
    for fence in _FENCE.finditer(section):
        file = (_FILE.findall(section[at : fence.start()]) or [file])[-1]
        yield Block(fence["kind"], file, textwrap.dedent(fence["text"]))
        at = fence.end()


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Every command of a block of shell, with what the page shows that it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


@pytest.mark.skipif(sys.platform == "win32", reason="the page speaks to a shell")
def test_who_follows_the_page_has_a_doorbell(tmp_path: Path) -> None:
    house = House(tmp_path)
    for block in _blocks():
        house.follow(block)

    assert house.run(".venv/bin/ruff check --no-cache publisher/subsystems") != ""
    case = house.root / "tests/fixtures/doorbell/plain"
    expected = json.loads((case / "expected.json").read_text())
    payload = expected["doorbell"]
    schema = json.loads(house.run(".venv/bin/fanwhy-pub schema"))
    assert expected == {"doorbell": {"supply_volts": 3.01}, "senses": {}}
    _assert_documented(house)
    _assert_described(house, schema)
    _assert_discovered(house, case)
    _assert_shown(schema, payload)


def _assert_documented(house: House) -> None:
    page = (house.root / "docs/topics.md").read_text()
    part = page.split("## host/doorbell\n")[1].split("\n## ")[0]

    (row,) = [line for line in part.splitlines() if line.startswith("| `supply_volts` |")]
    assert row.startswith("| `supply_volts` | Voltage of its battery. | V |")
    assert row.endswith("| 0.10 V |")


def _assert_described(house: House, schema: dict[str, Any]) -> None:
    document = json.loads(house.run(".venv/bin/fanwhy-pub schema --asyncapi"))

    assert "doorbell" in schema["properties"]
    assert document["channels"]["doorbell"]["address"] == "host/doorbell"


def _assert_discovered(house: House, case: Path) -> None:
    said = house.run(
        ".venv/bin/fanwhy-pub homeassistant preview --all --json",
        FANWHY_ROOT=str(case),
        FANWHY_HOSTNAME="nas",
    )
    components = [
        component for document in json.loads(said).values() for component in _components(document)
    ]
    (found,) = (item for item in components if "supply_volts" in json.dumps(item))

    assert "host/doorbell" in found.values()
    assert {"sensor.nas_doorbell_supply", "voltage", "V"} <= set(map(str, found.values()))


def _components(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document.get("cmps") or document["components"]
    return list(found.values())


def _assert_shown(schema: dict[str, Any], payload: dict[str, Any]) -> None:
    """The terminal, whose code has not been touched, shows what the daemon describes."""
    fleet = Fleet()
    for leaf, content in (("catalogue", schema), ("doorbell", payload)):
        fleet.apply(Received("host", leaf, content, retained=True), _NOW)
    (host,) = fleet
    lines = [line for panel in panels(host, 80, 10, _NOW) for line in panel.lines]

    assert re.search(r"doorbell +Supply +3\.01 V", Text("\n").join(lines).plain)
