"""The battery: a real daemon, a real broker, a proxy between them, and what may happen to them.

``tests/faults`` holds each member once; ``bench/faults`` tries them with other seeds, and
``bench/soak`` for as long as wanted.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM

from event_count import Reader, Tally, have_noted
from faulty_proxy import DOWN, UP, Proxy
from servers import Daemon, Mosquitto, wait_until

_KEEPS = """\
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
"""
CONFIGURATION = """\
[broker]
url = "{url}"
keepalive_seconds = 5
[sampling]
period_seconds = {period}
rest_period_seconds = {period}
[homeassistant]
enabled = {discovery}
"""
_SETTLES = 60.0  # seconds


class Pauses:
    """Waits of random length, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def __call__(self, shortest: float, longest: float) -> None:
        time.sleep(self.random.uniform(shortest, longest))


@dataclass
class Stage:
    """Who takes part."""

    folder: Path
    broker: Mosquitto
    proxy: Proxy
    daemon: Daemon
    reader: Reader
    tally: Tally
    pause: Pauses

    def wait_for_more(self, count: int = 5, timeout: float = 60) -> None:
        """Until the reader has seen so many more events."""
        wanted = len(self.reader.ids) + count
        wait_until(
            lambda: len(self.reader.ids) >= wanted or not self.daemon.running,
            timeout,
            f"no events arrive; see {self.daemon.log}",
        )
        assert self.daemon.running, self.daemon.log.read_text(errors="replace")[-2000:]

    def stop_broker(self, number: int = SIGTERM) -> None:
        self.broker.end(number)
        self.proxy.refusing = True
        self.reader.subscribed.clear()

    def start_broker(self) -> None:
        """Lets the daemon in once the reader is there: what comes is then handed on at once."""
        self.broker.start()
        assert self.reader.subscribed.wait(30)
        self.proxy.refusing = False

    def restart_broker(self, number: int = SIGTERM, *, empty: bool = False) -> None:
        self.stop_broker(number)
        if empty:
            self.folder.joinpath("mosquitto.db").unlink(missing_ok=True)
        self.pause(0, 2)
        self.start_broker()

    def kill_daemon(self) -> None:
        self.tally.kills.append(time.monotonic())
        self.daemon.kill()

    def reload(self, **changed: object) -> None:
        """SIGHUP, with a file that may say something else."""
        values = {"url": self.proxy.url, "period": 0.5, "discovery": "false", **changed}
        self.daemon.config.write_text(CONFIGURATION.format(**values))
        self.daemon.signal(SIGHUP)


@contextlib.contextmanager
def staged(folder: Path, seed: int, *, more: int = 2, **settings: object) -> Iterator[Stage]:
    """All of them running, and events on their way.

    Args:
        folder: for what they keep; empty.
        seed: of every random choice.
        more: events that the daemon makes up at each sample.
        settings: of the daemon's configuration.
    """
    with contextlib.ExitStack() as stack:
        broker = Mosquitto(folder, _KEEPS.format(folder=folder)).start()
        stack.callback(broker.kill)
        proxy = Proxy(broker.port)
        stack.callback(proxy.close)
        reader = Reader(broker.port)
        stack.callback(reader.close)
        values = {"url": proxy.url, "period": 0.5, "discovery": "false", **settings}
        daemon = Daemon(folder, CONFIGURATION.format(**values))
        stack.callback(daemon.kill)
        noted = folder / "noted"
        have_noted(daemon, noted, more)
        daemon.start()
        stage = Stage(
            folder, broker, proxy, daemon, reader, Tally(noted, proxy, reader), Pauses(seed)
        )
        stage.wait_for_more()
        yield stage


# --- what may happen ------------------------------------------------------------------------------

Fault = Callable[[Stage], None]


def _refused(stage: Stage) -> None:
    stage.proxy.refusing = True
    stage.proxy.cut()
    stage.pause(2, 5)


def _hung_up_on(stage: Stage) -> None:
    stage.proxy.hanging_up = True
    stage.proxy.hang_up()
    stage.pause(2, 5)


def _cut(stage: Stage) -> None:
    for _ in range(3):
        stage.proxy.cut()
        stage.pause(0.5, 2)


def _hung_up(stage: Stage) -> None:
    stage.proxy.hang_up()


def _half_closed(stage: Stage) -> None:
    stage.proxy.half_close()


def _truncated(way: str, stage: Stage) -> None:
    stage.proxy.truncating = way
    wait_until(lambda: not stage.proxy.truncating, 30)


