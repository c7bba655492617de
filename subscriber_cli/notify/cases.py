"""The incidents there are: what holds, what of it was told, and what that puts into the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from subscriber_cli.notify import words
from subscriber_cli.notify.incidents import Incident, Told
from subscriber_cli.notify.rules import Rule, Sort, addressed
from subscriber_cli.notify.store import Key, Store, Waiting

BROKER: Final = "broker"
"""The subject of the incident that the broker itself cannot be reached; it has no host."""


class Cases:
    """All incidents; everything goes into the store, within the transaction of the caller.

    Args:
        store: where what is told and remembered goes.
        targets: the names there are.
    """

    def __init__(self, store: Store, targets: Iterable[str]) -> None:
        self._store = store
        self._targets = list(targets)
        self.reload()

    def reload(self) -> None:
        """Takes from the store what was kept there last."""
        self._incidents = self._store.incidents()

    def get(self, key: Key) -> Incident | None:
        """The incident of a key, if there is one."""
        return self._incidents.get(key)

    def all(self) -> list[tuple[Key, Incident]]:
        return list(self._incidents.items())

    def of(self, rule: Rule, prefix: str) -> Iterator[tuple[Key, Incident]]:
        """Those of a rule and a host."""
        return ((key, each) for key, each in self.all() if key[:2] == (rule.name, prefix))

    def forget_host(self, prefix: str) -> None:
        """A host was taken away; the store has forgotten it."""
        self._incidents = {key: each for key, each in self.all() if key[1] != prefix}

    def judge(
        self,
        rule: Rule,
        key: Key,
        now: float,
        *,
        holds: bool,
        title: str,
        body: str,
        at: float | None = None,
        incident: Incident | None = None,
    ) -> None:
        """Takes in whether something holds, and tells what is to be told of it.

        Args:
            rule: that asks for it.
            key: of the incident.
            now: seconds since the epoch.
            holds: whether it does.
            title: what to tell where it does, in short.
            body: the rest of that.
            at: since when it holds, where that is known.
            incident: a new one, or one that was changed; else that of the key.
        """
        changed = incident is not None
        incident = incident or self._incidents.get(key)
        if incident is None:
            if not holds:
                return
            incident = Incident()
        before = incident.dump()
        if holds and incident.told is None:
            incident.title, incident.body = title, body
        told = incident.look(rule, now, holds=holds, at=at)
        if told is Told.RAISED:
            more = words.before(incident.times - 1)
            urgent = words.is_critical(rule, incident.severity)
            self._tell(rule, key, told, now, (title, f"{body}{more}"), urgent=urgent)
            incident.times, incident.body = 0, ""
        elif told is Told.OVER:
            body = words.over(incident, now, incident.gone or now)
            self._tell(rule, key, told, now, (_over_title(rule, key, incident), body))
            incident.gone = None
        if changed or incident.dump() != before or key not in self._incidents:
            self.keep(rule, key, incident, now)

    def end(
        self, rule: Rule, key: Key, now: float, *, made: float, title: str = "", body: str = ""
    ) -> None:
        """What was heard of and not looked at is over.

        Args:
            rule: that asks for it.
            key: of the incident, which there is.
            now: seconds since the epoch.
            made: when it was said to be over, by the host's clock.
            title: what to tell of that; empty: that it is over, and how long it took.
            body: the rest.
        """
        incident = self._incidents[key]
        incident.on, incident.mark, incident.unwatched = False, made, None
        if incident.look(rule, now, holds=False) is Told.OVER:
            title = title or _over_title(rule, key, incident)
            body = body or words.over(incident, now, min(made, now))
            self._tell(rule, key, Told.OVER, now, (title, body))
        incident.last = incident.last or now  # so that an older word of the host is known as such
        self.keep(rule, key, incident, now)

    def tell_news(self, rule: Rule, now: float, title: str, body: str) -> None:
        """Tells what neither begins nor ends."""
        urgent = bool(rule.urgent)
        self._put(rule, Waiting(target="", at=now, title=title, body=body, urgent=urgent))

    def keep(self, rule: Rule, key: Key, incident: Incident, now: float) -> None:
        """Notes an incident as it is now."""
        if incident.is_spent(rule, now):
            self.drop(key)
        else:
            self._incidents[key] = incident
            self._store.set_incident(key, incident)

    def drop(self, key: Key) -> None:
        """Forgets an incident."""
        if self._incidents.pop(key, None) is not None:
            self._store.drop_incident(key)

    def _tell(
        self,
        rule: Rule,
        key: Key,
        told: Told,
        now: float,
        text: tuple[str, str],
        *,
        urgent: bool = False,
    ) -> None:
        """Leaves title and body of what began or is over for all whom the rule tells."""
        item = Waiting(
            target="", at=now, title=text[0], body=text[1], kind=told, urgent=urgent,
            incident="\0".join(key),
        )  # fmt: skip
        self._put(rule, item)

    def _put(self, rule: Rule, item: Waiting) -> None:
        for target in addressed(rule, self._targets):
            title = item.title[: words.LONGEST_TITLE]
            self._store.put(replace(item, target=target, title=title))


def _over_title(rule: Rule, key: Key, incident: Incident) -> str:
    if rule.sort is not Sort.SILENT:
        return f"Over: {incident.title}"
    if key[2] == BROKER:
        return "The broker is back"
    name = incident.title.removesuffix(" is offline").removesuffix(" says nothing any more")
    return f"{name} is back"
