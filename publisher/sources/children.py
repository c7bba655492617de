"""Programs that are asked a question and may never answer.

A thread that waits for a file system or a disk which does not answer can hold the whole process
back at its end: a request that a FUSE server has taken and not answered is waited for beyond
SIGKILL (Linux, ``fs/fuse/dev.c``, ``request_wait_answer``), and a process ends only when its last
thread does. A child that waits so is left behind instead, and costs us nothing.

``posix_spawn`` and a memory file need neither the subprocess module nor a thread.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from publisher.config.state_folder import nameless
from publisher.errors import AbsentError, SourceError

# Administrators' programs are there although a user's PATH may not say so.
_FURTHER = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
_LARGEST_ANSWER = 1 << 20


def find(program: str) -> str | None:
    """The path of a program that may be run; ``None`` when there is none of this name."""
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *_FURTHER):
        path = os.path.join(folder, program)  # noqa: PTH118  # a fifth of pathlib's cost
        if folder and os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112
            return path
    return None


class Child:
    """A program that runs on its own until it has an answer.

    Args:
        arguments: the program's path, then its arguments.
        complaints: what it says of errors belongs to its answer.

    Raises:
        AbsentError: there is no such program.
        SourceError: it could not be started.
    """

    def __init__(self, arguments: Sequence[str], *, complaints: bool = False) -> None:
        self.path = arguments[0]
        if not hasattr(os, "posix_spawn"):
            raise AbsentError("this system has no way to ask a program in passing", path=self.path)
        self._answer = nameless("fanwhy-answer")
        try:
            self._pid = os.posix_spawn(
                self.path,
                list(arguments),
                {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._answer, 1),
                    (os.POSIX_SPAWN_DUP2, self._answer, 2)
                    if complaints
                    else (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGINT, signal.SIGTERM),
            )
        except OSError as error:
            os.close(self._answer)
            if isinstance(error, FileNotFoundError):
                raise AbsentError("no such program", path=self.path) from error
            raise SourceError(f"cannot be started: {error.strerror}", path=self.path) from error

    def poll(self) -> tuple[int, bytes] | None:
        """(exit status, answer) once it has ended, negative for a signal; ``None`` before.

        After it has ended this may be asked once.
        """
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # somebody else in this process waited for any child
            pid, status = self._pid, 0
        if pid == 0:
            return None
        answer = os.pread(self._answer, _LARGEST_ANSWER, 0)
        os.close(self._answer)
        self._pid = 0
        return os.waitstatus_to_exitcode(status), answer

    def kill(self) -> None:
        """Ends it, if the kernel lets it; ``poll`` goes on telling."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def leave(self) -> None:
        """Ends it and thinks no more of it: init reaps what outlives us."""
        if self._pid:
            self.kill()
            os.close(self._answer)
            self._pid = 0
