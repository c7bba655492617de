"""What is told of each minute, beside who worked in it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hour_parts.household import Household
from why_parts.scoring import BUSY_CORES, mentions
from why_parts.truth import Meter, Share

_LIKE_THE_FIRST = 0.8
_MINUTE = 60.0
_GOAL_PERCENT = 95.0
_QUIET_CORES = 0.25


@dataclass
class Minute:
    """One minute: who worked, in percent of the busy time, and whether that was told.

    Attributes:
        history: whether ``history`` names whoever led; ``None`` where nobody did.
        unknown: the daemon was gone in a part of it.
    """

    at: str
    busy_cores: float
    truth: list[tuple[str, float]]
    unknown: bool
    told: str = ""
    history: bool | None = None
    why_at: bool | None = None
    said_so: bool = True


@dataclass
class Asked:
    """All minutes; and by culprit the busy minutes that the bill tells, and those that it led.

    Who used nearly as much as the first led as well, so that the second number may be larger.
    """

    minutes: list[Minute] = field(default_factory=list)
    report: dict[str, tuple[int, int]] = field(default_factory=dict)
    quiet: int = 0
    blamed_in_quiet: int = 0

    def percent(self, answer: str) -> float:
        given = [getattr(each, answer) for each in self.minutes if not each.unknown]
        asked = [each for each in given if each is not None]
        return 100 * sum(asked) / len(asked) if asked else 100.0

    @property
    def asked(self) -> int:
        return sum(each.history is not None and not each.unknown for each in self.minutes)

    @property
    def met(self) -> bool:
        return all(self.percent(answer) >= _GOAL_PERCENT for answer in ("history", "why_at"))

    @property
    def lines(self) -> list[str]:
        unknown = [each for each in self.minutes if each.unknown]
        so = sum(each.said_so for each in unknown)
        busy = sum(told for told, _ in self.report.values())
        wrong = sum(max(told - led, 0) for told, led in self.report.values())
        asked = f"of {self.asked} minutes"
        return [
            f"history names the leader of {self.percent('history'):.0f} % {asked}",
            f"why --at names the leader of {self.percent('why_at'):.0f} % {asked}",
            f"minutes without a daemon: {len(unknown)}, of which {so} are told to be unknown",
            f"report: {busy} busy minutes, {wrong} of them given to somebody who did not lead",
            f"quiet minutes: {self.quiet}, of which {self.blamed_in_quiet} have a culprit",
        ]


def ask(house: Household, meter: Meter, began: float, ended: float) -> Asked:
    """Asks for each whole minute from ``began`` to ``ended``, in seconds since the epoch."""
    shift = time.monotonic() - time.time()
    first = -(-began // _MINUTE) * _MINUTE
    asked = Asked()
    leaders: list[list[str]] = []
    memory = _history(house, began, ended)
    quiet_before = False
    for number in range(int((ended - first) // _MINUTE)):
        begin = first + number * _MINUTE
        minute, shares = _truth(meter, begin, shift)
        minute.unknown = any(gone < begin + _MINUTE and back > begin for gone, back in house.killed)
        sentences, causes, gaps = _of(memory, begin)
        then = house.client("why", "--at", time.strftime("%Y-%m-%dT%H:%M", time.localtime(begin)))
        minute.told = (then.stdout or then.stderr).partition("\n")[0]
        if minute.unknown:
            minute.said_so = gaps or "not" in then.stdout + then.stderr
        if minute.busy_cores >= BUSY_CORES and shares:
            named = [one for one in shares if one.cores >= _LIKE_THE_FIRST * shares[0].cores]
            words = [word for one in named for word in one.words]
            minute.history = mentions(" ".join((*sentences, *causes)), words)
            minute.why_at = mentions(then.stdout, words)
            leaders.append(words)
        quiet = minute.busy_cores < _QUIET_CORES and not minute.unknown
        if quiet and quiet_before:
            asked.quiet += 1
            asked.blamed_in_quiet += any("busy" in sentence for sentence in sentences)
        quiet_before = quiet
        asked.minutes.append(minute)
    asked.report = _report(house, ended, leaders)
    return asked


def _truth(meter: Meter, begin: float, shift: float) -> tuple[Minute, list[Share]]:
    end = begin + _MINUTE + shift
    busy = meter.busy(end, _MINUTE)
    shares = meter.shares(end, _MINUTE)
    truth = [(one.name, 100 * one.cores / max(busy, 0.01)) for one in shares[:3]]
    at = time.strftime("%H:%M", time.localtime(begin))
    return Minute(at, round(busy, 2), truth, unknown=False), shares


def _history(house: Household, began: float, ended: float) -> dict[str, Any]:
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(began))
    until = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(ended))
    said = house.client("history", "--since", since, "--until", until, "--json")
    told: dict[str, Any] = json.loads(said.stdout)
    return told


def _of(memory: Mapping[str, Any], begin: float) -> tuple[list[str], list[str], bool]:
    """Sentences, names of causes, and whether a gap is told, of one minute."""
    sentences = [
        f"{each.get('state')}: {each.get('headline')}"
        for each in _within(memory.get("states", ()), begin)
    ]
    causes = [
        f"{each.get('label')} {each.get('group')} {each.get('on_behalf_of')}"
        for each in _within(memory.get("causes", ()), begin)
    ]
    return sentences, causes, bool(_within(memory.get("gaps", ()), begin))


def _within(spans: Sequence[Mapping[str, Any]], begin: float) -> list[Mapping[str, Any]]:
    first, last = (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) for at in (begin, begin + _MINUTE)
    )
    return [
        each for each in spans
        if each["began"] < last and (each.get("ended") or last) > first
    ]  # fmt: skip


def _report(
    house: Household, ended: float, leaders: Sequence[Sequence[str]]
) -> dict[str, tuple[int, int]]:
    until = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(ended))
    bill = json.loads(house.client("report", "--json", "--until", until).stdout)
    return {
        culprit["label"]: (
            culprit["busy_minutes"],
            sum(mentions(culprit["label"], words) for words in leaders),
        )
        for culprit in bill["culprits"]
        if culprit["busy_minutes"]
    }
