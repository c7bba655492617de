"""``fanwhy-pub replay``: what fanwhy reads on a machine that was captured."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from publisher.cli.once import NAMES_HELP, known
from publisher.cli.options import Json
from publisher.cli.output import console, panel, print_json
from publisher.contract.metric import Reading
from publisher.contract.payload import to_json
from publisher.contract.printable import printable
from publisher.contract.readings import ExplanationReading
from publisher.contract.topics import EXPLANATION
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import evidence, signs
from publisher.ledger.accounts import Balance
from publisher.pipeline import Pipeline, Sample
from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems import SUBSYSTEMS

EXPECTED = "expected.json"
SECOND = "second"
STEP_SECONDS = 2.0
_HELD_SECONDS = 60
# A replay's clocks stand here at its first sample.
_MONOTONIC, _WALL = 1_000.0, 1_750_000_000.0
_LOST_LINK = re.compile(rb"\.\.(/[^/\n]+)*")
_OF_A_PROCESS = re.compile(r"/proc/\d+/(exe|cwd|fd/\d+)$")
_LONGEST_LINK = 4096  # PATH_MAX in linux/limits.h


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that capture made, or one like it.")
    ],
    subsystems: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SUBSYSTEM]...", help=NAMES_HELP, show_default=False),
    ] = None,
    as_json: Json = False,
    write: Annotated[
        bool, typer.Option("--write", help=f"Keep the result as DIR/{EXPECTED}, and print that.")
    ] = False,
) -> None:
    """Read a captured machine as if it were this one: what every subsystem says, and the verdict.

    A folder holds proc/… and sys/… as they were, and in second/ what had changed two seconds
    later; or whole trees in 1/, 2/ and so on. From a second step come rates. A file that holds
    !EBUSY, say, fails so when it is read; one that is missing is not on that machine. A folder
    named after a subsystem, as in tests/fixtures/cpu/CASE, is a machine seen by that one alone.
    The verdict and the alerts are those after a minute in which the machine stays as it is at
    the last step; no processes are captured, so nobody is named. With --json, "senses" tells
    what cannot be read there, and why.

    Examples:
        fanwhy-pub replay ./my-machine
        fanwhy-pub replay ./my-machine thermal --json
        fanwhy-pub replay tests/fixtures/cpu/one_core --write
    """
    check(directory)
    names = known(subsystems or []) or seen_by(directory)
    if write:
        result = replay(directory, names)
        write_expected(directory, result)
        print_json(result)
        return
    played = play(directory, names, verdict=True)
    if as_json:
        print_json(played.document())
        return
    out = console()
    for name, reading in played.readings.items():
        out.print(panel(name, reading))
    for name, reason in played.unreadable.items():
        out.print(Text(f"{name}: {printable(reason)}"), soft_wrap=True)
    if played.verdict:
        out.print()
        words = printable(played.verdict.headline or "")
        out.print(Text(words, style="bold"), soft_wrap=True)
        for alert in played.alerts:
            out.print(Text(f"Alert: {printable(alert)}"), soft_wrap=True)


def check(directory: Path) -> None:
    """Refuses what is no captured machine.

    Raises:
        ConfigError: it is none; the message says what would be one.
    """
    shown = printable(str(directory))
    if directory.is_file():
        raise ConfigError(
            f"{shown}: a file; unpack it, and name the folder that holds proc and sys"
        )
    if not directory.is_dir():
        raise ConfigError(f"{shown}: no such folder")
    if directory.resolve() == Path("/"):
        raise ConfigError("/ is this machine itself: once reads it, and capture makes a folder")
    try:
        if all(map(_is_machine, steps(directory))):
            return
        below = sorted(path.name for path in directory.iterdir() if _is_machine(path))
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror or error}") from error
    hint = f"; did you mean {printable(str(directory / below[0]))}?" if below else ""
    raise ConfigError(f"{shown}: holds no proc and no sys, as a captured machine does{hint}")


def _is_folder(path: Path) -> bool:
    """Whether it is one itself, and no link to one of our own."""
    return path.is_dir() and not path.is_symlink()


def _is_machine(tree: Path) -> bool:
    return any((tree / name).is_dir() for name in ("proc", "sys"))


def seen_by(case: Path) -> list[str]:
    """The subsystems that a case is about, by the name of the folder that it is in."""
    names = [cls.name for cls in SUBSYSTEMS]
    above = case.resolve().parent.name
    return [above] if above in names else names


def steps(case: Path) -> list[Path]:
    """The trees of a case, in order of time."""
    numbered = [path for path in case.iterdir() if path.name.isdecimal() and _is_folder(path)]
    return sorted(numbered, key=lambda path: int(path.name)) or [case]


@dataclass(frozen=True, slots=True)
class Played:
    """What is read on a captured machine after its last step.

    Attributes:
        readings: of every subsystem that has one, by topic.
        unreadable: what cannot be read there, and why.
        verdict: what that means if it stays so for a minute; ``None`` where it was not asked for.
        alerts: what is raised meanwhile, in words.
    """

    readings: Mapping[str, Reading]
    unreadable: Mapping[str, str]
    verdict: ExplanationReading | None = None
    alerts: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The payload of every topic; under ``senses`` what cannot be read; what that means."""
        document: dict[str, Any] = {
            leaf: to_json(reading) for leaf, reading in self.readings.items()
        }
        document |= {"senses": dict(self.unreadable)}
        if self.verdict:
            document |= {EXPLANATION: to_json(self.verdict), "alerts": list(self.alerts)}
        return document


def replay(case: Path, names: Collection[str] = ()) -> dict[str, Any]:
    """What subsystems say on a captured machine, as ``expected.json`` holds it.

    Args:
        case: the folder.
        names: of the subsystems; all when empty.
    """
    return play(case, names).document()


