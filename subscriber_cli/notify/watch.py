"""Holds the hosts against the rules: what they say now, what they said happened, their silence.

A missed word does no harm. An alert that was raised or cleared while nobody listened is found in
the host's own memory; what was told stays told until there is evidence that it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from publisher.contract import topics
from publisher.contract.readings import EventReading
from publisher.contract.timeline import PastAlertReading, TimelineReading
from publisher.contract.when import clock, moment
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.explanation import ExplanationCause
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.told import event_of
from subscriber_cli.notify import words
from subscriber_cli.notify.cases import BROKER, Cases
from subscriber_cli.notify.incidents import Incident
from subscriber_cli.notify.rules import Rule, Sort
from subscriber_cli.notify.store import Key, Store
from subscriber_cli.notify.timetable import RAN_SECONDS, Local, Seen, Timetable, wanted

_LEAVES: Final = (
    topics.STATUS, topics.EXPLANATION, topics.OVERVIEW, topics.TIMELINE, topics.EVENT
)  # fmt: skip
_STALE_SECONDS: Final = 900.0  # three heartbeats
_SETTLED_SECONDS: Final = 60.0  # after a connection, until all that the broker keeps has come
_NOTED_SECONDS: Final = 1800.0  # between two notes that a host is there: they wake a disk
_RAN_SECONDS: Final = 60.0
_BACK_SECONDS: Final = 900.0  # in which a daemon that was stopped may come back
_CLOCKS_SECONDS: Final = 30.0  # by which an event and the memory of it may differ
_MOST_ALERTS: Final = 100  # of one host that stand or rest
_MOST_HOSTS: Final = 500


class Watch:
    """What is known of the hosts, and which incidents there are.

    Everything it finds goes into the store, within the transaction of the caller.

    Args:
        rules: in force.
        store: where what is told and remembered goes.
        targets: the names there are.
        local: a moment as local time.

    Attributes:
        connected: since when messages can come; ``None`` while they cannot.
    """

    def __init__(
        self, rules: Iterable[Rule], store: Store, targets: Iterable[str], local: Local
    ) -> None:
        self._rules = list(rules)
        self._store = store
        self._cases = Cases(store, targets)
        self._timetable = Timetable(self._rules, self._cases, store, local)
        self._fleet = Fleet(sparklines=False)
        self._timelines: dict[str, TimelineReading] = {}
        self.connected: float | None = None
        self._lost: float | None = None
        self._ticked = float("-inf")
        self._known()

    def reload(self) -> None:
        """Takes from the store what is known of old, also after that could not be written."""
        self._cases.reload()
        self._known()

    def complaint(self) -> str:
        """What was skipped for want of room, each kind told once; empty when nothing was."""
        return self._fleet.complaint()

    def _known(self) -> None:
        self._hosts = self._store.hosts()
        self._noted = {prefix: heard for prefix, (_, heard) in self._hosts.items()}
        self._ran = {rule.name: self._store.ran(rule.name) for rule in self._of(Sort.MISSING)}

    def connect(self, now: float) -> None:
        """Messages come from now on."""
        self.connected, self._lost = now, None

    def disconnect(self, now: float) -> None:
        """Messages cannot come."""
        self.connected = None
        self._lost = self._lost or now

    def wants(self, message: Received) -> bool:
        """Whether a message says anything that rules ask for."""
        return message.leaf in _LEAVES

    def take(self, message: Received, now: float) -> None:
        """A message of a host that it wants."""
        prefix, leaf = message.prefix, message.leaf
        if leaf == topics.STATUS and message.withdrawn:
            self._forget(prefix)
        host = self._fleet.apply(message, now)
        if host is None or message.withdrawn:
            return
        if host.is_machine:
            if not message.retained and message.content is not OnlineStatus.OFFLINE:
                self._hear(host, now)
            elif prefix not in self._hosts:
                self._hear(host, min(host.last_heard or now, now))
        content = message.content
        if leaf == topics.EVENT and isinstance(content, Mapping):
            told = event_of(content)
            if self._store.take_event(prefix, told.id, now):
                self._happened(host, told.reading, message.made_at or now, now)
        elif leaf == topics.TIMELINE and isinstance(content, Mapping):
            self._remember(host, timeline_of(content), now)
        elif host.is_machine:
            self._look(host, now)

    def tick(self, now: float) -> None:
        """Time has passed: durations, silence, times of day."""
        self._ticked = now
        for prefix in list(self._hosts):
            self._listen(prefix, now)
        self._listen_to_broker(now)
        for host in self._fleet:
            self._look(host, now)
        for key, incident in self._cases.all():
            self._pass(key, incident, now)
        if self.connected is not None and now - self.connected >= _SETTLED_SECONDS:
            self._timetable.look(self._seen(now), self._ran, now)

    def due(self) -> float:
        """When it has to be ticked at the latest if nothing comes.

        What was due at the last tick and did not change then waits for a message.
        """
        by_name = {rule.name: rule for rule in self._rules}
        times = (
            incident.due(by_name[key[0]])
            for key, incident in self._cases.all()
            if key[0] in by_name
        )
        return min((time for time in times if time > self._ticked), default=float("inf"))

    # --- hosts that are there, and silence --------------------------------------------------------

    def _seen(self, now: float) -> Iterator[Seen]:
        for prefix, (name, heard) in self._hosts.items():
            host = self._fleet.get(prefix)
            live = host is not None and self._is_present(host, now)
            yield Seen(prefix, name, heard, self._timelines.get(prefix), live)

    def _hear(self, host: KnownHost, now: float) -> None:
        if host.prefix not in self._hosts and len(self._hosts) >= _MOST_HOSTS:
            return
        known = self._hosts.get(host.prefix)
        self._hosts[host.prefix] = host.name, now
        noted = self._noted.get(host.prefix, 0.0)
        if known is None or known[0] != host.name or not 0 <= now - noted < _NOTED_SECONDS:
            self._noted[host.prefix] = now
            self._store.set_host(host.prefix, host.name, now)

    def _forget(self, prefix: str) -> None:
        self._store.forget_host(prefix)
        self._hosts.pop(prefix, None)
        self._timelines.pop(prefix, None)
        self._cases.forget_host(prefix)
        for ran in self._ran.values():
            ran.pop(prefix, None)

    def _listen(self, prefix: str, now: float) -> None:
        """Whether a host is silent; nothing is known of that while we hear nobody."""
        if self.connected is None:
            return
        name, heard = self._hosts[prefix]
        host = self._fleet.get(prefix)
        offline = host is not None and host.offline
        silent = now - max(heard, self.connected) > _STALE_SECONDS
        if host is None and not silent:  # it may still come
            return
        for rule in self._about(Sort.SILENT, name, prefix):
            key = (rule.name, prefix, "")
            title, body = words.silent(name, heard, now, offline=offline)
            self._cases.judge(rule, key, now, holds=offline or silent, title=title, body=body)

    def _listen_to_broker(self, now: float) -> None:
        lost = self._lost is not None
        for rule in self._of(Sort.SILENT):
            if not rule.hosts:
                title, body = "The broker cannot be reached", "No machine is watched meanwhile."
                key = (rule.name, "", BROKER)
                self._cases.judge(rule, key, now, holds=lost, title=title, body=body, at=self._lost)

    def _is_present(self, host: KnownHost, now: float) -> bool:
        heard = self._hosts.get(host.prefix, ("", 0.0))[1]
        since = max(heard, self.connected or 0.0)
        return not host.offline and now - since <= _STALE_SECONDS

    # --- how a host is ----------------------------------------------------------------------------

    def _look(self, host: KnownHost, now: float) -> None:
        if not self._is_present(host, now) or topics.EXPLANATION not in host.latest:
            return
        self._note_work(host, now)
        values = words.values_of(host)
        for rule in self._about(Sort.LEVEL, host.name, host.prefix):
            if rule.limits.keys() - values.keys():  # what is not measured now is not over
                continue
            key = (rule.name, host.prefix, "")
            known = self._cases.get(key)
            told = known is not None and known.told is not None
            blamed = _blamed(rule, host)
            holds = (
                (not rule.states or host.state in rule.states)
                and (not rule.names_causes or bool(blamed))
                and all(rule.exceeds(name, values[name], told=told) for name in rule.limits)
            )
            title = words.level_title(rule, host, blamed) if holds else ""
            body = words.why(host, now) if holds and not told else ""
            self._cases.judge(rule, key, now, holds=holds, title=title, body=body)

    def _note_work(self, host: KnownHost, now: float) -> None:
        for rule in self._about(Sort.MISSING, host.name, host.prefix):
            if any(rule.blames(_names(cause), cause.category) for cause in host.explanation.causes):
                self._worked(rule, host, now, now)

    def _worked(self, rule: Rule, host: KnownHost, at: float, now: float) -> None:
        """What should run ran; that it is missing is over."""
        ran = self._ran[rule.name]
        if at - ran.get(host.prefix, 0.0) >= _RAN_SECONDS:
            ran[host.prefix] = at
            self._store.set_ran(rule.name, host.prefix, at)
        key = (rule.name, host.prefix, "")
        incident = self._cases.get(key)
        if incident is not None and incident.on and at > incident.mark:
            title = f"{words.plain(host.name, 64)}: {wanted(rule)} ran after all"
            body = f"At {clock(at, now)}."
            self._cases.end(rule, key, now, made=at, title=title, body=body)

    # --- what a host said happened ----------------------------------------------------------------

    def _happened(self, host: KnownHost, event: EventReading, made: float, now: float) -> None:
        if event.event in ("cause_began", "cause_ended"):
            for rule in self._about(Sort.MISSING, host.name, host.prefix):
                if rule.blames((event.label or "",), event.category or ""):
                    self._worked(rule, host, _here(made, now), now)
        elif event.event == "alert_raised":
            self._raised(host, event, made, now)
        elif event.event == "alert_cleared":
            self._cleared(host, event, made, now)

    def _raised(
        self, host: KnownHost, alert: EventReading | PastAlertReading, made: float, now: float
    ) -> None:
        subject, severity = _subject(alert), alert.severity or ""
        for rule in self._about(Sort.ALERT, host.name, host.prefix):
            if not rule.tells(alert.alert or "", severity):
                continue
            key = (rule.name, host.prefix, subject)
            incident = self._cases.get(key)
            if incident is None and self._is_full(rule, host.prefix):
                continue
            incident = incident or Incident()
            incident.on, incident.mark, incident.unwatched = True, made, None
            incident.severity = severity
            told = f"{words.plain(host.name, 64)}: {words.plain(alert.message or subject)}"
            at = _here(made, now)
            body = words.why(host, now, begun=at)
            if len(told) > words.LONGEST_TITLE:
                body = f"{told}\n{body}"
            title = words.plain(told, words.LONGEST_TITLE)
            self._cases.judge(
                rule, key, now, holds=True, title=title, body=body, at=at, incident=incident
            )

    def _cleared(self, host: KnownHost, event: EventReading, made: float, now: float) -> None:
        for rule, key, incident in self._standing(host.prefix):
            if key[2] == _subject(event) and made >= incident.mark:
                if event.unwatched:
                    incident.unwatched = now
                    self._cases.keep(rule, key, incident, now)
                else:
                    self._cases.end(rule, key, now, made=made)

    def _remember(self, host: KnownHost, timeline: TimelineReading, now: float) -> None:
        """What a host remembers mends what was not heard."""
        if self._timetable.sums_up:
            self._timelines[host.prefix] = timeline
        until = moment(timeline.until) or 0.0
        for cause in timeline.causes:
            at = moment(cause.ended) or until
            for rule in self._about(Sort.MISSING, host.name, host.prefix):
                names = (cause.label or "", cause.group or "")
                if now - RAN_SECONDS < at and rule.blames(names, cause.category or ""):
                    self._worked(rule, host, _here(at, now), now)
        standing = {_subject(alert): alert for alert in timeline.alerts if not alert.ended}
        for subject, alert in standing.items():
            began = moment(alert.began) or until
            known = [each for key, each in self._cases.all() if key[1:] == (host.prefix, subject)]
            if all(not each.on and until > each.mark + _CLOCKS_SECONDS for each in known):
                self._raised(host, alert, began, now)
        ended = {_subject(alert): moment(alert.ended) for alert in timeline.alerts if alert.ended}
        for rule, key, incident in self._standing(host.prefix):
            missed = until > incident.mark + _CLOCKS_SECONDS and key[2] not in standing
            if missed and incident.unwatched is None:
                self._cases.end(rule, key, now, made=ended.get(key[2]) or until)

    def _standing(self, prefix: str) -> list[tuple[Rule, Key, Incident]]:
        """Alerts of a host that were raised and not cleared."""
        return [
            (rule, key, incident)
            for rule in self._of(Sort.ALERT)
            for key, incident in self._cases.of(rule, prefix)
            if incident.on
        ]

    def _is_full(self, rule: Rule, prefix: str) -> bool:
        """Whether somebody makes up alerts."""
        return sum(1 for _ in self._cases.of(rule, prefix)) >= _MOST_ALERTS

    def _pass(self, key: Key, incident: Incident, now: float) -> None:
        rule = next((each for each in self._rules if each.name == key[0]), None)
        if rule is None:
            self._cases.drop(key)
            return
        if rule.sort is Sort.ALERT:
            host = self._fleet.get(key[1])
            gone = incident.unwatched is not None and now - incident.unwatched >= _BACK_SECONDS
            if gone and host is not None and self._is_present(host, now):
                self._cases.end(rule, key, now, made=incident.mark)
                return
            if incident.on and incident.told is None:
                title, body = incident.title, incident.body
                self._cases.judge(rule, key, now, holds=True, title=title, body=body)
        if incident.is_spent(rule, now):
            self._cases.drop(key)

    def _of(self, sort: Sort) -> list[Rule]:
        return [rule for rule in self._rules if rule.sort is sort]

    def _about(self, sort: Sort, name: str, prefix: str) -> Iterator[Rule]:
        return (rule for rule in self._of(sort) if rule.is_about(name, prefix))


def _names(cause: ExplanationCause) -> tuple[str, ...]:
    return cause.name, cause.told, cause.label, cause.group


def _blamed(rule: Rule, host: KnownHost) -> list[ExplanationCause]:
    return [
        cause
        for cause in host.explanation.causes
        if cause.active and rule.blames(_names(cause), cause.category)
    ]


def _subject(alert: EventReading | PastAlertReading) -> str:
    """By what an alert is the same when it is raised, cleared and remembered.

    Who is to blame, which stands behind a semicolon, may be told differently.
    """
    message = (alert.message or "").removeprefix("Over: ").removeprefix("No longer watched: ")
    return f"{alert.alert or '?'} {message.partition('; ')[0]}"[:200]


def _here(made: float, now: float) -> float:
    """A moment of a host's clock, which may be ahead of ours."""
    return min(made, now)
