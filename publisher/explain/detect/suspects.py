"""Who is to blame for the use of one resource: the work groups with a lasting share of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp
from typing import Final

from publisher.explain.detect.hysteresis import SOONEST, Hysteresis
from publisher.ledger.accounts import Account

# Use counts less the longer ago it was, so that the ranking follows what goes on now.
_MEMORY_SECONDS: Final = 60.0
OVERTAKE: Final = 1.5
"""Two equal ones must not change places at every wobble: to go past takes this much more."""


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
    """

    share: float
    join_seconds: float
    leave_seconds: float
    absent: bool = False
    _all: dict[str, Suspect] = field(default_factory=dict)
    _total: float = 0.0
    _order: list[str] = field(default_factory=list)
    _newcomer: bool = False
    _ending: bool = False

    def forget(self) -> None:
        """The resource is at rest: nothing is suspected."""
        self._all.clear()
        self._order.clear()
        self._total = 0.0
        self._newcomer = False

    def observe(
        self,
        uses: Iterable[tuple[Account, float]],
        total: float,
        *,
        least: float,
        start: float,
        now: float,
        ending: bool = False,
    ) -> None:
        """Takes one window into account.

        Args:
            uses: each group's use of the resource, in its unit.
            total: the use by all, which the shares are parts of.
            least: a use below this is not blamed however large its share.
            start: monotonic begin of the window.
            now: its end.
            ending: the resource is hardly used any more, and will be at rest unless that changes:
                a group that has used it stays its cause until then, or it would have none.
        """
        fade = exp((start - now) / _MEMORY_SECONDS)
        self._total = self._total * fade + total * (now - start)
        for known in self._all.values():
            known.used *= fade
        self._newcomer, self._ending = False, ending
        seen = set()
        for account, used in uses:
            key = account.group.key
            suspect = self._all.get(key)
            share = used / total if total > 0 else 0.0
            if suspect is None:
                if share < self.share / 2:
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

    def culprits(self) -> list[Suspect]:
        """Those to blame, the one that used the most first; places change only for a reason."""
        found = {key: each for key, each in self._all.items() if each.hysteresis.active}
        order = [key for key in self._order if key in found]
        order += sorted(found.keys() - set(order), key=lambda key: -found[key].used)
        for index in range(1, len(order)):
            place = index
            while place and _overtakes(found[order[place]], found[order[place - 1]]):
                order[place - 1 : place + 1] = order[place], order[place - 1]
                place -= 1
        self._order = order
        return [found[key] for key in order]

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


def _overtakes(later: Suspect, earlier: Suspect) -> bool:
    return later.used > OVERTAKE * earlier.used
