"""Moments as people and payloads write them: ``03:12``, ``yesterday 3am``, RFC 3339."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from publisher.contract.printable import printable
from publisher.errors import ConfigError

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK: Final = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d)(?::(?P<second>\d\d))?)?\s*(?P<half>[ap]\.?m\.?)?"
)
_AGO: Final = re.compile(r"(?P<number>\d{1,4})\s*(?P<unit>[a-z]+)\s+ago")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = 40
_EXAMPLES: Final = "03:12, 3am, yesterday 3am, monday 22:00, 2 h ago or 2026-11-29T03:12"


@dataclass(frozen=True, slots=True)
class When:
    """A moment as exactly as it was written.

    Attributes:
        begin: in seconds since the epoch.
        seconds: how long what was written may mean: a minute, where it names no seconds.
    """

    begin: float
    seconds: float

    @property
    def end(self) -> float:
        return self.begin + self.seconds


def moment(text: object) -> float | None:
    """RFC 3339 text as seconds since the epoch; ``None`` for anything else."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not _is_sound(stamp):
        return None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _is_sound(stamp: datetime) -> bool:
    """Whether a clock is set so, and every time zone can hold it."""
    return 1970 <= stamp.year < 9999


def parse(text: str, now: float, *, option: str = "--at", ahead: bool = False) -> When:
    """What a person means by ``text``, in the time zone of this process.

    A time of day without a day is the latest one that has been.

    Args:
        text: what was written.
        now: seconds since the epoch.
        option: where it was written, for the complaint.
        ahead: it may lie ahead.

    Raises:
        ConfigError: it means nothing, or has not been yet.
    """
    words = " ".join(text.casefold().split())
    found = None
    if words and len(words) <= _LONGEST:
        found = _ago(words, now) or _of_a_day(words, now) or _iso(words)
    if found is None:
        raise ConfigError(f"{option}: {printable(text[:_LONGEST])!r} is no time; try {_EXAMPLES}")
    if found.begin > now and not ahead:
        lies = datetime.fromtimestamp(found.begin).astimezone()
        raise ConfigError(
            f"{option}: {lies:%Y-%m-%d %H:%M} lies ahead; only what has been is known"
        )
    return found


def is_time_of_day(text: str) -> bool:
    """Whether it names a time and no day: one that comes every day."""
    return _time_of_day(" ".join(text.casefold().split())) is not None


def clock(at: float, now: float) -> str:
    """A moment in local time, with the day where it is not today's: ``03:12``, ``Sun 03:12``."""
    try:
        then, today = (datetime.fromtimestamp(each).astimezone() for each in (at, now))
    except (ValueError, OverflowError, OSError):
        return "?"
    if then.date() == today.date():
        return f"{then:%H:%M}"
    near = abs((today.date() - then.date()).days) < len(_DAYS)
    return f"{then:%a %H:%M}" if near else f"{then:%Y-%m-%d %H:%M}"


def _ago(words: str, now: float) -> When | None:
    if words == "now":
        return When(now, 1.0)
    match = _AGO.fullmatch(words)
    unit = _UNITS.get(match["unit"][0]) if match else None
    if match is None or unit is None:
        return None
    begin = now - int(match["number"]) * unit
    return When(begin, 1.0 if unit == 1 else 60.0)


def _of_a_day(words: str, now: float) -> When | None:
    """A time of day, and the day where it says one."""
    for filler in ("at ", "last night ", "tonight "):
        words = words.removeprefix(filler)
    day, _, rest = words.partition(" ")
    rest = rest.removeprefix("at ")
    today = datetime.fromtimestamp(now, UTC).astimezone().replace(tzinfo=None)
    if day in ("today", "yesterday"):
        base, fixed = today - timedelta(days=day == "yesterday"), True
    elif day in _DAYS or day in {name[:3] for name in _DAYS}:
        index = next(i for i, name in enumerate(_DAYS) if name.startswith(day))
        base, fixed = today - timedelta(days=(today.weekday() - index) % 7), False
    else:
        base, fixed, rest = today, False, words
    time = _time_of_day(rest)
    if time is None:
        return None
    hour, minute, second, seconds = time
    then = base.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if not fixed and then > today:
        then -= timedelta(days=1 if rest == words else 7)
    return When(then.timestamp(), seconds)


def _time_of_day(words: str) -> tuple[int, int, int, float] | None:
    """(hour, minute, second, how long that may mean)."""
    if words in ("noon", "midnight"):
        return 12 if words == "noon" else 0, 0, 0, 60.0
    match = _CLOCK.fullmatch(words)
    if match is None or not (match["minute"] or match["half"]):
        return None
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if half := match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * half.startswith("p")
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour, minute, second, 1.0 if match["second"] else 60.0


def _iso(words: str) -> When | None:
    """ISO 8601 with a time of day; in local time where it names no zone."""
    if ":" not in words:
        return None
    try:
        stamp = datetime.fromisoformat(words.upper())
        begin = stamp.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    if not _is_sound(stamp):
        return None
    exact = words.replace("t", " ").partition(" ")[2].split("+")[0].count(":") > 1
    return When(begin, 1.0 if exact else 60.0)
