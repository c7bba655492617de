"""``fanwhy-pub capture``: this machine's kernel files in a folder, to be replayed elsewhere."""

from __future__ import annotations

import platform
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from publisher.cli.options import Config, settings_of
from publisher.cli.replay import SECOND, STEP_SECONDS, replay, write_expected
from publisher.contract.units import Unit, humanise
from publisher.errors import ConfigError, FanwhyError
from publisher.pipeline import Pipeline, PipelineSettings
from publisher.sources import Sources, machine_files
from publisher.sources.masking import Masker
from publisher.sources.recording import Recording, write
from publisher.subsystems.selection import ChooseSettings, IgnoreSettings


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")
    ],
    config: Config = None,
) -> None:
    """Copy the kernel files that one sample opens, so that this machine can be replayed.

    Serial numbers, world-wide names, network addresses, UUIDs, the host's name and home
    directories are replaced. Look through the folder before you send it to anybody.

    Examples:
        fanwhy-pub capture ./my-machine
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory}: exists and is not empty; name another folder")
    settings = settings_of(None, None, config).settings
    if foreign := machine_files(settings.root).foreign:
        raise FanwhyError(f"{foreign} has no kernel files to copy; psutil tells of this machine")
    try:
        # Who is to read it has another configuration.
        everything = replace(settings, ignore=IgnoreSettings(), choose=ChooseSettings(), names={})
        capture(directory, everything)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be written: {error.strerror or error}") from error
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {humanise(size, Unit.BYTES)} in {directory}")
    print("Masked: serial numbers, addresses, UUIDs, names of hosts and users.")
    print("Look through it before you send it: names of volumes and mount points are still there.")


def capture(directory: Path, settings: PipelineSettings, *, pause: float = STEP_SECONDS) -> None:
    """Takes two samples of this machine and writes what they read, and what came of it.

    Args:
        directory: gets ``proc/…``, ``sys/…``, what differed in the second sample below
            ``second/``, and ``expected.json`` with the readings of a replay.
        settings: which machine, and what of it to leave alone.
        pause: seconds between the samples.
    """
    recording = Recording(settings.root)
    pipeline = Pipeline.of(settings, sources=Sources(files=recording), ledger=False, patient=True)
    pipeline.sample()
    first = recording.contents
    recording.again()
    time.sleep(pause)
    pipeline.sample()
    pipeline.close()
    second, recording.contents = recording.contents, first
    mask = Masker(socket.gethostname(), platform.node().partition(".")[0])
    directory.mkdir(parents=True, exist_ok=True)
    write(recording, directory, mask)
    changed = {path: content for path, content in second.items() if first.get(path) != content}
    if changed:
        recording.contents, recording.listings, recording.present = changed, {}, set()
        write(recording, directory / SECOND, mask)
    write_expected(directory, replay(directory))
