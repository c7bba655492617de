"""``fanwhy-sub record`` through bad nights: no event is lost, doubled or made up."""

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
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from broker.parties import Shipped
from paho.mqtt.enums import CallbackAPIVersion
from servers import Daemon, Mosquitto, Server, wait_until

from publisher.contract.payload import rfc3339

pytestmark = pytest.mark.broker

CATALOGUE = {
    "host": "nas",
    "properties": {"cpu": {"properties": {"usage_percent": {"x-kind": "gauge", "x-unit": "%"}}}},
}


class Recorder(Server):
    """``fanwhy-sub record`` into a file of its own."""

    def __init__(self, directory: Path, url: str, **environment: str) -> None:
        super().__init__(directory / "record.log")
        self.database = directory / "archive" / "archive.sqlite"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("FANWHY_")}
        self.environment = {
            **kept, "FANWHY_BROKER": url, "HOME": str(directory), "XDG_CONFIG_HOME": "",
            **environment,
        }  # fmt: skip

    def start(self, *more: str) -> Recorder:
        command = [sys.executable, "-m", "subscriber_cli", "record"]
        options = ["--database", str(self.database), *more]
        self.launch([*command, *options], env=self.environment)
        return self

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        wait_until(lambda: self.said.count(text) >= times or not self.running, 20, text)
        assert self.said.count(text) >= times, self.said

    def rows(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    @property
    def events(self) -> list[str]:
        """The ids of all that is kept."""
        return [row[0] for row in self.rows("SELECT id FROM event ORDER BY at")]


class Host:
    """Publishes what a daemon would."""

    def __init__(self, broker: Mosquitto, **credentials: str) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        if credentials:
            self._client.username_pw_set(**credentials)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._time = 1_790_000_000.0
        self.told: list[str] = []

    def say(self, leaf: str, content: Any, *, retain: bool = True, qos: int = 1) -> None:
        self._time += 1
        wait_until(self._client.is_connected)
        content = {"host": "nas", "time": rfc3339(self._time), **content}
        payload = json.dumps(content)
        self._client.publish(f"host/{leaf}", payload, qos, retain).wait_for_publish(20)

    def happen(self, count: int) -> None:
        """So many events."""
        for _ in range(count):
            self.told.append(f"run-{len(self.told):04}")
            self.say("event", {"id": self.told[-1], "event": "cause_began"}, retain=False)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def recorder(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Recorder]:
    made = Recorder(tmp_path, mosquitto.url)
    yield made
    made.kill()


@pytest.fixture
def host(mosquitto: Mosquitto) -> Iterator[Host]:
    made = Host(mosquitto)
    made.say("catalogue", CATALOGUE)
    yield made
    made.close()


@pytest.fixture
def load() -> Iterator[Callable[[], None]]:
    """Four processes that keep the machine busy, without a parent of ours; a call ends them."""
    one = "xz -9e -T1 -c /dev/zero >/dev/null 2>&1 &"
    start = f"for _ in 1 2 3 4; do {one} done; echo $$"
    group = int(subprocess.check_output(["sh", "-c", start], start_new_session=True))

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    yield end
    end()


def settled(recorder: Recorder, host: Host) -> None:
    """Every event is there, once, and nothing else."""
    wait_until(lambda: set(host.told) <= set(recorder.events), 20, "events are missing")
    assert sorted(recorder.events) == sorted(host.told)


def test_no_event_is_lost_and_none_is_made_up(
    recorder: Recorder, host: Host, mosquitto: Mosquitto
) -> None:
    recorder.start().wait_for("connected to")
    host.happen(30)
    settled(recorder, host)

    # The recorder is killed while events come, some of them not yet written.
    host.happen(5)
    recorder.kill()
    host.happen(40)
    recorder.start().wait_for("connected to", times=2)
    settled(recorder, host)

    # The broker is killed.
    mosquitto.kill()
    recorder.wait_for("trying again until it works")
    mosquitto.start()
    recorder.wait_for("connected to", times=3)
    host.happen(20)
    settled(recorder, host)

    # It is ended in an orderly way.
    assert recorder.end(signal.SIGTERM) == 0
    host.happen(3)
    recorder.start()
    settled(recorder, host)
    assert "Traceback" not in recorder.said


@pytest.mark.timeout(400)
def test_a_real_load_is_told_of_though_everything_was_killed_meanwhile(
    tmp_path: Path, recorder: Recorder, mosquitto: Mosquitto, load: Callable[[], None]
) -> None:
    (tmp_path / "daemon").mkdir()
    daemon = Daemon(tmp_path / "daemon", f"[broker]\nurl = '{mosquitto.url}'\n")
    try:
        daemon.start()
        recorder.start().wait_for("connected to")
        wait_until(lambda: of_the_load(recorder, "span"), 110, "no span of the load")

        recorder.kill()
        away = time.time()
        wait_until(lambda: time.time() > away + 20, timeout=30)
        recorder.start().wait_for("connected to", times=2)
        load()
        # What has happened the daemon remembers aloud within a minute.
        wait_until(lambda: "filled_since" in str(recorder.rows("SELECT body FROM span")), 90)
        mosquitto.kill()
        daemon.kill()
        mosquitto.start()
        daemon.start()
        recorder.wait_for("connected to", times=3)
        wait_until(lambda: of_the_load(recorder, "event", "cause_ended"), 60, "its end is not told")

        assert_none_is_missing(recorder.events)
        then = ask(recorder, "why", "--at", rfc3339(away + 10), "--json")
        assert any("xz" in str(cause) for cause in json.loads(then)["causes"])
        assert "xz" in ask(recorder, "history", "--since", "1 h ago")
        bill = json.loads(ask(recorder, "report", "--json"))
        assert any("xz" in each["label"] for each in bill["culprits"] if each["named_minutes"])
    finally:
        daemon.kill()


def of_the_load(recorder: Recorder, table: str, word: str = "") -> bool:
    bodies = [body for (body,) in recorder.rows(f"SELECT body FROM {table}")]
    return any("xz" in body and word in body for body in bodies)


def ask(recorder: Recorder, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "subscriber_cli", *words, "--database", recorder.database],
        env=recorder.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_none_is_missing(events: list[str]) -> None:
    """A daemon numbers the events of each of its runs: the numbers have no holes."""
    runs: dict[str, set[int]] = {}
    for name in events:
        run, _, number = name.rpartition("-")
        if number.isdigit():
            runs.setdefault(run, set()).add(int(number))
    assert runs
    for run, numbers in runs.items():
        assert numbers == set(range(1, max(numbers) + 1)), run


def yesterday_of(now: float) -> dict[str, Any]:
    """What a host remembers of a day on which somebody with an evil name was busy."""
    end = time.mktime((*time.localtime(now)[:3], 0, 0, 0, 0, 0, -1))
    began, ended = rfc3339(end - 7200), rfc3339(end - 3600)
    cause = {"label": "\x1b[2Jevil", "resource": "cpu", "began": began, "ended": ended}
    state = {"state": "busy", "headline": "It was \x1b[2Jevil", "began": began, "ended": ended}
    usage = {"began": began, "step_seconds": 300, "cpu_percent": [80.0] * 12}
    return {
        "since": began, "until": rfc3339(now), "causes": [cause], "states": [state],
        "series": [usage],
    }  # fmt: skip


def test_the_bill_of_the_last_day_is_published_once(
    tmp_path: Path, mosquitto: Mosquitto, host: Host
) -> None:
    bills: list[Any] = []
    reader = paho.Client(CallbackAPIVersion.VERSION2)
    reader.on_message = lambda _client, _data, message: bills.append(message)
    reader.connect("127.0.0.1", mosquitto.port)
    reader.subscribe("+/report")
    reader.loop_start()
    recorder = Recorder(tmp_path, mosquitto.url, FANWHY_REPORT__PUBLISH="true")
    try:
        host.say("timeline", yesterday_of(time.time()))
        recorder.start().wait_for("connected to")
        wait_until(lambda: recorder.rows("SELECT billed FROM host WHERE billed > 0"), 60)
        (bill,) = bills
        told = json.loads(bill.payload)
        assert (bill.topic, told["host"], told["busy_minutes"]) == ("host/report", "nas", 60)
        assert told["culprits"][0]["label"] == "\\x1b[2Jevil"

        # Killed and back, it looks again, and the broker has it still.
        recorder.kill()
        recorder.start().wait_for("connected to", times=2)
        back = time.time()
        wait_until(lambda: time.time() > back + 17, timeout=30)
        assert len(bills) == 1
        late: list[Any] = []
        reader.message_callback_add("host/report", lambda *words: late.append(words[2].retain))
        reader.subscribe("host/report")
        wait_until(lambda: late, 10)
        assert late == [True]
    finally:
        recorder.kill()
        reader.loop_stop()


def test_a_broker_that_does_not_let_it_publish_the_bill_is_told_of(
    tmp_path: Path, passwords: dict[str, str]
) -> None:
    directory = tmp_path / "shipped"
    directory.mkdir()
    broker = Shipped(directory).start()
    recorder = Recorder(
        tmp_path, broker.url, FANWHY_BROKER__USERNAME="reader", FANWHY_REPORT__PUBLISH="true",
        FANWHY_BROKER__PASSWORD=passwords["reader"],
    )  # fmt: skip
    host = Host(broker, username="fanwhy", password=passwords["fanwhy"])
    try:
        host.say("timeline", yesterday_of(time.time()))
        recorder.start().wait_for("host/report")
        assert "does not take what we publish to host/report (not authorized)" in recorder.said
    finally:
        host.close()
        recorder.kill()
        broker.kill()


def test_what_cannot_be_written_is_told_once_and_written_later(
    recorder: Recorder, host: Host
) -> None:
    recorder.start().wait_for("connected to")
    host.happen(3)
    settled(recorder, host)
    holder = sqlite3.connect(recorder.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    host.happen(30)
    recorder.wait_for("another program holds it; end that; trying again until it works")
    holder.execute("ROLLBACK")
    holder.close()

    recorder.wait_for("writing again")
    settled(recorder, host)
    assert recorder.said.count("another program holds it") == 1


def test_a_damaged_file_is_told_and_another_one_is_begun_once_it_is_moved_away(
    recorder: Recorder, host: Host
) -> None:
    recorder.database.parent.mkdir()
    recorder.database.write_bytes(b"no database at all, but long enough for a header" * 40)
    recorder.start().wait_for("it is no archive; move it away")
    assert recorder.running
    recorder.database.rename(recorder.database.with_suffix(".old"))

    recorder.wait_for("connected to")
    host.happen(3)
    settled(recorder, host)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_is_told_and_what_the_broker_keeps_is_written_later(
    recorder: Recorder, host: Host
) -> None:
    folder = recorder.database.parent
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    try:
        recorder.start().wait_for("connected to")
        host.happen(3)
        settled(recorder, host)
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        host.happen(30)
        recorder.wait_for("trying again until it works")
        filler.unlink()
        recorder.wait_for("writing again")
        settled(recorder, host)
    finally:
        recorder.kill()
        subprocess.run(["umount", folder], check=True)


def test_it_may_do_with_what_the_shipped_broker_allows_a_reader(
    tmp_path: Path, passwords: dict[str, str]
) -> None:
    directory = tmp_path / "shipped"
    directory.mkdir()
    broker = Shipped(directory).start()
    credentials = {
        "FANWHY_BROKER__USERNAME": "reader", "FANWHY_BROKER__PASSWORD": passwords["reader"],
    }  # fmt: skip
    recorder = Recorder(tmp_path, broker.url, **credentials)
    host = Host(broker, username="fanwhy", password=passwords["fanwhy"])
    try:
        recorder.start().wait_for("connected to")
        host.say("catalogue", CATALOGUE)
        host.say("cpu", {"usage_percent": 12.5}, qos=0)
        host.happen(5)
        settled(recorder, host)
        recorder.kill()
        host.happen(5)
        recorder.start()
        settled(recorder, host)
    finally:
        host.close()
        recorder.kill()
        broker.kill()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_both_versions_of_mqtt_keep_events(
    tmp_path: Path, mosquitto: Mosquitto, host: Host, protocol: str
) -> None:
    recorder = Recorder(tmp_path, mosquitto.url, FANWHY_BROKER__PROTOCOL=protocol)
    recorder.start().wait_for("connected to")
    recorder.kill()
    host.happen(25)
    recorder.start()
    settled(recorder, host)
    recorder.kill()


def test_two_do_not_record_into_one_file(recorder: Recorder, host: Host) -> None:
    recorder.start().wait_for("connected to")
    second = subprocess.run(
        [sys.executable, "-m", "subscriber_cli", "record", "--database", recorder.database],
        env=recorder.environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "another fanwhy-sub records into it" in second.stderr.splitlines()[-1]
    del host


def test_serve_runs_what_is_enabled(tmp_path: Path, mosquitto: Mosquitto, host: Host) -> None:
    config = tmp_path / "fanwhy.toml"
    recorder = Recorder(tmp_path, mosquitto.url, FANWHY_CONFIG=str(config))
    recorder.database.parent.mkdir()
    command = [sys.executable, "-m", "subscriber_cli", "serve"]
    config.write_text("")
    idle = subprocess.run(
        command, env=recorder.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (idle.returncode, idle.stderr) == (
        2,
        (
            "fanwhy-sub: nothing to serve; "
            "set enabled = true in [record], [notify], [metrics] or [web]\n"
        ),
    )

    config.write_text(f"[record]\nenabled = true\ndatabase = '{recorder.database}'\n")
    recorder.launch(command, env=recorder.environment)
    recorder.wait_for("connected to")
    host.happen(3)
    settled(recorder, host)
    assert recorder.end(signal.SIGTERM) == 0