def _delayed(stage: Stage) -> None:
    stage.proxy.delay = stage.pause.random.uniform(0.05, 0.4)
    stage.pause(4, 8)


def _mute(*ways: str) -> Fault:
    def mute(stage: Stage) -> None:
        stage.proxy.mute = frozenset(ways)
        stage.pause(9, 12)  # longer than the connection may be silent

    return mute


def _briefly_mute(stage: Stage) -> None:
    stage.proxy.mute = frozenset({stage.pause.random.choice((UP, DOWN))})
    stage.pause(1, 3)


def _unacknowledged(stage: Stage) -> None:
    before = stage.proxy.passed.swallowed
    stage.proxy.swallowing = True
    with contextlib.suppress(AssertionError):  # a wary daemon gets no further than its status
        wait_until(lambda: stage.proxy.passed.swallowed > before)
    stage.proxy.swallowing = False
    stage.proxy.cut()


def _broker_ended(number: int, stage: Stage) -> None:
    stage.restart_broker(number)


def _broker_emptied(stage: Stage) -> None:
    stage.restart_broker(empty=True)


def _broker_frozen(stage: Stage) -> None:
    stage.broker.signal(SIGSTOP)
    try:
        stage.pause(3, 12)
    finally:
        stage.broker.signal(SIGCONT)


def _reloaded(stage: Stage) -> None:
    for _ in range(3):
        stage.reload()
        stage.pause(0, 1.5)


def _reloaded_otherwise(stage: Stage) -> None:
    """A new presence: another connection, which goes on with what waits."""
    stage.reload(discovery="true")
    stage.pause(1, 4)
    stage.reload()


def _reloaded_without_broker(stage: Stage) -> None:
    stage.stop_broker()
    stage.reload(discovery="true")
    stage.pause(2, 4)
    stage.reload()
    stage.start_broker()


def _daemon_killed(stage: Stage) -> None:
    stage.pause(0, 1)
    stage.kill_daemon()
    stage.daemon.start()


def _daemon_killed_without_broker(stage: Stage) -> None:
    stage.stop_broker()
    made = len(stage.tally.made())
    wait_until(lambda: len(stage.tally.made()) > made + 4, 60)
    stage.kill_daemon()
    stage.start_broker()
    stage.daemon.start()


def _daemon_restarted(stage: Stage) -> None:
    assert stage.daemon.end(SIGTERM) == 0
    stage.daemon.start()


def _daemon_frozen(stage: Stage) -> None:
    stage.daemon.signal(SIGSTOP)
    try:
        stage.pause(3, 12)
    finally:
        stage.daemon.signal(SIGCONT)


def _journal_is_rubbish(stage: Stage) -> None:
    stage.daemon.stop()
    with stage.daemon.state.joinpath("events").open("ab") as file:
        file.write(b"+ x y\n- \n\xff\xfe\0" + os.urandom(1000) + b"\n+ half a li")
    stage.daemon.start()


FAULTS: Mapping[str, Fault] = {
    "connections refused": _refused,
    "connections closed at once": _hung_up_on,
    "connection reset": _cut,
    "connection closed": _hung_up,
    "connection half closed": _half_closed,
    "packet to the broker cut in half": partial(_truncated, UP),
    "packet to the daemon cut in half": partial(_truncated, DOWN),
    "every packet late": _delayed,
    "nothing reaches the broker": _mute(UP),
    "nothing reaches the daemon": _mute(DOWN),
    "nothing reaches anybody": _mute(UP, DOWN),
    "silence for a moment": _briefly_mute,
    "acknowledgements lost": _unacknowledged,
    "broker ended": partial(_broker_ended, SIGTERM),
    "broker killed": partial(_broker_ended, SIGKILL),
    "broker emptied": _broker_emptied,
    "broker frozen": _broker_frozen,
    "configuration read again": _reloaded,
    "configuration changed": _reloaded_otherwise,
    "configuration changed without a broker": _reloaded_without_broker,
    "daemon killed": _daemon_killed,
    "daemon killed without a broker": _daemon_killed_without_broker,
    "daemon restarted": _daemon_restarted,
    "daemon frozen": _daemon_frozen,
    "journal damaged": _journal_is_rubbish,
}


def run(stage: Stage, fault: Fault) -> None:
    """Has it happen, ends it, and waits until events arrive again."""
    fault(stage)
    stage.proxy.heal()
    stage.wait_for_more()
