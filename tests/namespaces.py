"""Python that runs in namespaces of its own, where it may mount what it likes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def alone(code: str, folder: Path) -> Any:
    """What a script prints last, as JSON; ``sys.argv[1]`` is a folder of its own.

    It has mounts and network interfaces that nobody else sees, and that end with it.
    """
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--propagation", "private",
         sys.executable, "-c", code, folder],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
