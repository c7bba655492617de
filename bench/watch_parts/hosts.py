"""Many hosts that say what a real daemon said, each in its name and with numbers that change."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from why_parts.listening import ROOT
from why_parts.machine import end, wait_for

from publisher.contract.payload import rfc3339

_ONCE = ("status", "info", "catalogue", "timeline", "picture")
_TURN = ("cpu", "memory", "explanation", "disk", "network", "cpu", "thermal", "overview", "power",
         "self")  # fmt: skip
"""Which of its topics a host speaks of in turn, as far as the daemon had something to say."""
_EVENT_EVERY = 60  # messages
_STATES = ("quiet", "busy", "hot", "cooling", "pressure")
_PROGRAMS = ("Restic backup (restic)", "Software build (make -j8)", "FFmpeg (Jellyfin)",
             "PostgreSQL", "Compression (xz)", "ZFS scrub (tank)")  # fmt: skip


@dataclass
class Made:
    """What was said while it was counted: values of ``cpu/usage_percent``, and events."""

    values: dict[str, set[float]] = field(default_factory=dict)
    events: int = 0
    messages: int = 0
    seconds: float = 0.0


class Hosts:
    """So many hosts that speak for as long as the block lasts.

    Attributes:
        sentence: words of a headline that is always there.
    """

    def __init__(self, port: int, count: int, rate: float, folder: Path) -> None:
        self.sentence = "due to"
        self._port = port
        self._count = count
        self._rate = rate
        self._folder = folder
        self._said: dict[str, Any] = {}
        self._made = Made()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self._random = random.Random(1)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)

    def introduce(self) -> None:
        """Hears a real daemon out, and says everything once for each host, retained."""
        self._hear()
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(1000)
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        for number in range(self._count):
            for leaf, content in self._said.items():
                self._say(number, leaf, content)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._client.loop_stop()

    def stop(self) -> Made:
        """Ends the speaking; what was said."""
        self._over.set()
        self._thread.join()
        return self._made

    def _hear(self) -> None:
        """A real daemon's messages, under a prefix where nobody else listens."""
        listener = mqtt.Client(CallbackAPIVersion.VERSION2)
        listener.on_message = lambda _client, _data, message: self._take(message)
        listener.connect("127.0.0.1", self._port)
        listener.subscribe("model/#")
        listener.loop_start()
        config = self._folder / "model.toml"
        config.write_text("prefix = 'model'\n")
        daemon = subprocess.Popen(
            [sys.executable, "-m", "publisher", "run", "--config", config,
             "--broker", f"mqtt://127.0.0.1:{self._port}"],
            env={**os.environ, "PYTHONPATH": str(ROOT),
                 "STATE_DIRECTORY": str(self._folder / "state")},
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: {"catalogue", "explanation", "cpu", "timeline"} <= self._said.keys())
            time.sleep(8)
        finally:
            end(daemon)
            listener.loop_stop()
        self._said["status"] = "online"

    def _take(self, message: mqtt.MQTTMessage) -> None:
        leaf = message.topic.rpartition("/")[2]
        if message.payload and leaf not in ("status", "event", "picture", "command"):
            self._said[leaf] = json.loads(message.payload)

    def _say(self, number: int, leaf: str, content: Any) -> None:
        name = f"host-{number:02}"
        if isinstance(content, str):
            payload = content
        else:
            payload = json.dumps(
                {**content, "host": name, "time": rfc3339(time.time())}, separators=(",", ":")
            )
        retained = leaf != "event"
        self._client.publish(
            f"host/{name}/{leaf}", payload, qos=0 if leaf in _TURN else 1, retain=retained
        )

    def _speak(self) -> None:
        began = time.monotonic()
        pause = 1 / (self._rate * self._count)
        for turn in self._turns():
            number, leaf = turn
            content = self._said.get(leaf)
            if content is not None:
                self._say(number, leaf, self._changed(number, leaf, dict(content)))
                self._made.messages += 1
            if self._made.messages % _EVENT_EVERY == 0:
                self._happen(number)
            if self._over.wait(max(began + self._made.messages * pause - time.monotonic(), 0.0)):
                break
        self._made.seconds = time.monotonic() - began

    def _turns(self) -> Iterator[tuple[int, str]]:
        spoken = [leaf for leaf in _TURN if leaf in self._said]
        for leaf in cycle(spoken):
            for number in range(self._count):
                yield number, leaf

    def _happen(self, number: int) -> None:
        self._made.events += 1
        event = {"id": f"bench-{self._made.events}", "event": "state_changed", "message": "busy"}
        self._say(number, "event", event)

    def _changed(self, number: int, leaf: str, content: dict[str, Any]) -> dict[str, Any]:
        if leaf == "cpu":
            values = self._made.values.setdefault(f"host/host-{number:02}", set())
            content["usage_percent"] = round(len(values) * 0.001 + 1, 3)  # never the same twice
            values.add(content["usage_percent"])
        elif leaf == "explanation" and self._random.random() < 0.2:
            content["state"] = self._random.choice(_STATES)
            content["headline"] = f"CPU usage high due to: {self._random.choice(_PROGRAMS)}"
            self._said[leaf] = content
        elif leaf == "memory":
            content["used_percent"] = self._random.randrange(20, 90)
        return content


def count_kept(database: Path, made: Made) -> dict[str, int]:
    """How much of what was made is in the archive."""
    found = 0
    with closing(sqlite3.connect(database)) as connection:
        for prefix, values in made.values.items():
            rows = connection.execute(
                "SELECT DISTINCT value FROM point JOIN series ON series.id = series"
                " JOIN host ON host.id = series.host"
                " WHERE host.prefix = ? AND topic = 'cpu' AND path = 'usage_percent'",
                (prefix,),
            )
            found += len({value for (value,) in rows} & values)
        (events,) = connection.execute(
            "SELECT count(*) FROM event WHERE id LIKE 'bench-%'"
        ).fetchone()
    return {
        "values": found,
        "values made": sum(map(len, made.values.values())),
        "events": events,
        "events made": made.events,
    }
