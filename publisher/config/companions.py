"""Sections of those who keep and sum up what the daemon says: ``fanwhy-sub`` and its companions.

They stand in the same file as the daemon's, which passes over them.
"""

from __future__ import annotations

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
