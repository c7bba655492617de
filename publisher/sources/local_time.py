"""The local time of a host that is watched from inside a container, whose own is UTC.

Source: ``/etc/localtime`` (man 5 localtime) below the root.
"""

from __future__ import annotations

import os
import time
from collections import deque

from publisher.sources.files import KernelFiles

_MOST_LINKS = 40  # as the kernel allows on one path


def follow(files: KernelFiles) -> None:
    """Makes the host's local time this process's, unless ``TZ`` says which one is wanted."""
    if not files.root or not files.live or "TZ" in os.environ or not hasattr(time, "tzset"):
        return
    path = below(files.root, "/etc/localtime")
    if os.path.isfile(path):  # noqa: PTH113  # as the rest of this path's handling
        os.environ["TZ"] = f":{path}"
        time.tzset()


def below(root: str, path: str) -> str:
    """Where a path of the host's leads to, its links followed as on the host."""
    done: list[str] = []
    todo = deque(part for part in path.split("/") if part)
    links = 0
    while todo:
        part = todo.popleft()
        if part == "..":
            done = done[:-1]
            continue
        here = "/".join([root, *done, part])
        if links < _MOST_LINKS and os.path.islink(here):  # noqa: PTH114
            links += 1
            target = os.readlink(here)  # noqa: PTH115
            if target.startswith("/"):
                done = []
            todo.extendleft(reversed([step for step in target.split("/") if step not in {"", "."}]))
        else:
            done.append(part)
    return "/".join([root, *done])
