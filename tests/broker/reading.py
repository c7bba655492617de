"""What the tests of ``fanwhy-sub`` need: a daemon that says what it is told, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto

COMMAND = (sys.executable, "-m", "subscriber_cli")
VERDICT: dict[str, Any] = {
    "host": "nas", "time": "2026-01-01T00:00:00.000Z", "schema_version": 1, "state": "busy",
    "headline": "CPU usage high due to: compile job (make -j8)",
    "causes": [{"label": "make -j8", "category": "development", "share_percent": 87}],
}  # fmt: skip


class Daemon:
    """Says what a daemon would, and keeps it on the broker."""

    def __init__(self, broker: Mosquitto, passwords: dict[str, str]) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("fanwhy", passwords["fanwhy"])
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def say(self, topic: str, content: Any, *, retain: bool = True) -> None:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def say_all(self, prefix: str = "host", **changes: Any) -> None:
        usage = {"x-kind": "gauge", "x-unit": "%", "title": "Usage", "x-headline": True}
        cpu = {"properties": {"usage_percent": usage}}
        self.say(f"{prefix}/catalogue", {"properties": {"cpu": cpu}})
        self.say(f"{prefix}/status", b"online")
        self.say(f"{prefix}/cpu", {"host": changes.get("host", "nas"), "usage_percent": 87.4})
        self.say(f"{prefix}/explanation", VERDICT | changes)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def environment(home: Path, url: str, password: str | None = "read:only") -> dict[str, str]:
    """The variables in which the command runs, with nothing of whoever runs the tests."""
    # With LINES and COLUMNS, which pytest's workers may have, a terminal would have one size only.
    ours = ("FANWHY_", "LINES", "COLUMNS")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    kept |= {"HOME": str(home), "XDG_CONFIG_HOME": "", "FANWHY_BROKER": url, "TERM": "xterm"}
    kept |= {"PYTHONWARNINGS": "error"}
    if password:
        kept |= {"FANWHY_BROKER__USERNAME": "reader", "FANWHY_BROKER__PASSWORD": password}
    return kept


RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def running(broker: Mosquitto, home: Path) -> RunCommand:
    """Runs ``fanwhy-sub`` as the user of the shipped configuration who may read."""

    def run(
        *arguments: str, url: str = "", password: str | None = "read:only", **more: str
    ) -> subprocess.CompletedProcess[str]:
        variables = environment(home, url or broker.url, password) | more
        return subprocess.run(
            [*COMMAND, *arguments], env=variables, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip

    return run
