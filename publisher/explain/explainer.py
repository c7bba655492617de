"""The verdict from first to last: balance and evidence in, one explanation out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from publisher.explain.classify import Classification, Classifier
from publisher.explain.rules import load
from publisher.explain.settings import ExplainSettings
from publisher.explain.suspects import Suspect
from publisher.explain.watches import Watch, watches
from publisher.explain.wording import Named, Picture, headline
from publisher.ledger.accounts import Account, Balance, GroupKind
from publisher.schema.messages import (
    CauseReading,
    EventReading,
    EvidenceReading,
    ExplanationReading,
)
from publisher.schema.payload import rfc3339

_MOST_EVENTS = 256


@dataclass(slots=True)
class _Cause:
    """A work group while it is to blame."""

    named: Named
    classification: Classification
    resource: str
    since: float
    wall: float
    account: Account
    share: float
    cpu_seconds: float = 0.0


class Explainer:
    """Judges one window after another; keeps what it needs to remember between them.

    Args:
        state_dir: where what was learned is kept; ``None`` keeps it in memory only.
    """

    def __init__(self, settings: ExplainSettings, *, state_dir: str | None = None) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._classifier: Classifier | None = None
        self._watches = watches(settings)
        self._causes: dict[str, _Cause] = {}
        self._state = "quiet"
        self._state_since: float | None = None
        self._now = 0.0
        self._high = False
        self._events: list[EventReading] = []
        self._run = os.urandom(5).hex()
        self._count = 0

    def judge(
        self, balance: Balance, evidence: EvidenceReading, *, now: float, wall: float
    ) -> ExplanationReading:
        """The verdict on the window that ends now.

        Args:
            balance: who used what in the window.
            evidence: what was measured at its end.
            now: monotonic seconds.
            wall: seconds since the epoch.
        """
        start = max(now - balance.window_seconds, self._now)
        self._now = now
        busy = False
        for watch in self._watches:
            watch.observe(balance, evidence, start=start, now=now)
            busy = busy or watch.gate.is_open
        if busy or self._causes:
            self._follow(balance, now, wall)
        state = self._judge_state()
        if self._state_since is None:
            self._state_since = wall
        if state != self._state:
            previous, self._state, self._state_since = self._state, state, wall
            self._tell("state_changed", previous_state=previous)
        return self._reading(balance, evidence, wall)

    def transitions(self) -> list[EventReading]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def wants_soon(self) -> float | None:
        """Seconds after which a further window could settle what is pending; ``None``: nothing."""
        waits = [wait for w in self._watches if (wait := w.wants_soon(self._now)) is not None]
        return min(waits, default=None)

    def close(self) -> None:
        """Keeps what was learned."""

    def classify(self, account: Account) -> Classification:
        """What kind of work an account's group does."""
        if self._classifier is None:
            # Not before somebody is to be named: a machine at rest needs no rules.
            self._classifier = Classifier(load(self._settings.rules_file))
        return self._classifier.classify(account.group, account.clues)

    # -- causes ---------------------------------------------------------------------------------

    def _follow(self, balance: Balance, now: float, wall: float) -> None:
        """Brings the causes up to date with the suspects."""
        guilty: dict[str, tuple[Watch, Suspect]] = {}
        for watch in self._watches:
            if watch.gate.is_open:
                for suspect in watch.suspects.causes():
                    guilty.setdefault(suspect.account.group.key, (watch, suspect))
        for key in [key for key in self._causes if key not in guilty]:
            self._end(self._causes.pop(key), now)
        accounts = {account.group.key: account for account in balance.accounts}
        order: dict[str, _Cause] = {}
        for key, (watch, suspect) in guilty.items():
            cause = self._causes.get(key)
            if cause is None:
                cause = self._begin(watch, suspect, now, wall)
            account = accounts.get(key)
            if account is not None:
                cause.account = account
                cause.cpu_seconds += account.cpu_seconds
                self._reconsider(cause, account)
            cause.share = suspect.share
            order[key] = cause
        self._causes = order

    def _begin(self, watch: Watch, suspect: Suspect, now: float, wall: float) -> _Cause:
        account = suspect.account
        since = suspect.gate.since if suspect.gate.since is not None else now
        classification = self.classify(account)
        cause = _Cause(
            named=_named(account, classification),
            classification=classification,
            resource=watch.resource,
            since=since,
            wall=wall - (now - since),
            account=account,
            share=suspect.share,
        )
        self._tell(
            "cause_began",
            category=classification.category,
            label=str(cause.named),
            resource=watch.resource,
            began=rfc3339(cause.wall),
            message=f"{cause.named} began",
        )
        return cause

    def _reconsider(self, cause: _Cause, account: Account) -> None:
        """A surer answer replaces a guess; an equal one never changes the name."""
        found = self.classify(account)
        if found.confidence > cause.classification.confidence:
            cause.classification = found
            cause.named = _named(account, found)

    def _end(self, cause: _Cause, now: float) -> None:
        self._tell(
            "cause_ended",
            category=cause.classification.category,
            label=str(cause.named),
            resource=cause.resource,
            began=rfc3339(cause.wall),
            duration_seconds=max(now - cause.since - self._settings.leave_seconds, 0.0),
            cpu_seconds=cause.cpu_seconds,
            message=f"{cause.named} ended",
        )

    # -- the verdict ----------------------------------------------------------------------------

    def _judge_state(self) -> str:
        is_open = {watch.name for watch in self._watches if watch.gate.is_open}
        if is_open & {"memory", "io"}:
            return "pressure"
        return "busy" if is_open else "quiet"

    def _reading(
        self, balance: Balance, evidence: EvidenceReading, wall: float
    ) -> ExplanationReading:
        causes = tuple(self._cause_reading(cause, balance) for cause in self._causes.values())
        busy = balance.busy_seconds
        return ExplanationReading(
            state=self._state,
            headline=headline(self._picture(balance, wall)),
            cause=causes[0].category if causes else None,
            causes=causes,
            evidence=evidence,
            unattributed_percent=100 * balance.unattributed_seconds / busy if busy > 0 else None,
            since=rfc3339(self._state_since) if self._state_since is not None else None,
        )

    def _picture(self, balance: Balance, wall: float) -> Picture:
        named: dict[str, Sequence[Named]] = {}
        for watch in self._watches:
            if watch.gate.is_open:
                named[watch.name] = [
                    self._causes[key].named
                    for s in watch.suspects.causes()
                    if (key := s.account.group.key) in self._causes
                ]
        if not named:
            self._high = False
            return Picture()
        # Once high it stays high until the load is over: the sentence must not waver.
        self._high = self._high or (
            balance.busy_seconds / balance.window_seconds
            >= self._settings.high_percent / 100 * balance.cores
        )
        return Picture(
            cpu=named.get("cpu"),
            memory=named.get("memory"),
            io=named.get("io"),
            disk=named.get("disk"),
            network=named.get("network"),
            gpu=named.get("gpu"),
            high=self._high,
            spread=_spread(balance),
            since=self._long_since(wall),
        )

    def _long_since(self, wall: float) -> str:
        first = next(iter(self._causes.values()), None)
        if first is None or wall - first.wall < self._settings.say_since_after_seconds:
            return ""
        moment = time.localtime(first.wall)
        if wall - first.wall > 86400:
            return f"since {time.strftime('%d %b %H:%M', moment)}"
        return f"since {time.strftime('%H:%M', moment)}"

    def _cause_reading(self, cause: _Cause, balance: Balance) -> CauseReading:
        account, found = cause.account, cause.classification
        cpu = balance.percent(account.cpu_seconds)
        disk = (account.disk_read_bytes_per_second, account.disk_write_bytes_per_second)
        return CauseReading(
            category=found.category,
            label=cause.named.label,
            kind=str(account.group.kind),
            resource=cause.resource,
            share_percent=100 * cause.share,
            cpu_percent=cpu,
            memory_bytes=account.memory_bytes,
            disk_bytes_per_second=None if disk == (None, None) else sum(x or 0.0 for x in disk),
            process_count=account.process_count,
            since=rfc3339(cause.wall),
            active=cause.share > 0,
            confidence=found.confidence,
            reason=f"{_RESOURCE_WORDS[cause.resource]}; {found.reason}",
        )

    def _tell(self, event: str, **more: Any) -> None:
        self._count += 1
        if len(self._events) >= _MOST_EVENTS:
            self._events.pop(0)
        self._events.append(
            EventReading(id=f"{self._run}-{self._count}", event=event, state=self._state, **more)
        )


_RESOURCE_WORDS = {
    "cpu": "uses the most CPU time",
    "gpu": "uses the GPU the most",
    "memory": "holds or takes the most memory",
    "disk": "reads and writes the most",
    "network": "receives and transmits the most",
}


def _named(account: Account, found: Classification) -> Named:
    group, clues = account.group, account.clues
    if group.kind in (GroupKind.JOB, GroupKind.CONTAINER):
        detail = group.label
    elif group.kind is GroupKind.UNIT:
        detail = clues.program or group.label
    else:
        detail = clues.program or group.label
    if _says(found.label, detail):
        detail = ""
    return Named(label=found.label, detail=detail, category=found.category)


def _says(label: str, detail: str) -> bool:
    """Whether the label already holds the detail, such as ``borg`` in ``Borg backup``."""
    return not detail or detail.casefold() in label.casefold()


def _spread(balance: Balance) -> str:
    if balance.unattributed_seconds > balance.busy_seconds / 2:
        return "mostly from processes too short-lived to be named"
    return "spread over many programs"
