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
    publish: bool = setting(
        False,
        "Whether `fanwhy-sub record` publishes each machine's bill of the day on host/report, soon "
        "after midnight where it runs.",
    )
