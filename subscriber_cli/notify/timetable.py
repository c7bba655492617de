"""What is asked at a time of day: whether something ran, and what the day or week was like.

A time of day is compared with local time as it is now, once a day: clocks that are put on or back,
or a night in which nobody asked, neither double it nor leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from publisher.contract.timeline import TimelineReading
from publisher.contract.when import clock
from subscriber_cli.notify import words
from subscriber_cli.notify.cases import Cases
from subscriber_cli.notify.digests import Digest, digest_of, lines_of, together
from subscriber_cli.notify.incidents import Incident
from subscriber_cli.notify.rules import Rule, Sort
from subscriber_cli.notify.store import Store

RAN_SECONDS: Final = 14 * 86400.0
"""For how long it is remembered that something ran."""

_DAY: Final = 86400.0
_DIGEST_HOUR: Final = 1  # from which on a host has told of all of the day before
_LONGEST_SUMMARY: Final = 3300

Local = Callable[[float], datetime]
"""A moment as local time."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A host as far as a time of day asks for it.

    Attributes:
        heard: when it was last, in seconds since the epoch.
        timeline: what it remembers; ``None`` where it has not said.
        live: whether it is there now.
    """

    prefix: str
    name: str
    heard: float
    timeline: TimelineReading | None
    live: bool


class Timetable:
    """Asks what is due.

    Args:
        rules: in force.
        cases: where incidents are.
        store: where it stands which day was done.
        local: a moment as local time.
    """

    def __init__(self, rules: Iterable[Rule], cases: Cases, store: Store, local: Local) -> None:
        self._rules = [rule for rule in rules if rule.sort in (Sort.MISSING, Sort.SUMMARY)]
        self._cases = cases
        self._store = store
        self._local = local

    @property
    def sums_up(self) -> bool:
        """Whether what hosts remember is needed."""
        return any(rule.sort is Sort.SUMMARY for rule in self._rules)

    def look(
        self, hosts: Iterable[Seen], ran: Mapping[str, Mapping[str, float]], now: float
    ) -> None:
        """Does what has become due.

        Args:
            hosts: all that are known.
            ran: when what a rule asks for was at work last, by rule and prefix.
            now: seconds since the epoch.
        """
        known = sorted(hosts, key=lambda host: host.name)
        local = self._local(now)
        if self.sums_up and local.hour >= _DIGEST_HOUR:
            self._digest(known, local)
        for rule in self._rules:
            if self._comes_due(rule, local):
                about = [host for host in known if rule.is_about(host.name, host.prefix)]
                if rule.sort is Sort.MISSING:
                    self._miss(rule, about, ran[rule.name], now)
                else:
                    self._sum_up(rule, about, now)

    def _comes_due(self, rule: Rule, local: datetime) -> bool:
        """Whether its time of day has come, or it was missed today: once, whatever clocks do."""
        day = local.date()
        if rule.weekly:
            day -= timedelta(days=day.weekday())
        reached = local.time() >= rule.at or local.date() > day
        key = f"done/{rule.name}"
        done = self._store.fact(key)
        if done is None:  # a new rule begins with the next time
            last = day if reached else day - timedelta(days=7 if rule.weekly else 1)
            self._store.set_fact(key, last.isoformat())
            return False
        if not reached or str(done) >= day.isoformat():
            return False
        self._store.set_fact(key, day.isoformat())
        return True

    def _miss(self, rule: Rule, hosts: list[Seen], ran: Mapping[str, float], now: float) -> None:
        local = self._local(now)
        day_before = local.date() - timedelta(days=1)
        since = datetime.combine(day_before, rule.at, local.tzinfo).timestamp()
        lately = {prefix: at for prefix, at in ran.items() if now - at < RAN_SECONDS}
        for host in hosts:
            last = lately.get(host.prefix)
            # Of a rule for any machine those are meant on which it has ever run.
            elsewhere = last is None and lately and not rule.hosts
            if elsewhere or (last is not None and last >= since):
                continue
            title = f"{words.plain(host.name, 64)}: {wanted(rule)} did not run"
            body = [f"Not since {clock(since, now)}."]
            if last is not None:
                body.append(f"It ran last {clock(last, now)}.")
            if host.heard < since:
                body.append(f"The machine was last heard {clock(host.heard, now)}.")
            key = (rule.name, host.prefix, "")
            incident = Incident(on=True, mark=now)
            self._cases.judge(
                rule, key, now, holds=True, title=title, body=" ".join(body), incident=incident
            )

    def _sum_up(self, rule: Rule, hosts: list[Seen], now: float) -> None:
        parts: list[str] = []
        first = (self._local(now).date() - timedelta(days=7)).isoformat()
        for host in hosts:
            digest = Digest()
            if rule.weekly:
                kept = self._store.digests(host.prefix)
                digest = together(Digest(**body) for day, body in kept.items() if day >= first)
            elif host.timeline is not None:
                digest = digest_of(host.timeline, now - _DAY, now, live=host.live)
            parts.append(f"{words.plain(host.name, 64)}\n{lines_of(digest)}")
        if parts:
            title = "The week of your machines" if rule.weekly else "The last 24 hours"
            self._cases.tell_news(rule, now, title, "\n\n".join(parts)[:_LONGEST_SUMMARY])

    def _digest(self, hosts: list[Seen], local: datetime) -> None:
        """Keeps what the day before was like, for the week."""
        day = (local.date() - timedelta(days=1)).isoformat()
        if self._store.fact("digested") == day:
            return
        self._store.set_fact("digested", day)
        end = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        begin, ends = (end - timedelta(days=1)).timestamp(), end.timestamp()
        for host in hosts:
            if host.timeline is not None:
                found = digest_of(host.timeline, begin, ends, live=host.live)
                self._store.set_digest(host.prefix, day, found.dump())


def wanted(rule: Rule) -> str:
    """What a rule waits for, in its own words."""
    return ", ".join([*(each.text for each in rule.causes), *rule.categories])
