"""A real Docker Engine of the tests' own, and the tree that a person has checked out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL

from servers import REPOSITORY, Server, program, wait_until

SOCKET = Path("/var/run/docker.sock")
_SECONDS = 300
_LEFT_OUT = shutil.ignore_patterns("tests", ".*", "__pycache__", "bench", "dist", "*.whl")


class Engine(Server):
    """Docker's daemon in a mount namespace of its own, whose root is shared as on most hosts.

    What is mounted in there, by the engine or by ``mount``, is gone with it. Its rules for the
    network are taken back. Where the machine has an engine that runs, that one is used, with a
    registry's images.

    Args:
        made: the folder that ``scripts/docker-engine`` prints; ``None`` for the machine's engine.
        directory: an empty one, for all that it keeps.
    """

    def __init__(self, made: Path | None, directory: Path) -> None:
        super().__init__(directory / "dockerd.log")
        self._made = made
        self._directory = directory
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FANWHY_", "DOCKER_", "COMPOSE_"))
        }
        programs = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        self.environment = own | {"PATH": programs}
        if made is not None:
            self.environment["PATH"] = f"{made / 'bin'}:{programs}"
            self.environment["DOCKER_CONFIG"] = str(directory / "config")
        self._rules = ""

    def start(self) -> None:
        """Starts it, with the images in it that stand in for those of a registry."""
        if self._made is None:
            return
        assert not SOCKET.exists(), f"{SOCKET} is there: does a Docker Engine run here?"
        shutil.copytree(self._made / "cli-plugins", self._directory / "config/cli-plugins")
        self._rules = self.run("iptables-save")
        self.launch(
            [
                program("unshare"), "--mount", "--propagation", "shared",
                self._made / "bin/dockerd",
                "--data-root", self._directory / "data", "--exec-root", self._directory / "run",
                "--pidfile", self._directory / "pid",
            ],
            env=self.environment,
        )  # fmt: skip
        wait_until(lambda: self._answers or not self.running, 60, f"see {self.log}")
        assert self.running, self.log.read_text()[-4000:]
        self.run("docker", "import", str(self._made / "python.tar"), "python:3.13-slim")
        self.run("docker", "build", "-t", "eclipse-mosquitto:2", str(self._made / "mosquitto"))

    @property
    def _answers(self) -> bool:
        return SOCKET.exists() and not self.try_to("docker", "version").returncode

    def mount(self, *words: str | Path) -> None:
        """Mounts something on the host that the engine and its containers see."""
        self.inside("mount", *map(str, words))

    def inside(self, *command: str) -> None:
        """Runs a command where the engine sees file systems."""
        where = 1 if self._made is None else self.pid
        self.run("nsenter", "--target", str(where), "--mount", *command)

    def stop(self) -> None:
        """Ends it with all its containers, and leaves the machine as it was."""
        if self._made is None or not self.running:
            return
        if running := self.run("docker", "ps", "--quiet").split():
            self.try_to("docker", "kill", *running)
        try:
            super().stop()
        except subprocess.TimeoutExpired:
            self.end(SIGKILL)
        self.try_to("ip", "link", "delete", "docker0")
        # Where there were no rules, there was no table either, and restoring would leave its own.
        self.try_to("iptables", "--policy", "FORWARD", "ACCEPT")
        for table in ("filter", "nat"):
            self.try_to("iptables", "--table", table, "--flush")
            self.try_to("iptables", "--table", table, "--delete-chain")
        subprocess.run(["iptables-restore"], input=self._rules, text=True, check=False)
        with contextlib.suppress(FileNotFoundError):
            SOCKET.unlink()

    def run(self, *command: str, folder: Path | None = None, limit: float = _SECONDS) -> str:
        """What a command says that has to succeed."""
        done = self.try_to(*command, folder=folder, limit=limit)
        assert not done.returncode, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def try_to(
        self, *command: str, folder: Path | None = None, limit: float = _SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A command with this engine's programs, however it ends."""
        return subprocess.run(
            command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False,
            timeout=limit,
        )  # fmt: skip


class Checkout:
    """What a person has who follows the README: the tree, and docker.

    Args:
        folder: gets the tree.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        shutil.copytree(REPOSITORY, folder, ignore=_LEFT_OUT)
        shutil.copy(REPOSITORY / ".dockerignore", folder)

    def run(self, *command: str) -> str:
        """What a command in the tree says that has to succeed."""
        return self.engine.run(*command, folder=self.folder)

    def compose(self, *words: str) -> str:
        """The same of ``docker compose``."""
        return self.run("docker", "compose", *words)

    def publisher(self, *words: str) -> str:
        """The same of a command of fanwhy's in the daemon's container."""
        return self.compose("exec", "-T", "publisher", *words)

    def inspect(self, service: str, path: str, profiles: Sequence[str] = ()) -> str:
        """A fact of a service's container, such as ``.State.Health.Status``."""
        given = [word for profile in profiles for word in ("--profile", profile)]
        (container,) = self.compose(*given, "ps", "--all", "--quiet", service).split()
        return self.run("docker", "inspect", "--format", f"{{{{{path}}}}}", container).strip()

    def password(self, user: str) -> str:
        """What ``mosquitto/setup`` made for a user of the broker."""
        return (self.folder / f"secrets/{user}-password").read_text().strip()
