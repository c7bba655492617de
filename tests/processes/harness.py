"""Real processes under all kinds of names, and what the daemon and ``classify`` say of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from servers import REPOSITORY, wait_until

CONTAINER = f"docker-{'ab12cd34' * 8}.scope"
LIMITED = ("bash", "-c", 'ulimit -t 60; exec "$@"', "bash")
"""Runs what ends after a minute of CPU time, like all below it, whatever becomes of us."""
_WATCHED_SECONDS = (1.5, 3.0, 6.0, 10.0)
_BURNER = REPOSITORY / "tests/native/burner.c"
_ROOTS = ("cpuacct", "cpu", "systemd", "")
"""Hierarchies of cgroups whose paths the daemon reads; the last is version 2's."""
_CONFIGURATION = """
[explain]
busy_cores = 0.05
busy_percent = 0.1
enter_seconds = 0
join_seconds = 0
cause_share_percent = 1
learn = false
"""


@dataclass(frozen=True)
class Answer:
    """What is said of a process."""

    category: str
    label: str
    group: str
    kind: str
    confidence: float
    reason: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Answer:
        """That of ``classify``, or of a cause."""
        return cls(**{each.name: told[each.name] for each in fields(cls)})

    @property
    def sure(self) -> bool:
        """Said as what is so, and not as what may be."""
        return self.confidence >= 0.6

    def mentions(self, *words: str) -> bool:
        """Whether one of the words stands where people look for a name."""
        told = f"{self.label} {self.group}".lower()
        return any(word in told for word in words)


class Stage:
    """Starts processes, each on its own as if a machine's manager had started it.

    Args:
        folder: an empty one, which they find themselves in.
        burner: ``burner.c``, compiled.
        installed: another one, where programs lie that nobody hides.
    """

    def __init__(self, folder: Path, burner: Path, installed: Path) -> None:
        self.folder = folder
        self._installed = installed
        self._burner = burner
        self._started: list[int] = []
        self._places: list[Path] = []
        (folder / "fanwhy.toml").write_text(_CONFIGURATION)

    def burner(self, name: str) -> Path:
        """A copy of the burner under a name, which may be a path below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._burner, path)
        return path

    def installed(self, name: str) -> Path:
        """A copy of the burner as if a package had brought it."""
        path = self._installed / name
        shutil.copy(self._burner, path)
        return path

    def script(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(
        self,
        *words: str | Path,
        called: str = "",
        title: str = "",
        comm: str = "",
        runs: str = "",
        within: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Starts a program below init, in a session of its own, and gives its number.

        Args:
            words: its command line.
            called: what it finds as its own name instead of the first word.
            title: what a burner writes over its command line.
            comm: what a burner calls itself.
            runs: what a burner starts.
            within: the end of the path of a cgroup.
            environment: further variables.
        """
        told = {"BURNER_TITLE": title, "BURNER_COMM": comm, "BURNER_RUNS": runs}
        variables = {name: value for name, value in told.items() if value}
        number = self.folder / f"pid-{len(self._started)}"
        enter = "".join(f"echo $$ > '{place}/cgroup.procs'; " for place in self._places_of(within))
        launch = f'{enter}echo $$ > "$0.new"; mv "$0.new" "$0"; exec -a "$1" "${{@:2}}"'
        subprocess.run(
            [
                *LIMITED,
                "setsid",
                "--fork",
                "bash",
                "-c",
                launch,
                number,
                called or str(words[0]),
                *words,
            ],
            cwd=self.folder,
            env={**os.environ, **variables, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        pid = int(wait_until(lambda: number.exists() and number.read_text()))
        self._started.append(pid)
        wait_until(lambda: str(number) not in command_of(pid), what=f"{words[0]} does not start")
        _preferred(pid, -10)
        return pid

    def descendant(self, pid: int, word: str) -> int:
        """The process below another that has this word in its command line, once there is one."""

        def found() -> int | None:
            return next((one for one in _tree([pid]) if one != pid and word in command_of(one)), 0)

        return int(wait_until(found, 30, f"no {word} below {pid}"))

    def follow(self, pid: int) -> None:
        """Ends this process with the others, though it has gone its own way."""
        self._started.append(pid)

    def _places_of(self, within: str) -> list[Path]:
        if not within:
            return []
        roots = [Path("/sys/fs/cgroup") / root for root in _ROOTS]
        places = [root / within for root in roots if (root / "cgroup.procs").exists()]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
            self._places.append(place)
        return places

    def stop(self) -> None:
        """Ends all that descends from what was started here, by number."""
        for pid in _tree(self._started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in self._places:
            wait_until(partial(_removed, place), what=f"{place} is not empty")

    def ask(self, pid: int) -> Answer:
        """What the daemon and ``classify`` say of a process; they must say the same."""
        asking = self._fanwhy("classify", str(pid), "--json")
        cause = self._cause(pid)
        found = _document(asking)
        told, same = Answer.of(cause), Answer.of(found)
        # The daemon says in front that it uses much.
        assert told.reason.endswith(same.reason), f"classify says {same}; the daemon says {told}"
        assert replace(told, reason=same.reason) == same, f"classify says {same}; the daemon {told}"
        return same

    def _cause(self, pid: int) -> dict[str, Any]:
        """The cause that a process belongs to; whatever else works here may keep it waiting."""
        seen: list[dict[str, Any]] = []
        for seconds in _WATCHED_SECONDS:
            seen = _document(self._fanwhy("why", "--seconds", f"{seconds:g}", "--json"))["causes"]
            for cause in seen:
                if pid in cause.get("pids", ()):
                    return cause
        raise AssertionError(f"{command_of(pid)!r} ({pid}) is no cause: {seen}")

    def _fanwhy(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", *words, "--config", self.folder / "fanwhy.toml"],
            cwd=REPOSITORY,
            env={
                **{name: value for name, value in os.environ.items() if "FANWHY" not in name},
                "STATE_DIRECTORY": str(self.folder / "state"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        _preferred(process.pid, -15)
        return process


def _preferred(pid: int, niceness: int) -> None:
    """Goes before whatever else works here, if we may decide that.

    The daemon tells of five causes: strangers shall not be all of them.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))


def _document(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    document: dict[str, Any] = json.loads(out)
    return document


def command_of(pid: int) -> str:
    """Its command line, words separated by blanks; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def _tree(roots: Sequence[int]) -> list[int]:
    """The processes and all below them, or in sessions that they lead."""
    parents: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            words = Path(f"/proc/{int(name)}/stat").read_text().rpartition(")")[2].split()
            parents[int(name)] = int(words[1]), int(words[3])
    found = [root for root in roots if root in parents]
    for pid in found:
        found += [one for one, above in parents.items() if pid in above and one not in found]
    return found


def _removed(place: Path) -> bool:
    if place.exists():
        with contextlib.suppress(OSError):
            place.rmdir()
    return not place.exists()


def compiled(folder: Path) -> Path:
    """``burner.c`` as a program."""
    program = folder / "burner"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, _BURNER], check=True)
    return program
