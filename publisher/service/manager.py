"""Installs, removes and looks at a service of ours, by systemd of the machine or of a user."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from publisher.errors import FanwhyError
from publisher.service import unit

ELSEWHERE = "docs/service.md tells of launchd, Windows and other systems"
_RUNS, _INSTALLED, _MISSING = 0, 3, 4  # exit codes of a status, as LSB has them


def _command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Service:
    """One of our services on this machine.

    Args:
        name: of the unit, without ``.service``, which is the program's name, too.
        system: for the whole machine, not for this user alone.
        root: of the machine.
        home: this user's.
        run: runs a command; its output is text.
    """

    name: str
    system: bool
    root: Path = Path("/")
    home: Path = field(default_factory=Path.home)
    run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]] = _command

    @property
    def path(self) -> Path:
        """Of the unit's file."""
        if self.system:
            return self.root / "etc/systemd/system" / f"{self.name}.service"
        base = os.environ.get("XDG_CONFIG_HOME", "")
        config = Path(base) if base.startswith("/") else self.home / ".config"
        return config / "systemd/user" / f"{self.name}.service"

    def content(self, program: Path | None = None) -> str:
        """The unit, as it would be installed.

        Args:
            program: what it starts; ``None`` finds the one that runs now.

        Raises:
            FanwhyError: it is nowhere, or a service could not start it.
        """
        program = program or self._program()
        if not self.system:
            return unit.for_user(self.name, program)
        _passable(program)
        credential = self.root / unit.CREDENTIAL.relative_to("/")
        return unit.for_system(self.name, program, credential=credential.exists())

    def install(self, program: Path | None = None) -> str:
        """Writes the unit, enables and starts it; what was done, in lines.

        Raises:
            FanwhyError: it cannot be installed here, or does not start.
        """
        content = self.content(program)
        self._managed()
        self._own()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(content, "utf-8")
        except OSError as error:
            raise FanwhyError(f"{self.path}: {error.strerror}{self._rights(error)}") from error
        self._systemctl("daemon-reload")
        self._systemctl("enable", self.name)
        self._systemctl("restart", self.name)
        lines = [f"installed {self.path}", self._state()]
        if not self.system:
            lines.append("it runs while you are logged in; for always: loginctl enable-linger")
        return "\n".join(lines)

    def remove(self) -> str:
        """Ends it and takes its unit away; what was done, and what is left, in lines.

        Raises:
            FanwhyError: it is not installed, or cannot be removed.
        """
        if not self.path.exists():
            raise FanwhyError(f"{self.name} is not installed: there is no {self.path}")
        self._managed()
        self._own()
        self._systemctl("disable", "--now", self.name)
        try:
            self.path.unlink()
        except OSError as error:
            raise FanwhyError(f"{self.path}: {error.strerror}{self._rights(error)}") from error
        self._systemctl("daemon-reload")
        return f"removed {self.path}\nleft, for when it comes back: {self._left()}"

    def status(self) -> tuple[int, str]:
        """(exit code, a line): 0 it runs, 3 it does not, 4 it is not installed."""
        if not self.path.exists():
            return _MISSING, f"{self.name} is not installed ({self.path})"
        self._managed()
        active = self._ask("is-active", self.name)
        return (_RUNS if active == "active" else _INSTALLED), self._state()

    def _state(self) -> str:
        active = self._ask("is-active", self.name)
        told = self._ask("show", "--property", "StatusText", "--value", self.name)
        words = f"{self.name} is {active}"
        if active != "active":
            user = "" if self.system else "--user "
            return f"{words}; journalctl {user}-u {self.name} says why"
        return f"{words}: {told}" if told else words

    def _left(self) -> str:
        state = "fanwhy" if self.name == "fanwhy-pub" else self.name
        if self.system:
            return f"/etc/fanwhy (configuration), /var/lib/private/{state} (what was learned)"
        return f"{self.home}/.config/fanwhy (configuration), {self.home}/.local/state/{state}"

    def _program(self) -> Path:
        called = Path(sys.argv[0])
        if called.name == self.name and called.exists():
            return called.absolute()
        if found := shutil.which(self.name):
            return Path(found).absolute()
        raise FanwhyError(f"{self.name} is on no path: install fanwhy first, or name it: --program")

    def _managed(self) -> None:
        if not (self.root / "run/systemd/system").is_dir():
            raise FanwhyError(f"this machine is not run by systemd; {ELSEWHERE}")

    def _own(self) -> None:
        if not self.path.exists():
            return
        if "fanwhy" not in self.path.read_text("utf-8", "replace"):
            raise FanwhyError(f"{self.path}: it is somebody else's; move it away first")

    def _rights(self, error: OSError) -> str:
        if isinstance(error, PermissionError) and self.system:
            return "; the machine's services take root: use sudo, or --user for this user alone"
        return ""

    def _systemctl(self, *words: str) -> None:
        done = self.run(["systemctl", *(() if self.system else ("--user",)), *words])
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise FanwhyError(f"systemctl {' '.join(words)}: {said[0]}")

    def _ask(self, *words: str) -> str:
        done = self.run(["systemctl", *(() if self.system else ("--user",)), *words])
        return (done.stdout.strip() or done.stderr.strip()).partition("\n")[0]


def _passable(program: Path) -> None:
    """Whether a user without rights may come to a program.

    Raises:
        FanwhyError: a folder on the way is closed to others.
    """
    for folder in (*program.parents, *program.resolve().parents):
        mode = folder.stat().st_mode if folder.exists() else 0
        if not mode & stat.S_IXOTH:
            raise FanwhyError(
                f"{program}: the service runs as a user of its own, who may not pass {folder}; "
                "install fanwhy for everybody (docs/install.md), or use --user"
            )
