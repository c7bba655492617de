"""The whole daemon, as a person starts it, on a real broker with the shipped configuration."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import servers
from broker.parties import MakeBroker, Received, Shipped, Watch
from servers import wait_until

from publisher.contract.model import json_schema
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import all_topics

pytestmark = pytest.mark.broker

ALWAYS = {"status", "catalogue", "info", "overview", "explanation", "cpu", "memory", "self"}


class Daemon(servers.Daemon):
    """A daemon of the user ``fanwhy``, on a broker with passwords, with these settings."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        super().__init__(folder)
        self.port = port
        self.write(**settings)

    def write(self, **settings: str) -> None:
        (self.config.parent / "password").write_text("daemon's own\n")
        (self.config.parent / "password").chmod(0o600)
        top = "".join(f"{name} = {value}\n" for name, value in settings.items())
        self.config.write_text(
            f"{top}[broker]\nurl = 'mqtt://fanwhy@127.0.0.1:{self.port}'\n"
            f"password_file = '{self.config.parent}/password'\n"
        )


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons: ``run(broker, prefix="'host/nas'")``."""
    made: list[Daemon] = []

    def start(broker: Shipped | servers.Mosquitto, **settings: str) -> Daemon:
        made.append(Daemon(tmp_path_factory.mktemp("daemon"), broker.port, **settings))
        return made[-1].start()

    yield start
    for daemon in made:
        daemon.kill()


def leaves(messages: list[Received]) -> set[str]:
    return {message.topic.removeprefix("host/") for message in messages if message.payload}


def after_discovery(messages: list[Received]) -> list[Received]:
    topics = [message.topic.rpartition("/")[2] for message in messages]
    return messages[topics.index("config") :] if "config" in topics else []


def payload(message: Received) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message.payload)
    return found


def test_every_topic_is_there_and_valid_and_a_later_reader_finds_it(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    first = watch(broker)
    run(broker)
    first.wait(lambda messages: leaves(messages) >= ALWAYS)
    first.wait(lambda _: "usage_percent" in payload(first.last("host/cpu")))
    late = watch(broker)
    late.wait(lambda messages: leaves(messages) >= ALWAYS)
    schema = json_schema(readings_of(all_topics()))
    catalogue = payload(late.last("host/catalogue"))
    assert catalogue["properties"] == json.loads(json.dumps(schema["properties"]))
    for message in [*first.messages, *late.messages]:
        leaf = message.topic.removeprefix("host/")
        if leaf == "services" and not message.payload:
            continue  # withdrawn: nobody has asked for it
        if leaf in schema["properties"]:
            # Not the whole document: its own properties are the topics.
            of_topic = {"$defs": schema["$defs"], **schema["properties"][leaf]}
            jsonschema.validate(payload(message), of_topic)
    assert late.last("host/status").payload == b"online"


@pytest.fixture
def load() -> Iterator[int]:
    """A process that keeps a core busy: without its parent a job of its own, not one of ours."""
    start = "xz -9e -T1 -c /dev/zero >/dev/null 2>&1 & echo $!"
    pid = int(subprocess.check_output(["sh", "-c", start], start_new_session=True))
    yield pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_a_busy_program_is_named_and_its_end_noticed(
    broker: Shipped,
    watch: Watch,
    run: Callable[..., Daemon],
    load: int,
) -> None:
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait_for("host/explanation")

    def blamed() -> bool:
        verdict = payload(watcher.last("host/explanation"))
        return any(
            "'xz'" in cause["reason"] and cause["active"] for cause in verdict.get("causes", ())
        )

    watcher.wait(lambda _: blamed())
    assert payload(watcher.last("host/explanation"))["state"] in ("busy", "pressure")
    os.kill(load, signal.SIGKILL)
    watcher.wait(lambda _: not blamed(), timeout=30)

    def told() -> list[dict[str, Any]]:
        return [payload(each) for each in watcher.messages if each.topic == "host/event"]

    def kinds() -> set[str]:
        return {event["event"] for event in told() if "(xz)" in event.get("message", "")}

    watcher.wait(lambda _: kinds() >= {"cause_began", "cause_ended"})
    assert len({event["id"] for event in told()}) == len(told())
    # The broker has confirmed them all: nothing waits on disk.
    wait_until(lambda: (daemon.state / "events").read_bytes() == b"")


def test_sigterm_says_offline_and_ends_well(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait_for("host/status", b"online")
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    assert daemon.end(signal.SIGTERM) == 0
    watcher.wait_for("host/status", b"offline")


def test_a_second_daemon_on_the_same_machine_says_so(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    daemon = run(broker)
    watch(broker).wait_for("host/status", b"online")
    second = daemon.command("run")
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"fanwhy-pub: fanwhy runs already (process {daemon.pid}) ")
    assert str(daemon.state) in line


def test_a_state_folder_that_cannot_be_written_is_said_once(
    broker: Shipped, watch: Watch, tmp_path: Path
) -> None:
    watcher = watch(broker)
    daemon = Daemon(tmp_path, broker.port)
    daemon.state.write_text("a file")
    daemon.start()
    try:
        watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
        assert daemon.end(signal.SIGTERM) == 0
    finally:
        daemon.kill()
    (warning,) = [line for line in daemon.log.read_text().splitlines() if "warning" in line]
    assert warning.startswith(
        f"fanwhy: warning: state folder {daemon.state} cannot be written: File exists; "
    )


def test_sigkill_is_told_by_the_will(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(broker, "host/status")
    daemon = run(broker)
    boot_id = watcher.wait_for("host/status", b"online").user_properties["boot_id"]
    daemon.end(signal.SIGKILL)
    will = watcher.wait_for("host/status", b"offline", timeout=20)
    assert will.user_properties["boot_id"] == boot_id


def test_a_broker_that_comes_back_empty_is_told_everything_again(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(broker)
    run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    broker.kill()
    watcher.clear()
    broker.restart(empty=True)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS, timeout=20)
    assert watcher.last("host/status").payload == b"online"


def test_a_broker_that_keeps_nothing_is_told_everything_on_birth(
    mosquitto: MakeBroker, watch: Watch, run: Callable[..., Daemon]
) -> None:
    broker = mosquitto(listeners="retain_available false\n")
    status = watch(broker, "host/status")
    daemon = run(broker)
    status.wait_for("host/status", b"online")
    home = watch(broker, "#", username="homeassistant")
    for _ in range(2):
        home.clear()
        home.publish("homeassistant/status", b"online")
        home.wait(lambda messages: leaves(after_discovery(messages)) >= ALWAYS, timeout=25)
        assert not any(each.retain for each in home.messages)
    daemon.end(signal.SIGKILL)
    status.wait_for("host/status", b"offline", timeout=20)
    assert daemon.log.read_text().count("no retained messages") == 1


def test_commands(
    broker: Shipped,
    watch: Watch,
    run: Callable[..., Daemon],
) -> None:
    states = watch(broker)
    asker = watch(broker, "host/answer/#", username="homeassistant")
    daemon = run(broker)
    states.wait(lambda messages: leaves(messages) >= ALWAYS)
    sender = watch(broker, "host/status", username="homeassistant")
    states.clear()
    sender.publish("host/command", b"refresh")
    states.wait(lambda messages: leaves(messages) >= ALWAYS)
    sender.publish("host/command", b"why", response_topic="host/answer/me", correlation_data=b"42")
    answer = asker.wait_for("host/answer/me")
    assert payload(answer)["headline"]
    assert answer.properties.CorrelationData == b"42"
    for nonsense in (b"\xff\xfe\x00", b"x" * 100_000, b"\x1b[2Jrm -rf", b""):
        sender.publish("host/command", nonsense)
    sender.publish("host/command", b"refresh")
    states.clear()
    states.wait(lambda messages: "cpu" in leaves(messages))
    wait_until(lambda: "unknown command" in daemon.log.read_text())
    assert "\x1b" not in daemon.log.read_text()
    assert daemon.end(signal.SIGTERM) == 0


OTHER = json.dumps({"machine_id": "somebody else", "host": "other\x1b[31m"}).encode()


def test_two_machines_cannot_share_a_prefix(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    other = watch(broker, "host/command", username="fanwhy")
    other.publish("host/info", OTHER, retain=True)
    daemon = run(broker)
    assert other.wait_for("host/command").payload == b"refresh"
    other.publish("host/info", OTHER, retain=True)
    assert daemon.wait(15) == 1
    line = daemon.log.read_text().splitlines()[-1]
    assert "{hostname}" in line
    assert "other" in line
    assert "\x1b" not in line
    reader = watch(broker)
    assert payload(reader.wait_for("host/info"))["machine_id"] == "somebody else"
    assert "host/status" not in {message.topic for message in reader.messages}


def test_a_real_second_machine_cannot_share_a_prefix(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon], tmp_path: Path
) -> None:
    watcher = watch(broker)
    first = run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    # Another machine: its id is another file's.
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("f" * 32)
    second = run(broker, root=f"'{tmp_path}'")
    assert second.wait(15) == 1
    assert "another machine" in second.log.read_text().splitlines()[-1]
    assert watcher.last("host/status").payload == b"online"
    assert first.end(signal.SIGTERM) == 0


def test_nobody_who_may_write_ends_it(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    stranger = watch(broker, username="fanwhy")
    stranger.publish("host/info", OTHER, retain=True)  # left behind, and nobody there
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    ours = payload(watcher.last("host/info"))["machine_id"]
    assert ours != "somebody else"
    for _ in range(50):
        stranger.publish("host/info", OTHER, retain=True)
        stranger.publish("host/command", b"refresh")
        stranger.publish("host/command", b"\x1b[2J", qos=0)
    watcher.wait_for("host/info", OTHER)
    assert "set prefix" in daemon.log.read_text()
    assert "\x1b" not in daemon.log.read_text()
    assert daemon.end(signal.SIGTERM) == 0
    watcher.wait_for("host/status", b"offline")


def test_nonsense_where_another_machine_would_stand_ends_nothing(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    other = watch(broker, username="fanwhy")
    nested = b"[" * 200_000
    other.publish("host/info", nested, retain=True)
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    other.publish("host/info", nested)
    asker = watch(broker, "host/answer/#", username="homeassistant")
    sender = watch(broker, "host/status", username="homeassistant")
    sender.publish("host/command", b"why", response_topic="host/answer/me")
    asker.wait_for("host/answer/me")
    assert daemon.end(signal.SIGTERM) == 0


def test_what_goes_on_outlives_sighup_and_is_ended_at_the_end(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon], load: int
) -> None:
    watcher = watch(broker)
    daemon = run(broker)

    def told(kind: str) -> list[str]:
        events = [payload(each) for each in watcher.messages if each.topic == "host/event"]
        return [
            event["message"]
            for event in events
            if event["event"] == kind and "(xz)" in event["message"]
        ]

    watcher.wait(lambda _: told("cause_began"), timeout=30)
    assert watcher.last("host/memory").payload
    daemon.write(senses="{ disabled = ['memory'] }")
    daemon.signal(signal.SIGHUP)
    watcher.wait_for("host/memory", b"")  # nobody takes an old value for a new one
    seen = len(watcher.messages)
    watcher.publish("host/command", b"refresh")
    watcher.wait(lambda messages: {"cpu", "explanation"} <= leaves(messages[seen:]))
    assert "memory" not in leaves(watcher.messages[seen:])
    assert payload(watcher.last("host/explanation"))["causes"]
    assert daemon.end(signal.SIGTERM) == 0
    watcher.wait_for("host/status", b"offline")
    watcher.wait(lambda _: told("cause_ended"))
    assert len(told("cause_began")) == len(told("cause_ended")) == 1
    assert told("cause_ended")[0].endswith("no longer watched")


def test_a_prefix_that_is_left_is_left_empty(
    broker: Shipped, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    seen = len(watcher.messages)
    watcher.publish("host/command", b"refresh")  # after which not all of it is said anew
    watcher.wait(lambda messages: leaves(messages[seen:]) >= ALWAYS)
    daemon.write(prefix="'host/nas'")
    daemon.signal(signal.SIGHUP)
    watcher.wait_for("host/nas/explanation")
    kept = watch(broker)
    kept.wait_for("host/nas/explanation")
    assert {message.topic.rpartition("/")[0] for message in kept.messages} == {"host/nas"}


def discovered(messages: list[Received]) -> dict[str, Any]:
    """The newest discovery payload by its first level; those that were withdrawn are missing."""
    newest = {
        message.topic.partition("/")[0]: message.payload
        for message in messages
        if message.topic.endswith("/config")
    }
    return {prefix: json.loads(payload) for prefix, payload in newest.items() if payload}


def test_discovery_follows_the_configuration(
    anonymous: servers.Mosquitto, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(anonymous, "#")
    daemon = run(anonymous)

    def expiry(prefix: str) -> int | None:
        document = discovered(watcher.messages).get(prefix)
        component = document["cmps"]["cpu_usage_percent"] if document else {}
        age: int | None = component.get("exp_aft")
        return age

    watcher.wait(lambda _: expiry("homeassistant") == 900, timeout=30)
    daemon.write(publishing="{ heartbeat_seconds = 1000 }")
    daemon.signal(signal.SIGHUP)
    watcher.wait(lambda _: expiry("homeassistant") == 3000, timeout=30)
    daemon.write(homeassistant="{ discovery_prefix = 'elsewhere' }")
    daemon.signal(signal.SIGHUP)
    watcher.wait(lambda _: expiry("elsewhere") == 900, timeout=30)
    assert expiry("homeassistant") is None, "nobody is shown twice"


def test_names_and_what_is_ignored_follow_the_configuration(
    anonymous: servers.Mosquitto, watch: Watch, run: Callable[..., Daemon]
) -> None:
    watcher = watch(anonymous, "#")
    daemon = run(anonymous)

    def filesystems() -> dict[str, Any]:
        last = watcher.newest("host/disk")
        found: dict[str, Any] = payload(last)["filesystems"] if last and last.payload else {}
        return found

    def entities() -> list[str]:
        document = discovered(watcher.messages).get("homeassistant", {"cmps": {}})
        return [component.get("name", "") for component in document["cmps"].values()]

    watcher.wait(lambda _: any(name.endswith(" usage") for name in entities()), timeout=30)
    identity, one = next(iter(filesystems().items()))
    daemon.write(names=f"{{ '{one['label']}' = 'Treasure' }}")
    daemon.signal(signal.SIGHUP)
    watcher.wait(lambda _: filesystems().get(identity, {}).get("label") == "Treasure", timeout=30)
    watcher.wait(lambda _: "Treasure usage" in entities(), timeout=30)
    daemon.write(ignore=f"{{ filesystems = ['{one['label']}', '/nowhere'] }}")
    daemon.signal(signal.SIGHUP)
    watcher.wait(
        lambda _: watcher.newest("host/disk") and identity not in filesystems(), timeout=30
    )
    watcher.wait(lambda _: "Treasure usage" not in entities(), timeout=60)
    wait_until(lambda: '"/nowhere" fits no file system here' in daemon.log.read_text())


def test_sighup_applies_a_new_configuration_and_keeps_the_connection(
    broker: Shipped,
    watch: Watch,
    run: Callable[..., Daemon],
) -> None:
    watcher = watch(broker)
    daemon = run(broker)
    watcher.wait(lambda messages: leaves(messages) >= ALWAYS)
    daemon.write(hostname="'renamed'")
    watcher.clear()
    daemon.signal(signal.SIGHUP)
    watcher.wait(
        lambda _: (last := watcher.newest("host/cpu")) and payload(last)["host"] == "renamed"
    )
    daemon.write(hostnme="'typo'")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "hostname" in daemon.log.read_text())
    assert daemon.running
    assert daemon.end(signal.SIGTERM) == 0
