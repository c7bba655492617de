"""What grants a right that fanwhy lacks, in the words of where it runs."""

from __future__ import annotations

import os
from functools import cache

_ENGINES_MARKS = ("/.dockerenv", "/run/.containerenv")


@cache
def in_engine() -> bool:
    """Whether this process is in a container of Docker's or Podman's, by what they leave there."""
    return any(os.path.exists(mark) for mark in _ENGINES_MARKS)


def privilege(capability: str) -> str:
    """How fanwhy gets a capability.

    An engine gives a user other than root none of those that it adds to a container
    (capabilities(7), "ambient"; docs.docker.com, "Runtime privilege and Linux capabilities").

    Args:
        capability: as capabilities(7) calls it, such as ``CAP_SYS_PTRACE``.
    """
    if in_engine():
        short = capability.removeprefix("CAP_")
        return f'run fanwhy as root with {capability} (user: "0:0" and cap_add: [{short}])'
    return f"run fanwhy as root or with AmbientCapabilities={capability}"
