"""Real mosquitto brokers from the configuration that we ship, and clients that watch them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from broker.parties import (
    PASSWORDS,
    Certificates,
    Listening,
    MakeBroker,
    Run,
    Running,
    Shipped,
    Watch,
    Watcher,
)
from servers import Mosquitto, program

from publisher.mqtt.backoff import ReconnectTimes
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Timeouts
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session

QUICK = ReconnectTimes(first=0.05, away=0.1, longest=0.1)


@pytest.fixture
def mosquitto() -> Iterator[MakeBroker]:
    """Makes running brokers: ``mosquitto(listeners="…")``."""
    made: list[Shipped] = []

    def make(listeners: str = "") -> Shipped:
        made.append(Shipped(Path(mkdtemp(prefix="fanwhy-test-")), listeners))
        return made[-1].start()

    yield make
    for broker in made:
        broker.kill()
        shutil.rmtree(broker.directory)


@pytest.fixture
def broker(mosquitto: MakeBroker) -> Shipped:
    """One running broker with the shipped configuration."""
    return mosquitto()


@pytest.fixture
def anonymous(tmp_path: Path) -> Iterator[Mosquitto]:
    """One running broker for everybody instead of that."""
    directory = tmp_path / "anonymous"
    directory.mkdir()
    broker = Mosquitto(directory).start()
    yield broker
    broker.kill()


@pytest.fixture
def passwords() -> dict[str, str]:
    """Of the users that the broker knows."""
    return PASSWORDS


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Makes clients: ``watch(broker, "host/#", username="reader", version=5)``."""
    made: list[Watcher] = []

    def make(
        broker: Listening, topic: str = "host/#", *, username: str = "reader",
        password: str | None = None, version: int = 5,
    ) -> Watcher:  # fmt: skip
        watcher = Watcher(broker.port, topic, username=username, password=password, version=version)
        made.append(watcher)
        return watcher

    yield make
    for watcher in made:
        watcher.close()


@pytest.fixture
def run(passwords: dict[str, str]) -> Iterator[Run]:
    """Makes running sessions of the user ``fanwhy``: ``run(broker.url, protocol="5")``."""
    made = []

    def start(url: str, **settings: Any) -> Running:
        outbox = Outbox()
        defaults = {"username": "fanwhy", "password": passwords["fanwhy"]}
        one = Running(outbox)
        one.session = Session(
            BrokerSettings(url=url, **{**defaults, **settings}),
            identity="0123456789abcdef",
            will=one.status(b"offline"),
            will_delay_seconds=1,
            boot_id="boot-1",
            outbox=outbox,
            subscriptions=["host/command", "host/info"],
            on_request=lambda request: one.note(one.requests, request),
            on_state=lambda *state: one.note(one.states, state),
            times=QUICK,
            timeouts=Timeouts(connect=5),
        )
        outbox.wake = one.session.wake
        outbox.put(one.status(b"online"))
        one.session.start()
        made.append(one)
        return one

    yield start
    for one in made:
        one.session.stop([one.status(b"offline")], timeout=3)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        command = [program("openssl"), *arguments]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for authority in ("ca", "stranger"):
        openssl("req", "-x509", *curve, "-days", "3650", "-subj", f"/CN={authority}",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign",
                "-keyout", f"{authority}.key", "-out", f"{authority}.crt")  # fmt: skip
    for name in ("server", "client"):
        (directory / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "3650", "-extfile", f"{name}.ext",
                "-out", f"{name}.crt")  # fmt: skip
    return Certificates(directory)
