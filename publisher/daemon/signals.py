"""SIGHUP while the daemon is not there yet to obey it.

Until then it would end the process, and systemd takes that for an end on purpose. It is held from
the first instruction on, also through ``exec``, and comes when there is somebody to read the
configuration again.
"""

from __future__ import annotations

import signal


def hold() -> None:
    """Keeps SIGHUP waiting, where this system has it."""
    if hasattr(signal, "pthread_sigmask") and hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def let_in() -> None:
    """Obeys SIGHUP from now on, also one that has come meanwhile."""
    if hasattr(signal, "pthread_sigmask") and hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
