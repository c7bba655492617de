"""Loads that begin in steps: what shows of them first is not what they do later.

A scan lists its files, sorts the list, and only then reads; a scrub reads in the kernel for a
program that waits; a camera's loop warms up before it computes.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from why_parts.workloads import Workload

_SCRIPTS = {
    "reindex.sh": (
        "#!/bin/bash\n"
        "while :; do\n"
        "    find /usr/share /usr/lib -type f -printf '%s %p\\n' > found\n"
        "    sort -n -k1 found | sort -k2 | sort -n -k1 > list\n"
        '    while read -r _ file; do sha1sum "$file"; done < list > sums\n'
        "done\n"
    ),
    "camera_loop.py": (
        "import time\n"
        "def look(amount):\n"
        "    n = 1\n"
        "    for _ in range(amount):\n"
        "        n = n * 6364136223846793005 % 998244353\n"
        "began = time.monotonic()\n"
        "while True:\n"
        "    lasted = time.monotonic() - began\n"
        "    part = min(0.95, 0.5 + 0.15 * lasted)  # of its time\n"
        "    end = time.monotonic() + 0.1 * part\n"
        "    while time.monotonic() < end:\n"
        "        look(2000)\n"
        "    time.sleep(0.1 * (1 - part))\n"
    ),
}


def _scripts(folder: Path) -> None:
    for name, text in _SCRIPTS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _file_system(folder: Path) -> Callable[[], None]:
    """A btrfs of some data on a file, mounted."""
    image, place = folder / "btrfs.img", folder / "pool"
    with image.open("wb") as file:
        file.truncate(3 << 30)
    place.mkdir(exist_ok=True)
    subprocess.run(["mkfs.btrfs", "-q", "-f", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    for number in range(24):
        (place / f"noise{number}").write_bytes(os.urandom(64 << 20))
    os.sync()

    def undo() -> None:
        subprocess.run(["btrfs", "scrub", "cancel", place], check=False, capture_output=True)
        subprocess.run(["umount", place], check=True)
        image.unlink()

    return undo


def _array(folder: Path) -> None:
    """Folders as SnapRAID guards them."""
    for disk in ("data", "parity", "content"):
        (folder / disk).mkdir(exist_ok=True)
    for number in range(2000):
        (folder / "data" / f"file{number}").write_bytes(os.urandom(300_000))
    (folder / "snapraid.conf").write_text(
        f"parity {folder}/parity/parity\ncontent {folder}/content/content\n"
        f"content {folder}/parity/content\ndata d1 {folder}/data\n"
    )


STEPS = (
    Workload(
        "reindex",
        "shell|indexing|unknown",
        "reindex.sh",
        "./reindex.sh",
        "sha1sum",
        _scripts,
    ),
    Workload(
        "camera",
        "media|smart_home|ai|unknown",
        "camera_loop.py",
        "python3 camera_loop.py",
        "python3",
        _scripts,
    ),
    Workload(
        "duplicates",
        "shell|system|indexing",
        "fdupes|duplicate",
        "fdupes -r -q /usr > dupes",
        "fdupes",
    ),
    Workload(
        "scrub",
        "system",
        "btrfs|scrub",
        "btrfs scrub start -B pool",
        "mkfs.btrfs",
        _file_system,
    ),
    Workload(
        "snapraid",
        "system|backup",
        "snapraid",
        "rm -rf content/* parity/*; snapraid -c snapraid.conf sync",
        "snapraid",
        _array,
    ),
)
"""What is run for ``--steps``."""
