"""All that can be set: the sections, gathered from the layers that obey them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from publisher.config.companions import (
    MetricsSettings,
    NotifySettings,
    RecordSettings,
    ReportSettings,
    WebSettings,
)
from publisher.config.setting import setting
from publisher.contract.topics import DEFAULT_PREFIX, TopicAddresses
from publisher.daemon.scheduler import SamplingSettings
from publisher.explain.explain_settings import ExplainSettings
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.mqtt.broker import BrokerSettings
from publisher.publishing.policy import PublishingSettings
from publisher.subsystems.disk.smart import SmartSettings
from publisher.subsystems.runner import SubsystemSettings
from publisher.subsystems.selection import ChooseSettings, IgnoreSettings

LOG_LEVELS = ("debug", "info", "warning", "error")


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
        "Where the machine's root folder is found; /host, for one, in a container that has the "
        "host's mounted there, with all below it.",
    )
    log_level: str = setting("info", "The least that is worth a line.", options=LOG_LEVELS)
    names: Mapping[str, str] = setting(
        dict,
        "What devices are called on topics, in Home Assistant, in the terminal and in the "
        "sentence, by a name that they go by without that; `fanwhy-pub doctor` lists those.",
        example='{ "nct6798 fan2" = "Rear fan", "/mnt/tank" = "Tank" }',
    )
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    publishing: PublishingSettings = field(default_factory=PublishingSettings)
    senses: SubsystemSettings = field(default_factory=SubsystemSettings)
    ignore: IgnoreSettings = field(default_factory=IgnoreSettings)
    choose: ChooseSettings = field(default_factory=ChooseSettings)
    explain: ExplainSettings = field(default_factory=ExplainSettings)
    smart: SmartSettings = field(default_factory=SmartSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    homeassistant: HomeAssistantSettings = field(default_factory=HomeAssistantSettings)
    # Not the daemon's, but in the same file.
    record: RecordSettings = field(default_factory=RecordSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    web: WebSettings = field(default_factory=WebSettings)

    @property
    def host(self) -> str:
        """The name that payloads carry."""
        return self.hostname or socket.gethostname() or "unnamed"

    @property
    def topics(self) -> TopicAddresses:
        """The topics under the resolved prefix.

        Raises:
            ConfigError: the prefix makes no usable topic.
        """
        return TopicAddresses.for_host(self.prefix, self.host)
