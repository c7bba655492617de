"""``fanwhy-sub notify`` through bad nights: each thing is told to each target once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from broker.receivers import Mailbox, Receiver, Webhook
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto, Server, wait_until

from publisher.contract.payload import rfc3339

pytestmark = pytest.mark.broker

SECRETS = ("s3cret-token", "s3cret-password", "s3cret-topic")


class Notifier(Server):
    """``fanwhy-sub notify`` with a configuration and a memory of its own."""

    def __init__(self, directory: Path, url: str, configuration: str) -> None:
        super().__init__(directory / "notify.log")
        self.config = directory / "fanwhy.toml"
        self.config.write_text(configuration)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
        self.environment = {
            **kept, "FANWHY_BROKER": url, "FANWHY_CONFIG": str(self.config), "HOME": str(directory),
            "XDG_CONFIG_HOME": "", "STATE_DIRECTORY": str(directory / "state"),
        }  # fmt: skip

    def start(self, *words: str) -> Notifier:
        command = [sys.executable, "-m", "subscriber_cli", *(words or ("notify",))]
        self.launch(command, env=self.environment)
        return self

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "subscriber_cli", *words], env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def waiting(self) -> int:
        """How much no target is known to have taken."""
        connection = sqlite3.connect(Path(self.environment["STATE_DIRECTORY"], "notify.sqlite"))
        try:
            return int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0])
        finally:
            connection.close()

    def wait_for(self, text: str, times: int = 1) -> None:
        wait_until(lambda: self.said.count(text) >= times or not self.running, 30, text)
        assert self.said.count(text) >= times, self.said


class Host:
    """Publishes what a daemon would."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self.told: list[str] = []

    def say(self, leaf: str, content: Any, *, retain: bool = True) -> None:
        wait_until(self._client.is_connected)
        if isinstance(content, dict):
            content = json.dumps({"host": "nas", "time": rfc3339(time.time()), **content})
        self._client.publish(f"host/{leaf}", content, 1, retain).wait_for_publish(20)

    def fail_disks(self, count: int, severity: str = "warning") -> None:
        """So many alerts, each about another disk."""
        for _ in range(count):
            number = len(self.told)
            self.told.append(f"Disk sd{number:03} fails")
            self.say(
                "event",
                {"id": f"run-{number}", "event": "alert_raised", "alert": "disk_failing",
                 "severity": severity, "message": self.told[-1]},
                retain=False,
            )  # fmt: skip

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def host(mosquitto: Mosquitto) -> Iterator[Host]:
    made = Host(mosquitto)
    made.say("status", "online")
    yield made
    made.close()


@dataclass
class Receivers:
    """A webhook, a server that speaks as ntfy does, and a mail server."""

    webhook: Webhook
    ntfy: Webhook
    mailbox: Mailbox

    @property
    def all(self) -> tuple[Receiver, ...]:
        return self.webhook, self.ntfy, self.mailbox

    def configuration(self, more: str = "") -> str:
        mail = "smtp=127.0.0.1&from=nas@example.org&to=me@example.org"
        return f"""
            [notify]
            group_minutes = 0
            {more}
            [notify.targets]
            hook = "json://127.0.0.1:{self.webhook.port}/{SECRETS[0]}?rto=2"
            chat = "ntfy://me:{SECRETS[1]}@127.0.0.1:{self.ntfy.port}/{SECRETS[2]}?rto=2"
            mail = "mailto://127.0.0.1:{self.mailbox.port}/?{mail}"
        """


MakeNotifier = Callable[[str], Notifier]