def play(case: Path, names: Collection[str] = (), *, verdict: bool = False) -> Played:
    """Reads a captured machine, step by step.

    A case holds the tree of one sample, and in ``second/`` what has other contents two seconds
    later; or whole trees in ``1/``, ``2/`` and so on.

    Args:
        case: the folder.
        names: of the subsystems; all when empty.
        verdict: judge it as well.
    """
    clock = _Clock()
    judge = _Judge() if verdict else None
    chosen = [cls for cls in SUBSYSTEMS if not names or cls.name in names]
    with tempfile.TemporaryDirectory() as scratch:
        files = Captured(_copy(steps(case)[0], Path(scratch) / "1"))
        pipeline = Pipeline.of(
            Settings(root=files.root),
            sources=Sources(files=files, monotonic=clock.monotonic, wall=clock.wall, nut=None),
            subsystems=chosen,
            ledger=False,
            patient=True,
        )
        with closing(pipeline):
            sample = pipeline.sample()
            for _ in _changes(case, files, Path(scratch)):
                clock.seconds += STEP_SECONDS
                sample = pipeline.sample()
                if judge:
                    judge.look(sample)
    if judge:
        judge.hold(sample)
    unreadable = {
        name: f"{found.state}: {found.reason}"
        for name, found in sorted(pipeline.health.items())
        if found.state != "ok"
    }
    if judge is None:
        return Played(sample.readings, unreadable)
    return Played(sample.readings, unreadable, judge.verdict, tuple(judge.alerts))


class _Judge:
    """The verdict on a machine of which no processes were captured: nobody is named.

    Attributes:
        verdict: the last one.
        alerts: what was raised, in words.
    """

    def __init__(self) -> None:
        self.verdict: ExplanationReading | None = None
        self.alerts: list[str] = []
        self._explainer = Explainer(ExplainSettings(learn=False))

    def look(self, sample: Sample) -> None:
        """Judges the two seconds that a sample ends."""
        cpu = sample.readings.get("cpu")
        cores = getattr(cpu, "logical_cores", None) or 1
        busy = (getattr(cpu, "usage_percent", None) or 0.0) / 100 * cores * STEP_SECONDS
        self.verdict = self._explainer.judge(
            Balance(
                window_seconds=STEP_SECONDS,
                cores=cores,
                busy_seconds=busy,
                unattributed_seconds=busy,
            ),
            evidence(sample.readings),
            now=sample.now,
            wall=sample.wall,
            signs=signs(sample.readings),
        )
        self.alerts += [
            event.message or ""
            for event in self._explainer.transitions()
            if event.event == "alert_raised"
        ]

    def hold(self, sample: Sample) -> None:
        """Judges a minute in which it stays as it is: what is told must have lasted."""
        for second in range(0, _HELD_SECONDS, int(STEP_SECONDS)):
            later = STEP_SECONDS + second
            self.look(replace(sample, now=sample.now + later, wall=sample.wall + later))


def _changes(case: Path, files: Captured, scratch: Path) -> Iterator[None]:
    """Brings about every step after the first."""
    for number, tree in enumerate(steps(case)[1:], 2):
        files.close()
        files.root = str(_copy(tree, scratch / str(number)))
        yield
    if _is_folder(case / SECOND):
        _overlay(case / SECOND, Path(files.root))
        yield


def write_expected(case: Path, result: dict[str, Any]) -> None:
    """Keeps what a replay gave as what later ones are to give."""
    text = json.dumps(result, indent=2, ensure_ascii=False)
    (case / EXPECTED).unlink(missing_ok=True)  # a link would lead to a file of our own
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
    base = str(tree)

    def left_out(folder: str, names: list[str]) -> set[str]:
        """What is no part of a machine's tree."""
        return {
            name
            for name in names
            if name in (SECOND, EXPECTED) or not _belongs(Path(folder, name), base)
        }

    shutil.copytree(tree, to, symlinks=True, ignore=left_out)
    _mend_links(to)
    return to


def _mend_links(tree: Path) -> None:
    """Makes links again of those that a zip archive or another system's disk left as files.

    Such a file holds where the link pointed to, and nothing else; no kernel file begins so.
    """
    for path in (tree / "sys").rglob("*"):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LONGEST_LINK:
            continue
        content = path.read_bytes()
        if _LOST_LINK.fullmatch(content):
            goal = content.decode("utf-8", "surrogateescape")
            if _inside(path, goal, str(tree)):
                path.unlink()
                path.symlink_to(goal)


def _belongs(path: Path, base: str) -> bool:
    """Whether it can be read here: a pipe, socket or device would never end.

    A link that leads out of the tree would show a file of our own machine. What a process runs,
    where, and what it has open is told by links that are read, and not followed.
    """
    kind = stat.S_IFMT(path.lstat().st_mode)
    if kind != stat.S_IFLNK:
        return kind in (stat.S_IFREG, stat.S_IFDIR)
    if _OF_A_PROCESS.search(str(path)):
        return True
    return _inside(path, str(path.readlink()), base)


def _inside(link: Path, goal: str, base: str) -> bool:
    """Whether a link leads to a place below ``base``."""
    place, base = os.path.abspath(link.parent / goal), os.path.abspath(base)  # noqa: PTH100  # not resolve: links stay
    return os.path.commonpath([place, base]) == base


def _overlay(changed: Path, tree: Path) -> None:
    """Writes changed contents into the files that are there, whose descriptors stay open."""
    for path in changed.rglob("*"):
        if not stat.S_ISREG(path.lstat().st_mode):
            continue
        target = tree / path.relative_to(changed)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
