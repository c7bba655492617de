"""All that can be set, gathered from the layers that obey it, and how it reaches the daemon.

``publisher.config`` fills these from flags, environment and file; the daemon gets them ready
made, as a ``Launch``, so that it need not load what parsing and checking take.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from publisher.bus.homeassistant import HomeAssistantSettings
from publisher.errors import FanwhyError
from publisher.explain.settings import ExplainSettings
from publisher.ledger.settings import LedgerSettings
from publisher.schema.broker import BrokerSettings
from publisher.schema.messages import InfoReading
from publisher.schema.setting import setting
from publisher.schema.topics import DEFAULT_PREFIX, Topics
from publisher.subsystems.smart import SmartSettings

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How often the machine is looked at."""

    period_seconds: float = setting(
        2.0, "Seconds between two samples while the machine works.", minimum=0.5, maximum=60
    )
    rest_period_seconds: float = setting(
        6.0,
        "Seconds between two samples while it rests; period_seconds where that is longer.",
        minimum=0.5,
        maximum=300,
    )
    pulse: bool = setting(
        True,
        "Look at the processors' busy time twice a second in between (some 20 µs each), so that "
        "an onset is seen at once.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingSettings:
    """When a message goes out."""

    heartbeat_seconds: float = setting(
        300.0,
        "Longest silence of a topic; nothing goes out in between while nothing changes.",
        minimum=5,
        maximum=86400,
    )
    heartbeats: Mapping[str, float] = setting(
        dict,
        "Longest silence in seconds of single topics, by name.",
        example="{ cpu = 60, memory = 600 }",
        minimum=5,
        maximum=86400,
    )
    min_interval_seconds: float = setting(
        1.0,
        "Shortest time between two messages of a topic whose numbers move; "
        "changes of state go out at once.",
        minimum=0.1,
        maximum=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SensesSettings:
    """What is looked at."""

    disabled: tuple[str, ...] = setting(
        (), "Subsystems that are left alone, by name.", example='["gpu"]'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Sections are tables of the file."""

    prefix: str = setting(
        DEFAULT_PREFIX,
        "First levels of every topic. With several machines on one broker: host/{hostname}.",
        example="host/{hostname}",
    )
    hostname: str | None = setting(
        None, "The name this machine goes by. Unset: the one the machine has.", example="nas"
    )
    root: str = setting(
        "/",
        "Where the machine's /proc and /sys are found; /host, for one, in a container that has "
        "them mounted there.",
    )
    log_level: str = setting("info", "The least that is worth a line.", options=LOG_LEVELS)
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    publishing: PublishingSettings = field(default_factory=PublishingSettings)
    senses: SensesSettings = field(default_factory=SensesSettings)
    explain: ExplainSettings = field(default_factory=ExplainSettings)
    smart: SmartSettings = field(default_factory=SmartSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    homeassistant: HomeAssistantSettings = field(default_factory=HomeAssistantSettings)

    @property
    def host(self) -> str:
        """The name that payloads carry."""
        return self.hostname or socket.gethostname() or "unnamed"

    @property
    def topics(self) -> Topics:
        """The topics under the resolved prefix.

        Raises:
            ConfigError: the prefix makes no usable topic.
        """
        return Topics.for_host(self.prefix, self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that the daemon needs from the command that starts it.

    Attributes:
        catalogue: the payload of the catalogue topic, ready to publish.
        identity: who this machine is: what ``host/info`` says that never changes.
        reload: the command whose standard output is a newer ``Launch``, for SIGHUP; it exits
            with another code than 0, and a line on standard error, when the file is wrong.
        config_path: the file that was read, empty when there was none.
    """

    settings: Settings
    catalogue: bytes
    identity: InfoReading
    reload: tuple[str, ...] = ()
    config_path: str = ""

    def dump(self) -> bytes:
        """For another process of the same fanwhy."""
        return pickle.dumps(self)

    @classmethod
    def parse(cls, content: bytes) -> Launch:
        """The inverse of ``dump``.

        Raises:
            FanwhyError: it holds something else.
        """
        try:
            launch = pickle.loads(content)  # noqa: S301  # made by our own parent or child
        except Exception as error:
            raise FanwhyError(f"not started by fanwhy-pub run: {error}") from error
        if not isinstance(launch, cls):
            raise FanwhyError("not started by fanwhy-pub run")
        return launch

    def hand_over(self) -> int:
        """A descriptor that a program started by ``exec`` may read this from."""
        content = self.dump()
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("fanwhy-launch", 0)
        else:
            # A pipe would hold no more than 16 to 64 KiB without a reader.
            import tempfile  # noqa: PLC0415  # only where there is no memfd

            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.set_inheritable(descriptor, True)
        with open(descriptor, "wb", closefd=False) as file:  # a descriptor
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @classmethod
    def take_over(cls, descriptor: int) -> Launch:
        """What ``hand_over`` left in an inherited descriptor, which is closed.

        Raises:
            FanwhyError: there is none.
        """
        try:
            with open(descriptor, "rb") as file:  # a descriptor
                content = file.read()
        except OSError as error:
            raise FanwhyError(f"not started by fanwhy-pub run: {error.strerror}") from error
        return cls.parse(content)


def state_dir() -> str | None:
    """Where what was learned is kept: systemd's, else the user's; ``None`` where neither is.

    Source: systemd.exec(5) STATE_DIRECTORY; XDG Base Directory Specification.
    """
    if directory := os.environ.get("STATE_DIRECTORY"):
        return directory.split(":")[0]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "/var/lib/fanwhy"
    base = os.environ.get("XDG_STATE_HOME")
    if not base:
        home = os.path.expanduser("~")  # noqa: PTH111  # pathlib raises where there is no home
        if not home.startswith("/"):
            return None
        base = f"{home}/.local/state"
    return f"{base}/fanwhy"
