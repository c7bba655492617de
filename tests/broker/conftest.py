"""Real mosquitto brokers from the configuration that we ship, and clients that watch them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import REPOSITORY, Mosquitto, free_port, program, wait_until

from publisher.contract.messages import Message, Request
from publisher.mqtt.backoff import ReconnectTimes
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Timeouts
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session

PASSWORDS = {"fanwhy": "daemon's own", "reader": "read:only", "homeassistant": "ha!"}


class Shipped(Mosquitto):
    """A mosquitto with the configuration that we ship, on a free port of loopback.

    Args:
        listeners: configuration of further listeners, with ``{port}`` where theirs goes.
    """

    def __init__(self, directory: Path, listeners: str = "") -> None:
        super().__init__(directory)
        shutil.copytree(REPOSITORY / "mosquitto", directory / "config")
        self.configuration = directory / "config/mosquitto.conf"
        passwords = directory / "config/passwords"
        passwords.touch()
        for user, password in PASSWORDS.items():
            command = [program("mosquitto_passwd"), "-b", str(passwords), user, password]
            subprocess.run(command, check=True, capture_output=True)
        (directory / "data").mkdir()
        shutil.rmtree(directory / "config/listeners")
        (directory / "config/listeners").mkdir()
        self.other_port = free_port() if "{port}" in listeners else 0
        (directory / "config/listeners/test.conf").write_text(
            f"listener {self.port} 127.0.0.1\n{listeners.format(port=self.other_port)}\nuser root\n"
        )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def start(self, *more_ports: int) -> Shipped:
        return super().start(*filter(None, [self.other_port]), *more_ports)

    def restart(self, *, empty: bool = False) -> None:
        """On the same port; ``empty`` forgets what was retained."""
        self.stop()
        if empty:
            for path in (self.directory / "data").iterdir():
                path.unlink()
        self.start()


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    retain: bool
    properties: Properties | None = field(compare=False, default=None)

    @property
    def user_properties(self) -> dict[str, str]:
        return dict(getattr(self.properties, "UserProperty", []))


class Watcher:
    """A client that collects what it is sent.

    Args:
        topic: the filter that it subscribes to.
    """

    def __init__(
        self, port: int, topic: str, *, username: str = "reader", password: str | None = None,
        version: int = 5,
    ) -> None:  # fmt: skip
        self.messages: list[Received] = []
        self._condition = threading.Condition()
        self._subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            protocol=paho.MQTTv5 if version == 5 else paho.MQTTv311,
        )
        self._client.username_pw_set(username, password or PASSWORDS.get(username))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._condition:
            self.messages.append(
                Received(message.topic, bytes(message.payload), message.retain, message.properties)
            )
            self._condition.notify_all()

    def wait(self, condition: Callable[[list[Received]], object], timeout: float = 15) -> None:
        """Returns when the condition on all messages so far holds."""
        with self._condition:
            ok = self._condition.wait_for(lambda: condition(self.messages), timeout)
        assert ok, [(each.topic, each.payload[:200]) for each in self.messages]

    def last(self, topic: str) -> Received | None:
        """The newest message on a topic."""
        return next((each for each in reversed(self.messages) if each.topic == topic), None)

    def wait_for(self, topic: str, payload: bytes | None = None, timeout: float = 15) -> Received:
        """The newest message on a topic, once there is one, with this payload if one is given."""

        def there(_: object) -> bool:
            last = self.last(topic)
            return last is not None and payload in (None, last.payload)

        self.wait(there, timeout)
        last = self.last(topic)
        assert last
        return last

    def clear(self) -> None:
        with self._condition:
            self.messages.clear()

    def publish(
        self, topic: str, payload: bytes = b"", *, retain: bool = False, qos: int = 1,
        response_topic: str = "", correlation_data: bytes = b"",
    ) -> None:  # fmt: skip
        properties = None
        if response_topic:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = response_topic
            properties.CorrelationData = correlation_data
        self._client.publish(topic, payload, qos, retain, properties).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    """Waits for what nobody notifies us of: ``wait_until(lambda: …, timeout=15)``."""
    return wait_until


@pytest.fixture
def mosquitto() -> Iterator[Callable[..., Mosquitto]]:
    """Makes running brokers: ``mosquitto(listeners="…", anonymous=False)``.

    Anonymous is one for everybody instead of the configuration that we ship.
    """
    made: list[Mosquitto] = []

    def make(listeners: str = "", *, anonymous: bool = False) -> Mosquitto:
        directory = Path(tempfile.mkdtemp(prefix="fanwhy-test-"))
        made.append(Mosquitto(directory) if anonymous else Shipped(directory, listeners))
        return made[-1].start()

    yield make
    for broker in made:
        broker.kill()
        shutil.rmtree(broker.directory)


@pytest.fixture
def broker(mosquitto: Callable[..., Any]) -> Shipped:
    """One running broker with the shipped configuration."""
    return cast("Shipped", mosquitto())


@pytest.fixture
def passwords() -> dict[str, str]:
    """Of the users that the broker knows."""
    return PASSWORDS


@pytest.fixture
def watch() -> Iterator[Callable[..., Watcher]]:
    """Makes clients: ``watch(broker, "host/#", username="reader", version=5)``."""
    made: list[Watcher] = []

    def make(broker: Mosquitto, topic: str = "host/#", **options: object) -> Watcher:
        made.append(Watcher(broker.port, topic, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for watcher in made:
        watcher.close()


QUICK = ReconnectTimes(first=0.05, away=0.1, longest=0.1)


@dataclass
class Running:
    """A session, its outbox and what it told."""

    outbox: Outbox
    session: Session = field(init=False)
    states: list[tuple[bool, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    condition: threading.Condition = field(default_factory=threading.Condition)

    @staticmethod
    def status(word: bytes) -> Message:
        return Message(
            topic="host/status", payload=word, qos=1, retain=True, content_type="text/plain"
        )

    def note(self, where: list[Any], what: object) -> None:
        with self.condition:
            where.append(what)
            self.condition.notify_all()

    def wait(self, condition: Callable[[], object]) -> None:
        with self.condition:
            assert self.condition.wait_for(condition, 15), self.states

    def wait_state(self, connected: bool) -> str:
        self.wait(lambda: self.states and self.states[-1][0] is connected)
        return self.states[-1][1]

    def put(self, topic: str, payload: bytes = b"{}", **more: Any) -> None:
        more = {"retain": True, "expiry_seconds": 900, **more}
        self.outbox.put(Message(topic=topic, payload=payload, **more))


@pytest.fixture
def run(passwords: dict[str, str]) -> Iterator[Callable[..., Running]]:
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


@dataclass(frozen=True)
class Certificates:
    """An authority, a server of it on 127.0.0.1, a client of it, and a stranger authority."""

    directory: Path

    def __getattr__(self, name: str) -> str:
        stem, _, suffix = name.rpartition("_")
        return str(self.directory / f"{stem}.{suffix}")  # ca_crt, server_key, …


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
