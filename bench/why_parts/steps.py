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


def _mounted(folder: Path, make: str, gigabytes: int, files: int) -> Callable[[], None]:
    """A file system of its own in ``pool``, on a file, with so many files of 16 MB."""
    image, place = folder / "pool.img", folder / "pool"
    with image.open("wb") as file:
        file.truncate(gigabytes << 30)
    place.mkdir(exist_ok=True)
    subprocess.run([make, "-q", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    for number in range(files):
        (place / f"noise{number}").write_bytes(os.urandom(16 << 20))
    os.sync()

    def undo() -> None:
        subprocess.run(["umount", place], check=True)
        image.unlink()

    return undo


def _btrfs(folder: Path) -> Callable[[], None]:
    undo = _mounted(folder, "mkfs.btrfs", 3, 100)

    def cancel() -> None:
        subprocess.run(
            ["btrfs", "scrub", "cancel", folder / "pool"], check=False, capture_output=True
        )
        undo()

    return cancel


def _array(folder: Path) -> Callable[[], None]:
    """Files as SnapRAID guards them: its parity has to lie on another device."""
    undo = _mounted(folder, "mkfs.ext4", 2, 80)
    (folder / "parity").mkdir(exist_ok=True)
    (folder / "snapraid.conf").write_text(
        f"parity {folder}/parity/parity\ncontent {folder}/parity/content\n"
        f"content {folder}/pool/content\ndata d1 {folder}/pool\n"
    )
    return undo


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
        "desktop",
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
        _btrfs,
    ),
    Workload(
        "snapraid",
        "system|backup",
        "snapraid",
        "rm -f parity/* pool/content; snapraid -c snapraid.conf sync",
        "snapraid",
        _array,
    ),
)
"""What is run for ``--steps``."""
