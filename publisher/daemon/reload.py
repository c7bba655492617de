"""Reads the configuration again while the daemon runs.

A child of our own reads and checks it, so that what this takes does not stay in memory; a thread
waits for the child. One reading at a time: what was asked for last is what is applied.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from publisher.contract.printable import printable
from publisher.daemon.launch import Launch
from publisher.errors import ConfigError, FanwhyError

log = logging.getLogger(__name__)

_CHILD_SECONDS = 60.0
_RETRY_SECONDS = 30.0


class Reloader:
    """Turns SIGHUP into newer settings.

    Args:
        call: has the main thread do something.
        apply: takes the newer settings, in the main thread.
        patience: seconds that the child may take.
    """

    def __init__(
        self,
        call: Callable[[Callable[[], None]], None],
        apply: Callable[[Launch], None],
        *,
        patience: float = _CHILD_SECONDS,
    ) -> None:
        self._call = call
        self._apply = apply
        self._patience = patience
        self._asked = False
        self._reading = False
        self._not_before = 0.0

    def ask(self) -> None:
        """Wants the configuration read again. Safe to call from a signal handler."""
        self._asked = True

    def tick(self, command: Sequence[str]) -> None:
        """Begins to read if that was asked for and goes on not yet. For the main thread.

        Args:
            command: what the child runs: its standard output is a newer ``Launch``.
        """
        if not self._asked or self._reading or time.monotonic() < self._not_before:
            return
        thread = threading.Thread(target=self._read, args=(command,), name="reload", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread can be had now: the limit of tasks, or of memory
            self._not_before = time.monotonic() + _RETRY_SECONDS
            log.warning(
                "the configuration cannot be read now: the system lets us start nothing "
                "(TasksMax, ulimit -u); it is tried again in %.0f s",
                _RETRY_SECONDS,
            )
            return
        self._asked, self._reading = False, True

    def _read(self, command: Sequence[str]) -> None:
        launch: Launch | None = None
        try:
            launch = read_again(command, self._patience)
        except FanwhyError as error:
            for line in str(error).splitlines():
                words = "the configuration stays as it was: %s"
                log.error(words, printable(line))  # noqa: TRY400  # it is no mistake of ours
        self._call(lambda: self._finish(launch))

    def _finish(self, launch: Launch | None) -> None:
        self._reading = False
        # Asked for again meanwhile, it may hold what the file said before that.
        if launch is not None and not self._asked:
            self._apply(launch)


def read_again(command: Sequence[str], patience: float) -> Launch:
    """The settings as they are now.

    Raises:
        FanwhyError: they cannot be used, or the child could not tell them.
    """
    try:
        child = subprocess.run(command, capture_output=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"reading it took longer than {patience:g} s") from error
    except OSError as error:
        raise ConfigError(f"{command[0]}: cannot be started: {error.strerror}") from error
    if child.returncode:
        said = child.stderr.decode("utf-8", "replace").strip()
        raise ConfigError(said or f"reading it ended with code {child.returncode}")
    return Launch.parse(child.stdout)
