"""The brokers and daemons that tests start, and how they wait for them."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, Self

REPOSITORY = Path(__file__).parents[1]
_LOWEST_PORT = 10_000
_given: set[int] = set()


def program(name: str) -> str:
    """The path of a server program, also where users without privilege do not look."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert path, f"{name} is missing; `make test` says how to install it"
    return path


def free_port() -> int:
    """A port of loopback that nobody listens on, each time another.

    Not one of those that the kernel gives to outgoing connections: such a port may be gone before
    the server takes it, and whoever tries to connect to it meanwhile may meet himself (a TCP
    connection may be opened from both ends, also if these are one).
    """
    with contextlib.suppress(OSError):
        given_out = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        highest = max(int(given_out[0]), _LOWEST_PORT + 1000)
        while True:
            port = random.randrange(_LOWEST_PORT, highest)
            if port not in _given and _is_free(port):
                _given.add(port)
                return port
    with socket.socket() as probe:  # no Linux
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_until(condition: Callable[[], Any], timeout: float = 15, what: str = "") -> Any:
    """Waits for what nobody notifies us of, and gives what the condition gave."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, what or "waited in vain"
        time.sleep(0.05)
    return found


class Server:
    """A program in a process of its own, which can be started again."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, command: Sequence[str | Path], **options: Any) -> None:
        """Starts it; both its outputs are added to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)

    def wait_for_ports(self, *ports: int, timeout: float = 15) -> None:
        """Until all of them are listened on; fails at once, with the log, if the program ended."""
        wait_until(lambda: all(map(listens, ports)) or not self.running, timeout, f"see {self.log}")
        assert self.running, self.log.read_text(errors="replace")[-4000:]

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait(self, timeout: float = 10) -> int:
        """Its exit code, once it ended of itself."""
        assert self.process
        return self.process.wait(timeout)

    def end(self, number: int = SIGTERM, timeout: float = 10) -> int:
        """Asks it to end and gives its exit code."""
        assert self.process
        self.process.send_signal(number)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def stop(self) -> None:
        """In an orderly way, if it runs."""
        if self.process:
            self.end()

    def kill(self) -> None:
        """At once, if it runs."""
        if self.process:
            self.end(SIGKILL)


class Mosquitto(Server):
    """A mosquitto for everybody on a free port of loopback; what was retained ends with it.

    Args:
        directory: an empty one.
        more: further lines of its configuration.
    """

    def __init__(self, directory: Path, more: str = "") -> None:
        super().__init__(directory / "mosquitto.log")
        self.directory = directory
        self.port = free_port()
        self.configuration = directory / "mosquitto.conf"
        # As root it would else become another user, who may not enter our directory.
        self.configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n{more}\n"
        )

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self, *more_ports: int) -> Self:
        self.launch([program("mosquitto"), "-c", self.configuration], cwd=self.directory)
        self.wait_for_ports(self.port, *more_ports)
        return self


class Daemon(Server):
    """``fanwhy-pub run`` with a configuration file and a state folder of its own.

    Args:
        directory: gets both, and the log.
        configuration: content of the file.
        options: more words of the command line.
    """

    def __init__(
        self, directory: Path, configuration: str = "", options: Sequence[str] = ()
    ) -> None:
        super().__init__(directory / "fanwhy.log")
        self.config = directory / "fanwhy.toml"
        self.config.write_text(configuration)
        self.state = directory / "state"
        self._options = ["--config", str(self.config), *options]
        # Settings of whoever runs the tests are none of ours.
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("FANWHY_")
        } | {"STATE_DIRECTORY": str(self.state)}

    def start(self) -> Self:
        command = [sys.executable, "-m", "publisher", "run", *self._options]
        self.launch(command, cwd=REPOSITORY, env=self.environment)
        return self

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of ours with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "publisher", *words, *self._options],
            cwd=REPOSITORY, env=self.environment, capture_output=True, text=True,
            check=False, timeout=100,
        )  # fmt: skip
