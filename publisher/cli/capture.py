"""``fanwhy-pub capture``: this machine's kernel files in a folder, to be replayed elsewhere."""

from __future__ import annotations

import json
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from publisher.cli.options import Config, settings_of
from publisher.contract.payload import to_json
from publisher.errors import AbsentError, ConfigError, DeniedError, FanwhyError, SourceError
from publisher.sources import Sources, machine_files
from publisher.sources.masking import Masker
from publisher.sources.recording import Captured, Recording, write
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.base import Subsystem

EXPECTED = "expected.json"
SECOND = "second"
STEP_SECONDS = 2.0
# A replay's clocks stand here at its first sample.
_MONOTONIC, _WALL = 1_000.0, 1_750_000_000.0


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")
    ],
    config: Config = None,
) -> None:
    """Copy the kernel files that one sample opens, so that this machine can be replayed.

    Serial numbers, world-wide names, network addresses, UUIDs, the host's name and home
    directories are replaced. Look through the folder before you send it to anybody.

    Examples:
        fanwhy-pub capture ./my-machine
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory}: exists and is not empty; name another folder")
    root = settings_of(None, None, config).settings.root
    if foreign := machine_files(root).foreign:
        raise FanwhyError(f"{foreign} has no kernel files to copy; psutil tells of this machine")
    try:
        capture(directory, root=root)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be written: {error.strerror or error}") from error
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1024:.0f} KiB in {directory}")
    print("Masked: serial numbers, addresses, UUIDs, names of hosts and users.")
    print("Look through it before you send it: names of volumes and mount points are still there.")


def capture(directory: Path, *, root: str = "/", pause: float = STEP_SECONDS) -> None:
    """Takes two samples of this machine and writes what they read, and what came of it.

    Args:
        directory: gets ``proc/…``, ``sys/…``, what differed in the second sample below
            ``second/``, and ``expected.json`` with the readings of a replay.
        root: what to capture.
        pause: seconds between the samples.
    """
    recording = Recording(root)
    sources = Sources(files=recording)
    subsystems = [cls(sources) for cls in SUBSYSTEMS]
    _sample(subsystems)
    first = recording.contents
    recording.again()
    time.sleep(pause)
    _sample(subsystems)
    for subsystem in subsystems:
        subsystem.close()
    recording.close()
    second, recording.contents = recording.contents, first
    mask = Masker(socket.gethostname(), platform.node().partition(".")[0])
    directory.mkdir(parents=True, exist_ok=True)
    write(recording, directory, mask)
    changed = {path: content for path, content in second.items() if first.get(path) != content}
    if changed:
        recording.contents, recording.listings, recording.present = changed, {}, set()
        write(recording, directory / SECOND, mask)
    expected = replay(directory, [cls.name for cls in SUBSYSTEMS])
    (directory / EXPECTED).write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")


def replay(case: Path, topics: Iterable[str]) -> dict[str, Any]:
    """What some subsystems say on a captured machine.

    A case holds the tree of one sample, and in ``second/`` what has other contents two seconds
    later; or whole trees in ``1/``, ``2/`` and so on.

    Args:
        case: the folder.
        topics: names of subsystems.

    Returns:
        The payload of every topic that gives one after the last step, and under ``senses`` what
        cannot be read, and why.
    """
    clock = _Clock()
    trees = sorted(path for path in case.iterdir() if path.name.isdigit()) or [case]
    with tempfile.TemporaryDirectory() as scratch:
        files = Captured(_copy(trees[0], Path(scratch) / "1"))
        sources = Sources(files=files, monotonic=clock.monotonic, wall=clock.wall, nut=None)
        classes = {cls.name: cls for cls in SUBSYSTEMS}
        subsystems = [classes[topic](sources) for topic in topics]
        result = _sample(subsystems)
        for number, tree in enumerate(trees[1:], 2):
            files.close()
            files.root = str(_copy(tree, Path(scratch) / str(number)))
            clock.seconds += STEP_SECONDS
            result = _sample(subsystems)
        if (case / SECOND).is_dir():
            _overlay(case / SECOND, Path(files.root))
            clock.seconds += STEP_SECONDS
            result = _sample(subsystems)
        for subsystem in subsystems:
            subsystem.close()
        files.close()
    return result


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return _MONOTONIC + self.seconds

    def wall(self) -> float:
        return _WALL + self.seconds


def _sample(subsystems: Iterable[Subsystem]) -> dict[str, Any]:
    bodies: dict[str, Any] = {}
    senses: dict[str, str] = {}
    for subsystem in subsystems:
        try:
            bodies[subsystem.name] = to_json(subsystem.read())
        except SourceError as error:
            senses[subsystem.name] = _state(error)
        senses |= {
            name: _state(error) for name, error in subsystem.health.items() if error is not None
        }
    return {**bodies, "senses": dict(sorted(senses.items()))}


def _state(error: SourceError) -> str:
    words = {AbsentError: "absent", DeniedError: "denied"}
    return f"{words.get(type(error), 'failing')}: {error}"


def _copy(tree: Path, to: Path) -> Path:
    shutil.copytree(tree, to, symlinks=True, ignore=shutil.ignore_patterns(SECOND, EXPECTED))
    return to


def _overlay(changed: Path, tree: Path) -> None:
    """Writes changed contents into the files that are there, whose descriptors stay open."""
    for path in changed.rglob("*"):
        if path.is_symlink() or path.is_dir():
            continue
        target = tree / path.relative_to(changed)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
