"""Who is to blame for the use of one resource: the work groups with a lasting share of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp
from typing import Final

from publisher.explain.detect.hysteresis import SOONEST, Hysteresis
from publisher.explain.detect.recent import Recent
from publisher.ledger.accounts import Account

# Use counts less the longer ago it was.
_MEMORY_SECONDS: Final = 60.0
OVERTAKE: Final = 1.2
"""Two equal ones must not change places at every wobble: to go past takes this much more."""
# Where no group has much, the greatest of the small ones stays the one that is named until
# another has used so many times as much.
_SPREAD_OVERTAKE: Final = 1.5
# What began late in a window that was at least so long shows little of itself; how young it is at
# least taken to be, since whatever begins works for a moment.
_LONG_SECONDS: Final = 1.0
_YOUNGEST_SECONDS: Final = 0.1
# Part of the use below which even the greatest is nothing worth a name.
_SPREAD_LEAST: Final = 0.01


@dataclass(slots=True)
class Suspect:
    """One work group seen using much of a resource.

    Attributes:
        account: its newest account; the last one it had when it is gone.
        hysteresis: whether it is to blame.
        used: what it used lately, in unit-seconds that fade.
        latest: its use in the last window, in the resource's unit.
        share: its part of the resource's use in the last window, 0 to 1.
    """

    account: Account
    hysteresis: Hysteresis
    used: float = 0.0
    latest: float = 0.0
    share: float = 0.0


@dataclass(slots=True)
class Suspects:
    """The suspects of one resource.

    Attributes:
        share: least part of the total for which a group is blamed.
        absent: a group that used the resource while its use became much is to blame, though it
            does not use it any more: what waits for a disk does not move a byte meanwhile.
        recent: what all groups used in the last seconds.
    """

    share: float
    join_seconds: float
    leave_seconds: float
    absent: bool = False
    recent: Recent = field(default_factory=Recent)
    _all: dict[str, Suspect] = field(default_factory=dict)
    _total: float = 0.0
    _order: list[str] = field(default_factory=list)
    _newcomer: bool = False
    _ending: bool = False
    _greatest: Suspect | None = None

    def forget(self) -> None:
        """The resource is at rest: nothing is suspected."""
        self._all.clear()
        self._order.clear()
        self._total = 0.0
        self._newcomer = False
        self._greatest = None
        self.recent.forget()

    def observe(
        self,
        uses: Iterable[tuple[Account, float]],
        total: float,
        *,
        least: float,
        start: float,
        now: float,
        wall: float,
        ending: bool = False,
    ) -> None:
        """Takes one window into account.

        Args:
            uses: each group's use of the resource, in its unit.
            total: the use by all, which the shares are parts of.
            least: a use below this is not blamed however large its share.
            start: monotonic begin of the window.
            now: its end.
            wall: the same moment in seconds since the epoch.
            ending: the resource is hardly used any more, and will be at rest unless that changes:
                a group that has used it stays its cause until then, or it would have none.
        """
        fade = exp((start - now) / _MEMORY_SECONDS)
        self._total = self._total * fade + total * (now - start)
        for known in self._all.values():
            known.used *= fade
        self._newcomer, self._ending = False, ending
        uses = list(uses)
        self.recent.add(
            ((account.group.key, used) for account, used in uses), total, start=start, now=now
        )
        self._follow_greatest(uses, total, start)
        seen = set()
        for account, used in uses:
            key = account.group.key
            suspect = self._all.get(key)
            share = used / total if total > 0 else 0.0
            if suspect is None:
                if share < self.share / 2:
                    late = _late(account, now - start, wall)
                    self._newcomer |= late is not None and share / late >= self.share / 2
                    continue
                suspect = Suspect(account, Hysteresis(self.join_seconds, self.leave_seconds))
                self._all[key] = suspect
                self._newcomer = True
            seen.add(key)
            suspect.account, suspect.latest, suspect.share = account, used, share
            suspect.used += used * (now - start)
            suspect.hysteresis.update(
                above=share >= self.share and used >= least,
                below=share < self.share / 2 or used < least / 2,
                start=start,
                now=now,
                hold=ending,
            )
        self._miss(seen, start, now)

    def _follow_greatest(
        self, uses: Iterable[tuple[Account, float]], total: float, start: float
    ) -> None:
        """Keeps the group in mind that uses the most, however little that is."""
        key, known = self.recent.greatest(), self._greatest
        if known is not None and (key is None or not self._outgrows(key, known)):
            key = known.account.group.key
        found = next((pair for pair in uses if pair[0].group.key == key), None)
        if known is None or known.account.group.key != key:
            if found is None or self.recent.share(found[0].group.key) < _SPREAD_LEAST:
                self._greatest = None
                return
            known = self._greatest = Suspect(
                found[0],
                Hysteresis(self.join_seconds, self.leave_seconds, active=True, since=start),
            )
        known.latest = found[1] if found else 0.0
        known.share = known.latest / total if total > 0 else 0.0
        if found:
            known.account = found[0]

    def _outgrows(self, key: str, known: Suspect) -> bool:
        used = self.recent.used(known.account.group.key)
        return self.recent.used(key) > _SPREAD_OVERTAKE * used

    def _miss(self, seen: set[str], start: float, now: float) -> None:
        """Takes the window into account for the suspects that used nothing in it."""
        for key, gone in list(self._all.items()):
            if key in seen:
                continue
            gone.latest = gone.share = 0.0
            gone.hysteresis.update(above=False, below=True, start=start, now=now, hold=self._ending)
            to_blame = self.absent and gone.used >= self.share * self._total
            if not gone.hysteresis.active and not to_blame:
                del self._all[key]

    def confirm(self, since: float) -> None:
        """The resource is used much: what had the share while it came to that is a cause at once.

        Args:
            since: monotonic moment since which it is used much.
        """
        for suspect in self._all.values():
            here = suspect.share > 0 or self.absent
            if self._total > 0 and suspect.used >= self.share * self._total and here:
                known = suspect.hysteresis.since
                suspect.hysteresis.activate(known if known is not None else since)

    @property
    def spread(self) -> bool:
        """No group has much of it."""
        return not any(each.hysteresis.active for each in self._all.values())

    def culprits(self) -> list[Suspect]:
        """Those to blame, the one that used the most lately first.

        Places change only for a reason. Where no group has much, it is the greatest of the small
        ones: there is always a name, if there is one at all.
        """
        found = {key: each for key, each in self._all.items() if each.hysteresis.active}
        if not found:
            self._order = []
            return [self._greatest] if self._greatest is not None else []
        order = [key for key in self._order if key in found]
        order += sorted(found.keys() - set(order), key=lambda key: (-self.recent.used(key), key))
        for index in range(1, len(order)):
            place = index
            while place and self._overtakes(order[place], order[place - 1]):
                order[place - 1 : place + 1] = order[place], order[place - 1]
                place -= 1
        self._order = order
        return [found[key] for key in order]

    def _overtakes(self, later: str, earlier: str) -> bool:
        return self.recent.used(later) > OVERTAKE * self.recent.used(earlier)

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which a further window could make a suspect a cause, or clear one."""
        # What came late in a window shows little of itself: look again at once.
        waits = [SOONEST] if self._newcomer else []
        for suspect in self._all.values():
            state = suspect.hysteresis
            # What ends with the whole resource is settled when that is.
            leaving = state.ending_since is not None and not self._ending
            wait = state.wants_soon(now) if state.pending or leaving else None
            if wait is not None:
                waits.append(wait)
        return min(waits, default=None)


def _late(account: Account, lasted: float, wall: float) -> float | None:
    """The part of a window in which a group was there that began in it; ``None``: all of it."""
    if account.since is None or lasted < _LONG_SECONDS or account.since <= wall - lasted:
        return None
    return max(wall - account.since, _YOUNGEST_SECONDS) / lasted
