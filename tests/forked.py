"""Real processes for a hundredth of the work: forked from one that has imported what they run.

Each has its own descriptors, environment, folder and exit code, and ends as any interpreter ends.
What it shares with the others is what had been imported. For what happens before that, such as
``PYTHONIOENCODING``, start an interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

_SECONDS = 60.0  # a process that takes longer hangs


@dataclass(frozen=True)
class Outcome:
    """What a process left behind."""

    code: int
    out: str
    err: str


class Forkable:
    """A process that has imported modules, and forks one that runs the first of them, when asked.

    It is no child of ours: some tests wait for the end of every child that they have.

    Args:
        modules: the one that is run, as by ``python -m``, and what it would import.
        options: the interpreter's.
    """

    def __init__(self, modules: Sequence[str], options: Sequence[str] = ()) -> None:
        self._line, theirs = socket.socketpair()
        self._line.settimeout(_SECONDS)
        with theirs:
            starter = subprocess.Popen(
                [sys.executable, *options, __file__, str(theirs.fileno()), *modules],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()], start_new_session=True,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
                },
            )  # fmt: skip
            starter.wait()
        self._group = starter.pid

    def run(
        self, *arguments: str, environment: Mapping[str, str], folder: Path, stdin: str = ""
    ) -> Outcome:
        """Runs the module with these words, and waits for its end.

        Raises:
            TimeoutError: it has not ended after a minute.
        """
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin.encode())
            given.seek(0)
            asked = json.dumps([arguments, dict(environment), str(folder)])
            files = [file.fileno() for file in (given, out, err)]
            sent = socket.send_fds(self._line, [f"{asked}\n".encode()], files)
            self._line.sendall(f"{asked}\n".encode()[sent:])
            code = int(self._line.recv(100))
            out.seek(0)
            err.seek(0)
            return Outcome(code, out.read().decode(), err.read().decode())

    def close(self) -> None:
        """Ends it, and what it may have forked."""
        self._line.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)


def _serve(line: socket.socket) -> list[str] | None:
    """Forks whenever it is asked to; in the child, the arguments; ``None`` at the end."""
    while True:
        asked, files, *_ = socket.recv_fds(line, 1 << 16, 3)
        while asked and not asked.endswith(b"\n"):
            asked += line.recv(1 << 16)
        if not asked:
            return None
        pid = os.fork()
        if pid == 0:
            line.close()
            arguments, environment, folder = json.loads(asked)
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            return list(arguments)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        line.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _main(descriptor: str, module: str, *others: str) -> None:
    if os.fork():
        os._exit(0)
    for name in (module, *others):
        import_module(name)
    gc.freeze()  # or the collector of each would copy every page
    arguments = _serve(socket.socket(fileno=int(descriptor)))
    if arguments is not None:
        sys.argv[1:] = arguments
        sys.path[0] = str(Path.cwd())  # as with ``python -m``
        runpy.run_module(f"{module}.__main__", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
