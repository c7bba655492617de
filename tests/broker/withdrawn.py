"""Takes from a Python on Linux what other systems do not have; psutil alone still sees the kernel.

Loaded as ``sitecustomize`` by every interpreter that finds it on its path, so also by the daemon
that ``fanwhy-pub run`` executes and by the child that reads the configuration again.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_GONE = ("/proc", "/sys")
_MODULES = ("fcntl", "termios", "tty", "pty", "pwd", "grp", "syslog")
_NAMES: dict[Any, tuple[str, ...]] = {
    os: (
        "pipe2",
        "memfd_create",
        "geteuid",
        "getuid",
        "sched_getaffinity",
        "posix_spawn",
        "O_CLOEXEC",
        "O_DIRECTORY",
        "O_NONBLOCK",
        "pread",
        "pwrite",
        "uname",
        "eventfd",
    ),
    signal: ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTSTP", "SIGSTOP", "SIGPIPE"),
    select: ("poll", "epoll"),
    socket: ("AF_NETLINK",),
    time: ("CLOCK_BOOTTIME", "clock_gettime_ns"),
}


def _of_psutil() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if "/psutil/" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        is_path = isinstance(path, (str, bytes, os.PathLike))
        if is_path and os.fsdecode(path).startswith(_GONE) and not _of_psutil():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return function(path, *arguments, **options)

    return call


for _module, _gone in _NAMES.items():
    for _name in _gone:
        if hasattr(_module, _name):
            delattr(_module, _name)
if os.environ.get("WITHDRAW_EXEC"):
    sys.executable = ""
for _name in _MODULES:
    sys.modules[_name] = None  # type: ignore[assignment]  # what makes an import fail
builtins.open = io.open = _refusing(io.open)
for _name in ("open", "listdir", "scandir", "stat", "lstat", "readlink", "access"):
    setattr(os, _name, _refusing(getattr(os, _name)))
