"""Sections of those who keep and sum up what the daemon says: ``fanwhy-sub`` and its companions.

They stand in the same file as the daemon's, which passes over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from publisher.config.setting import number, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """What passes by, kept for years by `fanwhy-sub record`."""

    enabled: bool = setting(False, "Whether `fanwhy-sub serve` records.")
    database: str = setting(
        "",
        "The file. Unset: archive.sqlite in the state folder.",
        example="/var/lib/fanwhy/archive.sqlite",
    )
    largest_megabytes: float = number(
        2048, "What the file may have; beyond it the oldest and finest values go first.", 16
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """The bill that `fanwhy-sub report` makes out."""

    price_per_kwh: float = number(
        0, "What a kilowatt hour costs, in `currency`. 0: no money is told.", 0
    )
    currency: str = setting("€", "What stands behind an amount of money.")
    publish: bool = setting(
        False,
        "Whether `fanwhy-sub record` publishes each machine's bill of the day on host/report, soon "
        "after midnight where it runs.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRule:
    """One thing that is worth a message. Of the conditions, all that are given must hold."""

    enabled: bool = setting(
        True, "false: as if it were not there; also for the two that come along."
    )
    hosts: tuple[str, ...] = setting(
        (), "The machines that it is about, by name; `*` stands for anything.", example='["nas"]'
    )
    state: tuple[str, ...] = setting(
        (), "The machine is quiet, busy, hot, cooling or in pressure.", example='["hot"]'
    )
    cause: tuple[str, ...] = setting(
        (),
        "Who is to blame, by a name that the sentence or `fanwhy-sub why` uses (patterns).",
        example='["*restic*"]',
    )
    category: tuple[str, ...] = setting(
        (), "The kind of work that is to blame.", example='["cryptomining"]'
    )
    temperature_above: float | None = setting(
        None, "The processor is hotter than this, in °C.", minimum=0, maximum=150
    )
    rpm_above: float | None = setting(
        None, "The fan turns faster than this, in rpm.", minimum=0, maximum=50000
    )
    watts_above: float | None = setting(
        None,
        "The machine draws more than this; where that is not measured, its CPU packages and GPUs.",
        minimum=0,
        maximum=100000,
    )
    alert: tuple[str, ...] = setting(
        (), "An alert of the daemon is raised (patterns).", example='["disk_*", "raid_degraded"]'
    )
    severity: str = setting(
        "warning",
        "Of alerts: the least that is told.",
        options=("info", "warning", "critical"),
    )
    silent: bool = setting(False, "The machine is offline, or says nothing any more.")
    missing_by: str = setting(
        "",
        "Nothing that `cause` or `category` stands for was at work in the 24 hours before this "
        "time of day.",
        example="06:00",
    )
    summary: str | None = setting(
        None,
        "Not when something happens, but what has happened: daily, or weekly on Mondays.",
        options=("daily", "weekly"),
    )
    at: str = setting("08:00", "Of a summary: the time of day.")
    for_minutes: float | None = setting(
        None,
        "How long it must last. Unset: 0 for alerts, 10 for silence, else 2.",
        minimum=0,
        maximum=10080,
    )
    cooldown_minutes: float = number(30, "How long it is not told again, after it was.", 0, 10080)
    urgent: bool | None = setting(
        None,
        "Told in the quiet hours, too. Unset: critical alerts, and rules about cryptomining alone.",
    )
    to: tuple[str, ...] = setting(
        (), "Names of the targets that are told. Unset: all.", example='["phone"]'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Messages to phones, mailboxes and chats: url = "ntfy://ntfy.sh/a-secret-word" is enough."""

    enabled: bool = setting(False, "Whether `fanwhy-sub serve` sends messages.")
    url: str = setting(
        "",
        "Where messages go, as Apprise writes it: ntfy://ntfy.sh/a-secret-word, "
        "tgram://TOKEN/CHAT, mailtos://me:password@mail.example.",
        secret=True,
    )
    targets: Mapping[str, str] = setting(
        dict, "The same of several, by names that rules use.", secret=True
    )
    targets_file: str | None = setting(
        None,
        "A file with one of them a line: a name, a space, the address. Unset: the systemd "
        "credential 'fanwhy-notify-targets', where there is one.",
        example="/etc/fanwhy/notify-targets",
    )
    quiet_hours: str = setting(
        "",
        "When nothing but what is urgent is told; the rest is told together when they are over. "
        "Local time.",
        example="22:00-07:00",
    )
    group_minutes: float = number(
        5,
        "The shortest time between two messages to one target; what happens meanwhile is told "
        "together. What is urgent does not wait.",
        0,
        1440,
    )
    rules: Mapping[str, NotifyRule] = setting(
        dict,
        "What is told, by names of your own. `alerts` and `silent` come along: under these names "
        "they are changed, or switched off.",
        example="{ hot = { temperature_above = 85, for_minutes = 5 } }",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """Every number of every machine for Prometheus, answered by `fanwhy-sub metrics`."""

    enabled: bool = setting(False, "Whether `fanwhy-sub serve` answers.")
    listen: str = setting(
        "127.0.0.1:9741",
        "Address and port. Whoever reaches them may read all that fanwhy knows.",
        example="0.0.0.0:9741",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The page for browsers and the addresses for scripts, served by `fanwhy-sub web`."""

    enabled: bool = setting(False, "Whether `fanwhy-sub serve` serves it.")
    listen: str = setting(
        "127.0.0.1:8642",
        "Address and port. Any address but this machine's own loopback wants a password.",
        example="0.0.0.0:8642",
    )
    password_file: str = setting(
        "",
        "What `fanwhy-sub web password` writes. Unset: web-password in the state folder, or the "
        "systemd credential 'fanwhy-web-password'.",
        example="/etc/fanwhy/web-password",
    )
    names: tuple[str, ...] = setting(
        (),
        "The names by which browsers reach it, besides addresses and this machine's own name.",
        example='["fan.example.org"]',
    )
    authentication: str = setting(
        "password",
        "Who asks for a password: this program, or a proxy before it. With `proxy` nobody gets in "
        "but through one of `trusted_proxies`.",
        options=("password", "proxy"),
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses or networks of proxies whose word on the browser's address and on https is "
        "believed.",
        example='["127.0.0.1"]',
    )
    path: str = setting(
        "",
        "The path below which a proxy passes it on, where the proxy does not take it away.",
        example="/fanwhy",
    )
