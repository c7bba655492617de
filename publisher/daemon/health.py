"""Whether the daemon of this user lives and reaches its broker, told without loading much."""

from __future__ import annotations

from publisher.config.state_folder import state_dir
from publisher.contract.printable import printable
from publisher.daemon.lock import health


def report() -> int:
    """Prints a line; the exit code: 0 where it does, else 1."""
    folder = state_dir()
    healthy, words = health(folder) if folder else (False, "this user has no state folder")
    print(printable(words))
    return 0 if healthy else 1
