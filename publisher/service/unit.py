"""The units that we ship, made fit for one machine: where the program is, whose it runs as.

The files beside this one are whole units with every lock that a service needs not have open. A
user's own systemd can set up none of those that need root, so there they are left out.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

CREDENTIAL = Path("/etc/fanwhy/broker-password")
"""Where a service of the system has the broker's password from, where that file is."""

_OF_A_USER = re.compile(
    r"(?:Type|WatchdogSec|ExecStart|ExecReload|Restart|RestartSec|RestartPreventExitStatus"
    r"|TimeoutStopSec|StateDirectory|NoNewPrivileges|UMask|Nice|MemoryMax|TasksMax"
    r"|Description|WantedBy)=|\[|$"
)
_LINES = re.compile(r"\n{3,}")


def shipped(name: str) -> str:
    """The unit as it is shipped; ``name`` without ``.service``."""
    return files(__package__).joinpath(f"{name}.service").read_text("utf-8")


def for_system(name: str, program: Path, *, credential: bool) -> str:
    """The unit for systemd of the whole machine.

    Args:
        name: without ``.service``.
        program: what it starts.
        credential: the file with the broker's password is there.
    """
    unit = _starting(shipped(name), program)
    return unit.replace("#LoadCredential=", "LoadCredential=") if credential else unit


def for_user(name: str, program: Path) -> str:
    """The unit for a user's own systemd."""
    kept = [line for line in shipped(name).split("\n") if _OF_A_USER.match(line)]
    unit = "\n".join(kept).replace("WantedBy=multi-user.target", "WantedBy=default.target")
    # Where state is kept without systemd, too: the daemon finds what it has learned there.
    return _LINES.sub("\n\n", _starting(unit, program)).lstrip("\n")


def _starting(unit: str, program: Path) -> str:
    quoted = str(program).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    word = f'"{quoted}"' if re.search(r"[\s\"'\\]", quoted) else quoted
    return re.sub(r"(?m)^ExecStart=\S+", lambda _: f"ExecStart={word}", unit)
