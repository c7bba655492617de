"""``fanwhy-pub check`` against a real broker: what works, and what to do about what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from publisher.cli.examination import Finding, examine
from publisher.cli.loading import load_settings
from publisher.config.load import Loaded
from publisher.config.state_folder import state_dir
from publisher.daemon.settings import Settings
from publisher.sources.files import KernelFiles
from publisher.sources.identity import machine_id

pytestmark = pytest.mark.broker


@pytest.fixture
def settings(broker: Any, passwords: dict[str, str]) -> Loaded[Settings]:
    """As the daemon has them with the broker that we ship."""
    return load_settings(
        config="/dev/null",
        environment={
            "FANWHY_BROKER": broker.url,
            "FANWHY_BROKER__USERNAME": "fanwhy",
            "FANWHY_BROKER__PASSWORD": passwords["fanwhy"],
        },
    )


def _changed(loaded: Loaded[Settings], **broker: Any) -> Loaded[Settings]:
    settings = loaded.settings
    return replace(loaded, settings=replace(settings, broker=replace(settings.broker, **broker)))


def _findings(loaded: Loaded[Settings]) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(loaded)}


@pytest.mark.parametrize(("protocol", "words"), [("auto", "MQTT 5"), ("3.1.1", "MQTT 3.1.1")])
def test_all_is_well(settings: Loaded[Settings], broker: Any, protocol: str, words: str) -> None:
    found = _findings(_changed(settings, protocol=protocol))
    assert list(found) == ["configuration", "broker", "credentials", "rights", "prefix"]
    assert all(finding.ok for finding in found.values()), found
    assert found["broker"].detail == f"mqtt://127.0.0.1:{broker.port} speaks {words}"
    assert found["credentials"].detail == "fanwhy is let in"
    assert found["prefix"].detail == "host/ is free"


def test_it_leaves_no_trace(
    settings: Loaded[Settings], broker: Any, watch: Callable[..., Any]
) -> None:
    before = watch(broker)
    _findings(settings)
    before.wait_for("host/info")
    # It speaks on one topic, and what it says is not kept.
    (message,) = {message.topic: message for message in before.messages}.values()
    assert (message.topic, message.retain) == ("host/info", False)
    assert watch(broker).messages == []


def test_a_broker_that_keeps_nothing(
    settings: Loaded[Settings], mosquitto: Callable[..., Any]
) -> None:
    broker = mosquitto(listeners="retain_available false\n")
    found = _findings(_changed(settings, url=broker.url))
    assert all(finding.ok for finding in found.values()), found
    assert "no retained messages" in found["retained"].detail
    assert found["rights"].ok


def test_wrong_credentials(settings: Loaded[Settings], broker: Any) -> None:
    found = _findings(_changed(settings, password="271828"))
    assert list(found) == ["configuration", "broker", "credentials"]
    assert found["credentials"] == Finding(
        "credentials",
        False,
        f"mqtt://127.0.0.1:{broker.port}: not authorised; check user name and password",
    )


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
def test_a_user_who_may_not_publish(
    settings: Loaded[Settings], passwords: dict[str, str], protocol: str
) -> None:
    found = _findings(
        _changed(settings, username="reader", password=passwords["reader"], protocol=protocol)
    )
    assert not found["rights"].ok
    assert "let user reader write host/# and read host/info" in found["rights"].fix


def test_another_machine_is_there(
    settings: Loaded[Settings], broker: Any, watch: Callable[..., Any]
) -> None:
    neighbour = {"host": "nas\x1b[2J", "machine_id": "f" * 32}
    daemon = watch(broker, username="fanwhy", topic="host/command")
    daemon.publish("host/info", json.dumps(neighbour).encode(), retain=True)
    found = _findings(settings)
    assert not found["prefix"].ok
    assert found["prefix"].detail == "another machine, nas\x1b[2J, publishes below host/"
    assert "host/{hostname}" in found["prefix"].fix
    elsewhere = replace(settings, settings=replace(settings.settings, prefix="host/{hostname}"))
    assert _findings(elsewhere)["prefix"].ok


def test_we_are_there_already(
    settings: Loaded[Settings], broker: Any, watch: Callable[..., Any]
) -> None:
    info = {"host": "me", "machine_id": machine_id(KernelFiles(), state_dir())}
    daemon = watch(broker, username="fanwhy", topic="host/command")
    daemon.publish("host/info", json.dumps(info).encode(), retain=True)
    found = _findings(settings)
    assert found["prefix"] == Finding("prefix", True, "host/ is this machine's")
    assert found["rights"].ok
    # What is retained is still there, as it was.
    later = watch(broker)
    assert json.loads(later.wait_for("host/info").payload) == info


@pytest.mark.parametrize("payload", [b"not JSON", b"[]", b'{"host": 1}', b"\xff", b"[" * 50_000])
def test_something_else_is_there(
    settings: Loaded[Settings], broker: Any, watch: Callable[..., Any], payload: bytes
) -> None:
    watch(broker, username="fanwhy", topic="host/command").publish(
        "host/info", payload, retain=True
    )
    found = _findings(settings)
    assert found["prefix"].detail == "what is on host/info is not fanwhy's"


def test_tls_files_that_are_missing(settings: Loaded[Settings], tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.crt")
    found = _findings(_changed(settings, url="mqtts://127.0.0.1:1", ca_file=missing))
    assert found["broker"].detail == f"broker.ca_file: no such file: {missing}"
