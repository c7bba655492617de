"""Real mosquitto brokers from the configuration that we ship, and clients that watch them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from publisher.bus.connection import Patience
from publisher.bus.mqtt import Session, Timing
from publisher.events.outbox import Outbox
from publisher.schema.broker import BrokerSettings
from publisher.schema.message import Message, Request

ROOT = Path(__file__).parents[2]
PASSWORDS = {"fanwhy": "daemon's own", "reader": "read:only", "homeassistant": "ha!"}


def program(name: str) -> str:
    """The path of a server program, also where users without privilege do not look."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert path, f"{name} is missing; `make test` says how to install it"
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(condition: Callable[[], object], timeout: float = 15, what: str = "") -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what or "waited in vain"
        time.sleep(0.01)


class Mosquitto:
    """A mosquitto with the shipped configuration, on a free port of loopback.

    Args:
        listeners: configuration of further listeners, with ``{port}`` where theirs goes.
        anonymous: a broker for everybody instead of the shipped configuration.
    """

    def __init__(self, directory: Path, *, listeners: str = "", anonymous: bool = False) -> None:
        self.directory = directory
        self.port = free_port()
        self.other_port = free_port() if "{port}" in listeners else 0
        self._process: subprocess.Popen[bytes] | None = None
        if anonymous:
            (directory / "config").mkdir()
            self._write("mosquitto.conf", "allow_anonymous true\ninclude_dir config/listeners\n")
        else:
            shutil.copytree(ROOT / "mosquitto", directory / "config")
            shutil.rmtree(directory / "config" / "listeners")
            passwords = self._write("passwords", "")
            for user, password in PASSWORDS.items():
                command = [program("mosquitto_passwd"), "-b", passwords, user, password]
                subprocess.run(command, check=True, capture_output=True)
        (directory / "config" / "listeners").mkdir()
        (directory / "data").mkdir()
        text = f"listener {self.port} 127.0.0.1\n" + listeners.format(port=self.other_port)
        # As root mosquitto would become another user, who may not enter our directory.
        self._write("listeners/test.conf", text + "\nuser root\n")

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / "config" / name
        path.write_text(text)
        return path

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def start(self) -> Mosquitto:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("mosquitto"), "-c", "config/mosquitto.conf"],
                cwd=self.directory, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(lambda: self._answers() or not self.running)
        assert self.running, self.log
        return self

    def stop(self) -> None:
        """In an orderly way: what is retained is saved."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        """At once: what was retained since the start is lost."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self, *, empty: bool = False) -> None:
        """On the same port; ``empty`` forgets what was retained."""
        self.stop()
        if empty:
            for path in (self.directory / "data").iterdir():
                path.unlink()
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        try:
            for port in filter(None, (self.port, self.other_port)):
                socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True


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
                Received(message.topic, message.payload, message.retain, message.properties)
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
            properties = Properties(PacketTypes.PUBLISH)
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
    """Makes running brokers: ``mosquitto(listeners="…", anonymous=False)``."""
    made: list[Mosquitto] = []

    def make(**options: object) -> Mosquitto:
        directory = Path(tempfile.mkdtemp(prefix="fanwhy-test-"))
        made.append(Mosquitto(directory, **options))  # type: ignore[arg-type]
        return made[-1].start()

    yield make
    for broker in made:
        broker.kill()
        shutil.rmtree(broker.directory)


@pytest.fixture
def broker(mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """One running broker with the shipped configuration."""
    return mosquitto()


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


QUICK = Timing(first=0.05, away=0.1, longest=0.1)


@dataclass
class Running:
    """A session, its outbox and what it told."""

    outbox: Outbox
    session: Session | None = None
    states: list[tuple[bool, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    condition: threading.Condition = field(default_factory=threading.Condition)

    @staticmethod
    def status(word: bytes) -> Message:
        return Message(
            topic="host/status", payload=word, qos=1, retain=True, content_type="text/plain"
        )

    def note(self, where: list, what: object) -> None:
        with self.condition:
            where.append(what)
            self.condition.notify_all()

    def wait(self, condition: Callable[[], object]) -> None:
        with self.condition:
            assert self.condition.wait_for(condition, 15), self.states

    def wait_state(self, connected: bool) -> str:
        self.wait(lambda: self.states and self.states[-1][0] is connected)
        return self.states[-1][1]

    def put(self, topic: str, payload: bytes = b"{}", **more: object) -> None:
        more = {"retain": True, "expiry_seconds": 900, **more}
        self.outbox.put(Message(topic=topic, payload=payload, **more))


@pytest.fixture
def run(passwords: dict[str, str]) -> Iterator[Callable[..., Running]]:
    """Makes running sessions of the user ``fanwhy``: ``run(broker.url, protocol="5")``."""
    made = []

    def start(url: str, **settings: object) -> Running:
        outbox = Outbox()
        defaults = {"username": "fanwhy", "password": passwords["fanwhy"]}
        one = Running(outbox)
        one.session = Session(
            BrokerSettings(url=url, **{**defaults, **settings}),
            identity="0123456789abcdef",
            will=one.status(b"offline"),
            will_delay_seconds=1,
            boot_id="boot-1",
            feed=outbox,
            subscriptions=["host/command", "host/info"],
            on_request=lambda request: one.note(one.requests, request),
            on_state=lambda *state: one.note(one.states, state),
            timing=QUICK,
            patience=Patience(connect=5),
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
