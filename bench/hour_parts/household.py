"""A broker, a daemon, a recorder and a witness; the first three can be killed and come back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from why_parts.machine import end, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]


class Household:
    """What a machine runs that has fanwhy and keeps what it says.

    Args:
        folder: an empty one.
        root: where the machine's sensors are found; ``None`` for its own.

    Attributes:
        heard: the events that the witness was sent, by their ids.
        killed: when the daemon was killed and was back, by the clock of the day.
    """

    def __init__(self, folder: Path, root: Path | None) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"mqtt://127.0.0.1:{self._port}"
        self.database = folder / "archive" / "archive.sqlite"
        self.heard: dict[str, dict[str, object]] = {}
        self.killed: list[tuple[float, float]] = []
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")},
            "PYTHONPATH": str(ROOT),
            "STATE_DIRECTORY": str(folder / "state"),
        }
        (folder / "config.toml").write_text(
            (f"root = '{root}'\n" if root else "") + "[report]\nprice_per_kwh = 0.30\n"
        )
        (folder / "broker.conf").write_text(
            f"listener {self._port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"autosave_on_changes true\nautosave_interval 1\npersistence_location {folder}/\n"
            # As another user it could not write there, and would keep nothing.
            "user root\nmax_queued_messages 10000\n"
        )
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._witness = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="witness", clean_session=False
        )
        self._witness.on_message = self._hear
        self._witness.on_connect = lambda who, *_: who.subscribe("host/event", qos=1)
        self._witness.reconnect_delay_set(1, 1)

    def __enter__(self) -> Self:
        self._start_broker()
        self._witness.connect("127.0.0.1", self._port)
        self._witness.loop_start()
        self._start_recorder()
        wait_for(lambda: "connected to" in self._log("record"))
        self._start_daemon()
        wait_for(self._told)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._witness.loop_stop()
        for name in ("daemon", "record", "broker"):
            end(self._running[name])

    @property
    def processes(self) -> set[int]:
        return {process.pid for process in self._running.values()}

    def client(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What ``fanwhy-sub`` answers, of this archive."""
        return subprocess.run(
            [sys.executable, "-m", "subscriber_cli", *words, "--database", self.database,
             "--config", self._folder / "config.toml"],
            env=self._environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def kill_recorder(self, seconds: float) -> None:
        self._kill("record")
        time.sleep(seconds)
        self._start_recorder()

    def kill_broker(self, seconds: float) -> None:
        self._kill("broker")
        time.sleep(seconds)
        self._start_broker()

    def kill_daemon(self, seconds: float) -> None:
        gone = time.time()
        self._kill("daemon")
        time.sleep(seconds)
        self._start_daemon()
        self.killed.append((gone, time.time()))

    def settle(self) -> None:
        """Waits until the recorder has all that was said; the daemon tells its memory again."""
        time.sleep(12)
        end(self._running["daemon"])  # its last word is the whole of the timeline
        time.sleep(12)

    def end_recorder(self) -> None:
        end(self._running["record"])

    def _start_broker(self) -> None:
        self._start("broker", ["mosquitto", "-c", self._folder / "broker.conf"])
        wait_for(self._open)

    def _open(self) -> bool:
        probe = mqtt.Client(CallbackAPIVersion.VERSION2)
        with contextlib.suppress(OSError):
            probe.connect("127.0.0.1", self._port)
            probe.disconnect()
            return True
        return False

    def _start_recorder(self) -> None:
        command = ["-m", "subscriber_cli", "record", "--broker", self.url]
        self._start("record", [sys.executable, *command, "--database", self.database])

    def _start_daemon(self) -> None:
        command = ["-m", "publisher", "run", "--broker", self.url]
        config = self._folder / "config.toml"
        self._start("daemon", [sys.executable, *command, "--config", config])

    def _start(self, name: str, command: list[object]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                list(map(str, command)), env=self._environment, stderr=log, stdout=log,
                start_new_session=True,
            )  # fmt: skip

    def _kill(self, name: str) -> None:
        os.killpg(self._running[name].pid, signal.SIGKILL)
        self._running[name].wait()

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    def _told(self) -> bool:
        if self._running["daemon"].poll() is not None:
            sys.exit(self._log("daemon"))
        return "connected" in self._log("daemon")

    def _hear(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        self.heard[body["id"]] = body
