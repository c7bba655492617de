"""A daemon with its broker, and someone who hears what it says."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from why_parts.machine import end, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
TOPIC = "host/explanation"
NORMAL = "System load normal"


@dataclass
class Said:
    """One message of the daemon."""

    at: float
    state: str
    headline: str
    causes: list[dict[str, object]]


@dataclass
class Listener:
    """Whoever listens to a daemon.

    Attributes:
        processes: the daemon and its broker, where they are ours.
    """

    said: list[Said] = field(default_factory=list)
    processes: set[int] = field(default_factory=set)

    def on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        self.said.append(
            Said(time.monotonic(), body["state"], body["headline"], body.get("causes", []))
        )

    def at(self, moment: float) -> Said | None:
        return next((s for s in reversed(self.said) if s.at <= moment), None)


def client_of(listener: Listener, topic: str) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = listener.on_message
    client.on_connect = lambda who, *_: who.subscribe(topic)
    return client


@contextlib.contextmanager
def listening_to(address: str) -> Iterator[Listener]:
    """Someone who listens to a daemon that runs already: ``mqtt://[user:password@]host[:port]``.

    A prefix of its topics may follow as the path.
    """
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    listener = Listener()
    client = client_of(listener, f"{prefix}/{TOPIC}" if prefix else TOPIC)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
    client.loop_start()
    try:
        wait_for(lambda: bool(listener.said))
        yield listener
    finally:
        client.loop_stop()


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[Listener]:
    """A broker, the daemon with its default settings, and someone who listens."""
    port = free_port()
    (folder / "broker.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen(
        ["mosquitto", "-c", folder / "broker.conf"], stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    (folder / "config.toml").write_text("")  # the defaults, whatever this machine has
    listener = Listener(processes={broker.pid})
    client = client_of(listener, TOPIC)
    daemon: subprocess.Popen[bytes] | None = None
    try:
        wait_for(lambda: client_connects(client, port))
        client.loop_start()
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "STATE_DIRECTORY": str(folder / "state"),
        }  # fmt: skip
        with (folder / "daemon.log").open("wb") as log:
            daemon = started = subprocess.Popen(
                [sys.executable, "-m", "publisher", "run", "--config", folder / "config.toml",
                 "--broker", f"mqtt://127.0.0.1:{port}"],
                env=environment, stderr=log, start_new_session=True,
            )  # fmt: skip
        listener.processes.add(started.pid)
        wait_for(lambda: bool(listener.said) or started.poll() is not None)
        if started.poll() is not None:
            sys.exit((folder / "daemon.log").read_text())
        yield listener
    finally:
        if daemon is not None:
            end(daemon)
        client.loop_stop()
        end(broker)


def client_connects(client: mqtt.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True
