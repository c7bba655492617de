"""Who takes part: brokers with the configuration that we ship, sessions, and who watches them."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import REPOSITORY, Mosquitto, free_port, program

from publisher.contract.messages import Message, Request
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
        shutil.copy(directory / "config/acl", directory / "config/acl.live")
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


def keeping_broker(directory: Path) -> Mosquitto:
    """A broker for everybody that keeps what it has on disk, also when it is killed."""
    directory.mkdir()
    return Mosquitto(
        directory,
        "persistence true\nautosave_on_changes true\nautosave_interval 1\n"
        f"persistence_location {directory}/",
    )


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    retain: bool
    properties: Any = field(compare=False, default=None)
    """As paho gives them: an object with those attributes that came."""

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

    def newest(self, topic: str) -> Received | None:
        """The newest message on a topic, if one came."""
        return next((each for each in reversed(self.messages) if each.topic == topic), None)

    def last(self, topic: str) -> Received:
        """The newest message on a topic."""
        found = self.newest(topic)
        assert found, topic
        return found

    def wait_for(self, topic: str, payload: bytes | None = None, timeout: float = 15) -> Received:
        """The newest message on a topic, once there is one, with this payload if one is given."""

        def there(_: object) -> bool:
            newest = self.newest(topic)
            return newest is not None and payload in (None, newest.payload)

        self.wait(there, timeout)
        return self.last(topic)

    def clear(self) -> None:
        with self._condition:
            self.messages.clear()

    def publish(
        self, topic: str, payload: bytes = b"", *, retain: bool = False, qos: int = 1,
        response_topic: str = "", correlation_data: bytes = b"",
    ) -> None:  # fmt: skip
        properties = None
        if response_topic or correlation_data:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = correlation_data
            if response_topic:
                properties.ResponseTopic = response_topic
        self._client.publish(topic, payload, qos, retain, properties).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


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


@dataclass(frozen=True)
class Certificates:
    """An authority, a server of it on 127.0.0.1, a client of it, and a stranger authority."""

    directory: Path

    def __getattr__(self, name: str) -> str:
        stem, _, suffix = name.rpartition("_")
        return str(self.directory / f"{stem}.{suffix}")  # ca_crt, server_key, …


class Listening(Protocol):
    """Anything that speaks MQTT on loopback."""

    @property
    def port(self) -> int: ...


class MakeBroker(Protocol):
    """Makes running brokers with the configuration that we ship."""

    def __call__(self, listeners: str = "") -> Shipped: ...


class Watch(Protocol):
    """Makes clients of a broker that collect what comes."""

    def __call__(
        self, broker: Listening, topic: str = "host/#", *, username: str = "reader",
        password: str | None = None, version: int = 5,
    ) -> Watcher: ...  # fmt: skip


class Run(Protocol):
    """Makes running sessions of the user ``fanwhy``; the settings are those of a broker."""

    def __call__(self, url: str, **settings: object) -> Running: ...
