"""What is said of disks that are bound together, whatever binds them."""

from __future__ import annotations

from publisher.contract.metric import (
    Reading,
    Unit,
    bytes_per_second,
    choice,
    flag,
    gauge,
    percent,
    reading,
    text,
)
from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

KINDS = ("md", "unraid", "zfs", "btrfs", "bcachefs", "lvm")
STATES = ("ok", "degraded", "failing", "failed", "inactive")
ACTIVITIES = ("idle", "resync", "recovery", "check", "repair", "reshape", "scrub", "waiting")


@reading
class ArrayReading(Reading):
    """Several disks that stand for one, or what several volumes share."""

    label: str | None = text("Name", "What its owner calls it.")
    kind: str | None = choice("Kind", "What binds the disks.", options=KINDS)
    level: str | None = text(
        "Level", "How data is spread: raid1, thin-pool and so on.", diagnostic=True
    )
    state: str | None = choice(
        "State",
        "Whether all disks do their part: some lack or meet errors and the rest make up for it "
        "(degraded), nothing makes up for a disk that meets errors (failing), too many lack or "
        "nothing is answered any more (failed), or it is not running (inactive).",
        options=STATES,
        icon="mdi:harddisk-plus",
    )
    devices_total: int | None = gauge(
        "Devices", "Disks that belong to it.", deadband=1, diagnostic=True
    )
    devices_working: int | None = gauge("Working devices", "Disks that do their part.", deadband=1)
    devices_failing: int | None = gauge(
        "Failing devices",
        "Disks that belong to it, can still be read and have met too many errors.",
        deadband=1,
        diagnostic=True,
    )
    spares_lost: int | None = gauge(
        "Lost spares",
        "Disks that would have stood in for another and have failed or are gone.",
        deadband=1,
        diagnostic=True,
    )
    caches_lost: int | None = gauge(
        "Lost caches",
        "Devices for reading faster that have failed or are gone; nothing is lost with them.",
        deadband=1,
        diagnostic=True,
    )
    logs_lost: int | None = gauge(
        "Lost logs",
        "Devices for the newest writes that have failed or are gone.",
        deadband=1,
        diagnostic=True,
    )
    specials_lost: int | None = gauge(
        "Lost special devices",
        "Devices for metadata or deduplication that have failed or are gone; with the last copy of "
        "these all is lost.",
        deadband=1,
        diagnostic=True,
    )
    read_only: bool | None = flag("Read-only", "It can take nothing new any more.")
    used_percent: float | None = percent(
        "Usage",
        "Space in use of what several volumes draw from, or of what a snapshot may hold.",
        precision=1,
        deadband=1,
        icon="mdi:harddisk",
    )
    metadata_used_percent: float | None = percent(
        "Metadata usage",
        "Likewise of what it remembers by where everything lies; it fails when that is used up.",
        precision=1,
        deadband=1,
        diagnostic=True,
    )
    errors: int | None = gauge(
        "Errors",
        "Read, write, flush and corruption errors its disks have met since they were cleared.",
        deadband=1,
    )
    activity: str | None = choice("Activity", "What it is doing to itself.", options=ACTIVITIES)
    progress_percent: float | None = percent(
        "Progress", "How much of that is done.", precision=1, deadband=5
    )
    speed_bytes_per_second: float | None = bytes_per_second(
        "Speed", "How fast it gets on.", deadband=1 << 20, deadband_percent=50
    )
    remaining_seconds: int | None = gauge(
        "Remaining", "Time it will take at this speed.", unit=Unit.SECONDS
    )


def whole(files: KernelFiles, path: str) -> int | None:
    """The whole number in a file that is seldom read; ``None`` where there is none."""
    try:
        return files.integer(path, keep=False)
    except SourceError:
        return None
