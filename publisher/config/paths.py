"""Where a configuration file is: the one that is named, else the user's, else the machine's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

CONFIG_VARIABLE = "FANWHY_CONFIG"


def user_config(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration of this user, whether it exists or not; ``None`` without a home."""
    if sys.platform == "win32":
        base = environment.get("APPDATA")
        return Path(base, "fanwhy", "config.toml") if base else None
    home = environment.get("HOME")
    if sys.platform == "darwin":
        return (
            Path(home, "Library", "Application Support", "fanwhy", "config.toml") if home else None
        )
    # An absolute path, or it counts as unset (XDG base directory specification).
    base = environment.get("XDG_CONFIG_HOME", "")
    if base.startswith("/"):
        return Path(base, "fanwhy", "config.toml")
    return Path(home, ".config", "fanwhy", "config.toml") if home else None


def system_config(environment: Mapping[str, str] = os.environ) -> Path:
    """The configuration of the whole machine, whether it exists or not."""
    if sys.platform == "win32":
        return Path(environment.get("PROGRAMDATA", r"C:\ProgramData"), "fanwhy", "config.toml")
    return Path("/etc/fanwhy/config.toml")


def find_config(
    named: str | None, environment: Mapping[str, str]
) -> tuple[Path | None, tuple[str, ...]]:
    """The file to read, if any, and a warning for each one passed over that may not be read.

    Args:
        named: the file named on the command line.
        environment: variables.
    """
    if named := named or environment.get(CONFIG_VARIABLE):
        return expanded(Path(named)), ()
    warnings: list[str] = []
    for path in (user_config(environment), system_config(environment)):
        if path is None or not _exists(path):
            continue
        if os.access(path, os.R_OK):
            return path, tuple(warnings)
        # A file that was not asked for must not stop a user whom it does not concern.
        warnings.append(f"{path}: not read; this user may not")
    return None, tuple(warnings)


def expanded(path: Path) -> Path:
    """The path with ``~`` replaced; as it is where there is no home."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not enter
        return False
