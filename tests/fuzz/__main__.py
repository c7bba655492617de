"""Looks for what a parser cannot bear, for as long as it is let.

    python -m fuzz [--seconds 60] [--seed 0] [TARGET]…

Guided by coverage where atheris is installed, which ``make fuzz`` sees to where it can; else by
chance, with a seed. An input that is a finding is written below ``.cache/fuzz`` and its end told;
what is mended goes to ``tests/fuzz/corpus/<target>``, where the suite tries it for ever.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz.targets import Target


FOUND = Path(__file__).parents[2] / ".cache" / "fuzz"
_LONGEST = 1 << 16
_SLOW_SECONDS = 5.0


def by_chance(target: Target, name: str, seconds: float, seed: int) -> tuple[int, int]:
    """(inputs tried, findings) of one target."""
    from fuzz.mutations import mutated  # as below

    chance = random.Random(f"{seed} {name}")  # no secret
    corpus = target.corpus(name)
    ends = time.monotonic() + seconds
    tried, seen = 0, set()
    while time.monotonic() < ends:
        data = corpus[tried] if tried < len(corpus) else mutated(chance, corpus)[:_LONGEST]
        tried += 1
        began = time.process_time()
        try:
            target.run(data)
        except Exception as error:  # noqa: BLE001  # that is what we look for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = (type(error).__name__, frame.filename, frame.lineno)
            if where not in seen:
                seen.add(where)
                _keep(name, data, "".join(traceback.format_exception(error)[-3:]))
        if time.process_time() - began > _SLOW_SECONDS:
            seen.add(("slow", name, len(data)))
            _keep(name, data, f"took {time.process_time() - began:.1f} s")
    return tried, len(seen)


def _keep(name: str, data: bytes, told: str) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{hashlib.blake2b(data, digest_size=6).hexdigest()}"
    path.write_bytes(data)
    print(f"{name}: {path}\n{told}", flush=True)


def by_coverage(target: Target, name: str, seconds: float, seed: int) -> int:
    """The exit code of atheris on one target, in a process of its own: it never comes back."""
    folder = FOUND / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for data in target.corpus(name):
        (folder / hashlib.blake2b(data, digest_size=8).hexdigest()).write_bytes(data[:_LONGEST])
    options = [
        f"-max_total_time={round(seconds)}",
        f"-max_len={_LONGEST}",
        f"-seed={seed + 1}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-timeout=20",
        "-rss_limit_mb=2000",
        "-verbosity=0",
    ]
    command = [sys.executable, "-m", "fuzz", "--guided", name, *options, str(folder)]
    return subprocess.run(command, check=False).returncode


def _guided(name: str, options: list[str]) -> None:
    import atheris  # not everywhere

    # Before anything of ours is loaded, and that alone: it takes as long as there is code.
    with atheris.instrument_imports(include=["publisher", "subscriber_cli"]):
        from fuzz.targets import TARGETS as WATCHED
    atheris.Setup([name, *options], WATCHED[name].run)
    atheris.Fuzz()


def _has_atheris() -> bool:
    with contextlib.suppress(ImportError):
        import atheris  # noqa: F401

        return True
    return False


def main() -> int:
    if sys.argv[1:2] == ["--guided"]:
        _guided(sys.argv[2], sys.argv[3:])
        return 0
    from fuzz.targets import TARGETS  # not before atheris may watch it

    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--by-chance", action="store_true", help="even where atheris is installed")
    told = parser.parse_args()
    failed = False
    for name in told.targets or TARGETS:
        if not told.by_chance and _has_atheris():
            code = by_coverage(TARGETS[name], name, told.seconds, told.seed)
            failed |= code != 0
            print(f"{name}: {'no finding' if code == 0 else f'ended with {code}'}", flush=True)
            continue
        tried, found = by_chance(TARGETS[name], name, told.seconds, told.seed)
        failed |= found > 0
        print(f"{name}: {tried} inputs, {found} findings", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
