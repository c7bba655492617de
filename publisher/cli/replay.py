"""``fanwhy-pub replay``: what fanwhy reads on a machine that was captured."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from publisher.cli.once import NAMES_HELP, known
from publisher.cli.output import print_json
from publisher.contract.payload import to_json
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.pipeline import Pipeline
from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems import SUBSYSTEMS

EXPECTED = "expected.json"
SECOND = "second"
STEP_SECONDS = 2.0
# A replay's clocks stand here at its first sample.
_MONOTONIC, _WALL = 1_000.0, 1_750_000_000.0


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that capture made, or one like it.")
    ],
    subsystems: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SUBSYSTEM]...", help=NAMES_HELP, show_default=False),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help=f"Keep the result as DIR/{EXPECTED}.")
    ] = False,
) -> None:
    """Read a captured machine as if it were this one, and print what every subsystem says.

    Under "senses" stands what cannot be read there, and why. A folder named after a subsystem,
    as in tests/fixtures/cpu/CASE, is a machine seen by that one alone.

    Examples:
        fanwhy-pub replay ./my-machine
        fanwhy-pub replay ./my-machine thermal
        fanwhy-pub replay tests/fixtures/cpu/one_core --write
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: no such folder")
    if directory.resolve() == Path("/"):
        raise ConfigError("/ is this machine itself: once reads it, and capture makes a folder")
    if not any((tree / name).is_dir() for tree in steps(directory) for name in ("proc", "sys")):
        raise ConfigError(f"{directory}: holds no proc and no sys, as a captured machine does")
    result = replay(directory, known(subsystems or []) or seen_by(directory))
    if write:
        write_expected(directory, result)
    print_json(result)


def seen_by(case: Path) -> list[str]:
    """The subsystems that a case is about, by the name of the folder that it is in."""
    names = [cls.name for cls in SUBSYSTEMS]
    above = case.resolve().parent.name
    return [above] if above in names else names


def steps(case: Path) -> list[Path]:
    """The trees of a case, in order of time."""
    return sorted(path for path in case.iterdir() if path.name.isdigit()) or [case]


def replay(case: Path, names: Collection[str] = ()) -> dict[str, Any]:
    """What subsystems say on a captured machine.

    A case holds the tree of one sample, and in ``second/`` what has other contents two seconds
    later; or whole trees in ``1/``, ``2/`` and so on.

    Args:
        case: the folder.
        names: of the subsystems; all when empty.

    Returns:
        The payload of every topic that gives one after the last step, and under ``senses`` what
        cannot be read, and why.
    """
    clock = _Clock()
    trees = steps(case)
    with tempfile.TemporaryDirectory() as scratch:
        files = Captured(_copy(trees[0], Path(scratch) / "1"))
        pipeline = Pipeline.of(
            Settings(root=files.root),
            sources=Sources(files=files, monotonic=clock.monotonic, wall=clock.wall, nut=None),
            subsystems=[cls for cls in SUBSYSTEMS if not names or cls.name in names],
            ledger=False,
            patient=True,
        )
        sample = pipeline.sample()
        for number, tree in enumerate(trees[1:], 2):
            files.close()
            files.root = str(_copy(tree, Path(scratch) / str(number)))
            clock.seconds += STEP_SECONDS
            sample = pipeline.sample()
        if (case / SECOND).is_dir():
            _overlay(case / SECOND, Path(files.root))
            clock.seconds += STEP_SECONDS
            sample = pipeline.sample()
        pipeline.close()
    unreadable = {
        name: f"{found.state}: {found.reason}"
        for name, found in sorted(pipeline.health.items())
        if found.state != "ok"
    }
    return {leaf: to_json(reading) for leaf, reading in sample.readings.items()} | {
        "senses": unreadable
    }


def write_expected(case: Path, result: dict[str, Any]) -> None:
    """Keeps what a replay gave as what later ones are to give."""
    text = json.dumps(result, indent=2, ensure_ascii=False)
    (case / EXPECTED).write_text(f"{text}\n", encoding="utf-8")


class _Clock:
    """Both clocks of a replay, which move from step to step alone."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return _MONOTONIC + self.seconds

    def wall(self) -> float:
        return _WALL + self.seconds


def _copy(tree: Path, to: Path) -> Path:
    shutil.copytree(tree, to, symlinks=True, ignore=_left_out)
    return to


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What is no part of a machine's tree; a pipe, socket or device would never end."""
    kinds = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return {
        name
        for name in names
        if name in (SECOND, EXPECTED)
        or stat.S_IFMT(Path(folder, name).lstat().st_mode) not in kinds
    }


def _overlay(changed: Path, tree: Path) -> None:
    """Writes changed contents into the files that are there, whose descriptors stay open."""
    for path in changed.rglob("*"):
        if path.is_symlink() or path.is_dir():
            continue
        target = tree / path.relative_to(changed)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
