"""``fanwhy-pub run``: read and check the configuration, then become the daemon.

The daemon is another program in the same process (``exec``): what reading the configuration and
deriving the catalogue take does not stay in memory, and the process keeps its number, which is
what systemd and shells watch.
"""

from __future__ import annotations

import os
import site
import sys
import time
from pathlib import Path

from publisher.cli.options import BROKER_FLAG, Broker, Config, Prefix, settings_of
from publisher.config.load import Loaded
from publisher.config.state_folder import keep_private, state_dir
from publisher.contract.model import json_schema
from publisher.contract.payload import Envelope, encode
from publisher.contract.topics import readings_of
from publisher.daemon.launch import Launch
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError
from publisher.explain.naming.rules import load
from publisher.sources import machine_files
from publisher.sources.identity import describe
from publisher.subsystems.registry import all_topics


def command(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> int:
    """Watch this machine and publish what it does and why, until stopped.

    Without a broker configured or listening on localhost:1883 it starts one of its own, for
    this machine alone. SIGHUP reads the configuration again; SIGTERM and Ctrl-C say offline
    and end.

    Examples:
        fanwhy-pub run
        fanwhy-pub run --broker mqtts://me@broker.local --prefix 'host/{hostname}'
        FANWHY_BROKER=mqtt://nas.local fanwhy-pub run
    """
    launch = prepare(settings_of(broker, prefix, config), prefix, config)
    if broker is not None:  # everybody may read command lines, but not the environment
        os.environ[BROKER_FLAG] = broker
    if home := state_dir():
        keep_private(home)
    if sys.platform == "win32" or not sys.executable:
        from publisher.daemon import __main__ as daemon  # noqa: PLC0415  # only where nothing can be executed

        return daemon.main(launch)
    descriptor = launch.hand_over()
    try:
        os.execve(  # noqa: S606  # our own interpreter
            sys.executable,
            [*python(), "-m", "publisher.daemon", str(descriptor)],
            environment(),
        )
    except OSError as error:
        raise FanwhyError(f"{sys.executable}: cannot be started: {error.strerror}") from error


def prepare(loaded: Loaded[Settings], prefix: str | None, config: str | None) -> Launch:
    """All that the daemon needs; what ``--broker`` said stands in the environment by then.

    Args:
        loaded: the settings.
        prefix: what ``--prefix`` said, for when the daemon reads the configuration again.
        config: likewise ``--config``.
    """
    flags = {"--prefix": prefix, "--config": str(Path(config).absolute()) if config else None}
    given = [word for flag, value in flags.items() if value is not None for word in (flag, value)]
    catalogue = Envelope(loaded.settings.host).wrap(
        json_schema(readings_of(all_topics())), time.time()
    )
    return Launch(
        settings=loaded.settings,
        catalogue=encode(catalogue),
        identity=describe(machine_files(loaded.settings.root), state_dir()),
        reload=(*python(), "-m", "publisher", "config", "--resolved", *given),
        config_path=str(loaded.path or ""),
        rules=load(loaded.settings.explain.rules_file),
    )


def python() -> list[str]:
    """Our interpreter; a folder that happens to be the current one adds no modules."""
    return [sys.executable, "-P"]


_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}
"""What has glibc give memory back: one heap, whose end is trimmed, instead of one a thread, and
limits that stay as they are instead of growing with the largest block ever freed. Python runs one
thread at a time, so that none waits for another's heap (mallopt(3))."""


def environment() -> dict[str, str]:
    """Ours, with how memory is kept, and the place of this package where it would not be found."""
    inherited = {**_ALLOCATOR, **os.environ}
    home = str(Path(__file__).resolve().parents[2])
    known = {str(Path(path).resolve()) for path in [*site.getsitepackages(), *_user_site()]}
    if home in known:
        return inherited
    path = inherited.get("PYTHONPATH")
    return {**inherited, "PYTHONPATH": os.pathsep.join([home, *([path] if path else [])])}


def _user_site() -> list[str]:
    return [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
