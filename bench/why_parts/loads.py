"""Workloads with a name of their own, as people have them: scripts, units, containers, games.

With some of the workloads they are what is drawn from where several work at once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from why_parts.machine import cgroup_of
from why_parts.workloads import (
    CONTAINER_ID,
    WORKLOADS,
    Workload,
    fake_miner,
    some_files,
)

_SCRIPTS = {
    "nightly.sh": (
        '#!/bin/bash\nwhile :; do\n    tar cf - data | gzip -9 > "archive-$$.tar.gz"\ndone\n'
    ),
    "sync_photos.py": (
        "import hashlib, pathlib, shutil\n"
        "while True:\n"
        "    shutil.rmtree('photos', ignore_errors=True)\n"
        "    shutil.copytree('data', 'photos')\n"
        "    for photo in pathlib.Path('photos').iterdir():\n"
        "        hashlib.sha1(photo.read_bytes()).hexdigest()\n"
    ),
    "leak.py": (
        "kept = []\n"
        "while True:\n"
        "    kept.append(bytes(range(256)) * 4096)\n"
        "    if len(kept) > 250:\n"
        "        kept.clear()\n"
        "    sum(kept[-1])\n"
    ),
    "photo-index.py": "n = 1\nwhile True:\n    n = n * 6364136223846793005 % 998244353\n",
}


def scripts(folder: Path) -> None:
    some_files(folder)
    for name, text in _SCRIPTS.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _burner(name: str) -> Callable[[Path], None]:
    """Makes a program of that name, which nobody knows and which only counts."""

    def setup(folder: Path) -> None:
        fake_miner(folder)
        (folder / "xmrig").rename(folder / name)

    return setup


def _place(kind: str, name: str) -> Callable[[Path], Callable[[], None]]:
    """A cgroup as a service manager or a container engine names it, for what the script does."""

    def setup(folder: Path) -> Callable[[], None]:
        scripts(folder)
        _burner("thumbd")(folder)
        entering, undo = cgroup_of(name)
        (folder / f"enter-{kind}").write_text(entering)
        return undo

    return setup


def _stockfish(folder: Path) -> None:
    (folder / "moves").write_text("setoption name Threads value 2\ngo infinite\n")


_OWN = (
    Workload(
        "nightly",
        "backup",
        "nightly.sh",
        "./nightly.sh",
        "tar gzip",
        scripts,
        words="nightly|archiving|gzip|tar",
        own="nightly.sh",
    ),
    Workload(
        "photos",
        "backup",
        "sync_photos.py",
        "python3 sync_photos.py",
        "python3",
        scripts,
        words="sync_photos|sync photos",
        own="sync_photos",
    ),
    Workload(
        "leak",
        "shell|unknown",
        "leak.py",
        "python3 leak.py",
        "python3",
        scripts,
        words="leak.py",
        own="leak.py",
    ),
    Workload(
        "stockfish",
        "gaming",
        "stockfish",
        "(cat moves; sleep 600) | /usr/games/stockfish",
        "stockfish",
        _stockfish,
        words="stockfish",
    ),
    Workload(
        "unheard", "unknown", "qzcrunch", "./qzcrunch", "cc", _burner("qzcrunch"), words="qzcrunch"
    ),
    Workload(
        "unit",
        "unknown|indexing|media",
        "photo-index",
        ". ./enter-unit; python3 photo-index.py",
        "python3 cc",
        _place("unit", "system.slice/photo-index.service"),
        words="photo-index|photo index",
        own="photo-index",
    ),
    Workload(
        "box",
        "unknown|virtualization",
        "thumbd",
        ". ./enter-box; ./thumbd",
        "python3 cc",
        _place("box", f"docker/{CONTAINER_ID}"),
        words=f"thumbd|{CONTAINER_ID[:6]}",
    ),
    Workload(
        "grep",
        "shell",
        "grep",
        "find /usr/share /usr/lib -type f -exec grep -l zzqxzz {} +",
        "find grep",
        words="grep|find|text search|file processing|search",
    ),
)

_ALSO = (
    "make",
    "borg",
    "restic",
    "pgbench",
    "redis",
    "ffmpeg",
    "training",
    "nginx",
    "clamscan",
    "xz",
    "7z",
    "stress",
    "git",
    "openssl",
)

LOADS = (*_OWN, *(load for load in WORKLOADS if load.name in _ALSO))
"""What is drawn from."""


def prepare(load: Workload, folder: Path) -> Callable[[], None] | None:
    """Makes its folder and what it needs there."""
    folder.mkdir()
    return load.setup(folder) if load.setup else None


def failed(reason: BaseException) -> str:
    """Why a preparation failed, in a line."""
    said = reason.stderr if isinstance(reason, subprocess.CalledProcessError) else None
    return (said.decode(errors="replace").strip() if said else str(reason))[-200:]
