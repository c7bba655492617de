"""What the terminal takes from the configuration: where the messages are, and its own sections."""

from __future__ import annotations

from dataclasses import dataclass, field

from publisher.config.companions import (
    MetricsSettings,
    NotifySettings,
    RecordSettings,
    ReportSettings,
    WebSettings,
)
from publisher.config.setting import setting
from publisher.contract.topics import DEFAULT_PREFIX
from publisher.mqtt.broker import BrokerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSettings:
    """Where the messages are. Everything else in the file is the daemon's."""

    prefix: str = setting(
        DEFAULT_PREFIX, "First levels of every topic, as the daemons have it.", example="host"
    )
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    web: WebSettings = field(default_factory=WebSettings)