@pytest.fixture
def notifier(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[MakeNotifier]:
    """Makes notifiers of a configuration; they end with the test."""
    made: list[Notifier] = []

    def make(configuration: str) -> Notifier:
        made.append(Notifier(tmp_path, mosquitto.url, configuration))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.stop()


@pytest.fixture
def receivers(webhook: Webhook) -> Iterator[Receivers]:
    made = Receivers(webhook, Webhook(), Mailbox())
    yield made
    made.ntfy.stop()
    made.mailbox.stop()


def has_all(receiver: Receiver, host: Host) -> bool:
    return set(host.told) <= set(receiver.subjects)


def settled(host: Host, *receivers: Receiver) -> None:
    """Waits until every disk was told of, and holds that none was twice."""
    for receiver in receivers:
        wait_until(partial(has_all, receiver, host), 60)
        assert set(receiver.subjects.values()) == {1}, receiver.taken


def through_faults_of_targets(it: Notifier, host: Host, to: Receivers) -> None:
    """Forty things, while one target after the other does not take them."""
    to.webhook.mode = to.mailbox.mode = "refuse"  # and the third is not held up
    host.fail_disks(20)
    settled(host, to.ntfy)
    wait_until(lambda: to.webhook.refused and to.mailbox.refused, 30)
    to.webhook.mode = to.mailbox.mode = "ok"
    settled(host, *to.all)

    to.ntfy.mode = "hang"
    to.mailbox.stop()
    host.fail_disks(20)
    settled(host, to.webhook)
    it.wait_for("chat: not taken")
    to.ntfy.mode = "ok"
    to.ntfy.released.set()
    to.mailbox.start()
    settled(host, *to.all)


def test_a_hundred_things_are_told_once_whatever_is_away_in_between(
    notifier: MakeNotifier, mosquitto: Mosquitto, host: Host, receivers: Receivers
) -> None:
    it = notifier(receivers.configuration())
    it.start().wait_for("connected to")
    host.fail_disks(20)
    settled(host, *receivers.all)
    through_faults_of_targets(it, host, receivers)

    mosquitto.kill()
    it.wait_for("trying again until it works")
    mosquitto.start()
    host.fail_disks(20)
    settled(host, *receivers.all)

    # Killed between a target's word and the note of it, it would send that again: there is no
    # way to know.
    wait_until(lambda: not it.waiting)
    it.kill()
    host.fail_disks(20)
    it.start().wait_for("connected to", times=3)
    settled(host, *receivers.all)

    assert len(host.told) == 100
    assert it.end(signal.SIGTERM) == 0
    assert not [secret for secret in SECRETS if secret in it.said]
    assert sum(len(receiver.taken) for receiver in receivers.all) < 60


def test_quiet_hours_hold_back_what_is_not_urgent_until_they_are_over(
    notifier: MakeNotifier, host: Host, receivers: Receivers
) -> None:
    now = datetime.now().astimezone()
    begin, end = (f"{now + timedelta(hours=each):%H:%M}" for each in (-2, 2))
    quiet = receivers.configuration(f'quiet_hours = "{begin}-{end}"')
    it = notifier(quiet)
    it.start().wait_for("connected to")
    host.fail_disks(3)
    host.fail_disks(1, "critical")
    wait_until(lambda: all(receiver.taken for receiver in receivers.all), 30)
    wait_until(lambda: it.waiting == 9)
    it.end()
    assert [receiver.subjects for receiver in receivers.all] == [{"Disk sd003 fails": 1}] * 3

    it.config.write_text(receivers.configuration())
    it.start()
    settled(host, *receivers.all)
    assert [len(receiver.taken) for receiver in receivers.all] == [2] * 3  # the three together
    assert receivers.webhook.taken[1][0] == "fanwhy: 3 things"
    it.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_loses_and_doubles_nothing(
    notifier: MakeNotifier, host: Host, webhook: Webhook
) -> None:
    line = f'[notify]\nurl = "json://127.0.0.1:{webhook.port}/s3cret-token"\ngroup_minutes = 0'
    it = notifier(line)
    folder = Path(it.environment["STATE_DIRECTORY"])
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        it.start().wait_for("connected to")
        filler = folder / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        host.fail_disks(30)
        it.wait_for("trying again until it works")
        filler.unlink()
        settled(host, webhook)
        assert it.end(signal.SIGTERM) == 0
    finally:
        it.kill()
        subprocess.run(["umount", folder], check=True)


def test_one_line_is_enough_and_two_do_not_send(
    notifier: MakeNotifier, host: Host, webhook: Webhook
) -> None:
    line = f'[notify]\nurl = "json://127.0.0.1:{webhook.port}/s3cret-token"\nenabled = true'
    it = notifier(line)
    it.start("serve").wait_for("connected to")
    second = it.command("notify")
    assert second.returncode == 1
    assert "another fanwhy-sub sends messages; end that" in second.stderr
    host.fail_disks(1)
    settled(host, webhook)
    assert it.end(signal.SIGTERM) == 0


def test_it_is_tried_out_and_checked(notifier: MakeNotifier, host: Host, webhook: Webhook) -> None:
    host.say("timeline", {"causes": [{"label": "Restic backup", "group": "restic backup"}]})
    configuration = f"""
        [notify.targets]
        phone = "json://127.0.0.1:{webhook.port}/s3cret-token"
        [notify.rules.backup]
        cause = ["restik*"]
        missing_by = "06:00"
    """
    it = notifier(configuration)
    checked = it.command("notify", "check")
    assert checked.returncode == 0, checked.stderr
    assert "backup: of the last two days nothing fits restik*" in checked.stdout
    assert "the nearest is restic backup" in checked.stdout.casefold()
    assert checked.stdout.endswith("phone: an address\n")
    assert webhook.taken == []

    tried = it.command("notify", "test", "backup")
    assert (tried.returncode, tried.stdout) == (0, "phone: taken\n")
    assert webhook.taken[0][0] == "fanwhy: a test"
    webhook.stop()
    tried = it.command("notify", "test")
    assert tried.returncode == 1
    assert "phone: failed: " in tried.stdout
    assert "s3cret" not in tried.stdout + tried.stderr

    it.config.write_text('[notify]\nurl = "nfty://ntfy.sh/s3cret-topic"')
    wrong = it.command("notify")
    assert wrong.returncode == 2
    assert "notify: target default: no address that Apprise knows" in wrong.stderr
    assert "s3cret" not in wrong.stderr
