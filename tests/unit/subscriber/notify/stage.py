"""A notifier without broker and targets: hosts speak, time passes, what is told is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from publisher.config.companions import NotifyRule, NotifySettings
from publisher.contract.payload import Envelope, rfc3339, to_json
from publisher.contract.readings import CauseReading, EventReading, ExplanationReading
from publisher.contract.timeline import PastAlertReading, PastCauseReading, TimelineReading
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.notify.rules import rules_of
from subscriber_cli.notify.store import Store
from subscriber_cli.notify.watch import Watch

_HEARTBEAT_SECONDS = 300.0
NOON = datetime(2026, 6, 15, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


class Stage:
    """One notifier's rules and memory, and a clock that only the test moves.

    Args:
        path: of the store's file.
        rules: besides those that come along.
        zone: where the notifier is.
    """

    def __init__(
        self, path: Path, rules: Mapping[str, NotifyRule], *, now: float = NOON,
        zone: str = "Europe/Berlin",
    ) -> None:  # fmt: skip
        self.now = now
        self.zone = ZoneInfo(zone)
        self._path = path
        self._rules = rules
        self._events = 0
        self._read = 0
        self.start()

    def start(self) -> None:
        """The process starts, or starts again."""
        self.store = Store(self._path)
        rules = rules_of(NotifySettings(rules=self._rules), ["phone"])
        self.watch = Watch(rules, self.store, ["phone"], self.local)
        self.watch.connect(self.now)
        self._present: dict[str, float] = {}

    def kill(self) -> None:
        """It ends without a word."""
        self.store.close()

    def local(self, now: float) -> datetime:
        return datetime.fromtimestamp(now, self.zone)

    def pass_seconds(self, seconds: float, step: float = 30.0) -> None:
        """Time passes, and is looked at now and then; hosts that are there say so."""
        ends = self.now + seconds
        while self.now < ends:
            self.now = min(self.now + step, ends)
            if self.watch.connected is not None:
                for prefix, said in list(self._present.items()):
                    if self.now - said >= _HEARTBEAT_SECONDS:
                        self.status("online", prefix)
            with self.store.writing():
                self.watch.tick(self.now)

    def hear(
        self, leaf: str, content: Any, *, prefix: str = "host/nas", at: float | None = None,
        retained: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(content, OnlineStatus | None):
            made = self.now if at is None else at
            content = Envelope(prefix.rpartition("/")[2]).wrap(to_json(content), made)
        with self.store.writing():
            self.watch.take(Received(prefix, leaf, content, retained), self.now)

    def status(self, word: str | None, prefix: str = "host/nas", *, retained: bool = False) -> None:
        content = None if word is None else OnlineStatus(word)
        self._present.pop(prefix, None)
        if word == "online":
            self._present[prefix] = self.now
        self.hear("status", content, prefix=prefix, retained=retained)

    def verdict(
        self, state: str, *causes: CauseReading, prefix: str = "host/nas", **more: Any
    ) -> None:
        headline = more.pop("headline", f"The machine is {state}")
        content = ExplanationReading(state=state, headline=headline, causes=causes, **more)
        self.hear("explanation", content, prefix=prefix)

    def event(self, kind: str, message: str, *, at: float | None = None, **more: Any) -> None:
        self._events += 1
        fields = {"id": f"run-{self._events}", "severity": "warning", **more}
        prefix = fields.pop("prefix", "host/nas")
        self.hear(
            "event", EventReading(event=kind, message=message, **fields), prefix=prefix, at=at
        )

    def raise_alert(self, what: str, message: str, **more: Any) -> None:
        self.event("alert_raised", message, alert=what, **more)

    def clear_alert(self, what: str, message: str, **more: Any) -> None:
        self.event("alert_cleared", f"Over: {message}", alert=what, **{"severity": "info", **more})

    def told(self) -> list[str]:
        """The titles of what is to be told and was not asked for before."""
        found = [each for each in self.store.waiting("phone") if each.id > self._read]
        self._read = max((each.id for each in found), default=self._read)
        return [each.title for each in found]

    def last_body(self) -> str:
        return self.store.waiting("phone")[-1].body


def memory(
    until: float, *, alerts: tuple[PastAlertReading, ...] = (), causes: tuple[Any, ...] = ()
) -> TimelineReading:
    """What a host remembers; a cause is label, category, begin, end."""
    return TimelineReading(
        since=rfc3339(until - 2 * 86400),
        until=rfc3339(until),
        alerts=alerts,
        causes=tuple(
            PastCauseReading(
                label=label, category=category, began=rfc3339(began), ended=rfc3339(ended)
            )
            for label, category, began, ended in causes
        ),
    )


MakeStage = Callable[..., Stage]
