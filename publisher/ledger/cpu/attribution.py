"""Books to groups what processes did, and finds owners for what none was seen to do.

What init or a subreaper is credited with is the work of orphans: it goes to a pool. The pool,
and whatever the machine did beyond all that was booked, are given, in this order, to

1. cgroups whose counters grew by more than their processes were booked: exact;
2. the groups of orphans by how long they lived, where the kernel's events are listened to;
   else of those that were seen alive lately, by what they used;
3. parents that ignore SIGCHLD, whose children are added to none, by what those used that
   were seen.

The rest has no name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Protocol

from publisher.ledger.cpu.process import Attribution
from publisher.ledger.groups import Groups
from publisher.ledger.open_accounts import (
    CgroupCounter,
    GroupMembership,
    Member,
    OpenAccount,
    waits_for_orphans,
)
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessSource

_GRAIN = 5_000_000  # nanoseconds: a cgroup's gap below it is the lag of clocks
_MEMORY = 8  # windows that a glimpse of an orphan speaks for its like


class Follower(Protocol):
    """Keeps something of each process for as long as that lives."""

    def died(self, process: Member) -> None:
        """A process is gone; its parent is still known."""


class GroupAttribution(Attribution[GroupMembership]):
    """Keeps the accounts of all groups for one window after another; times are nanoseconds.

    Args:
        groups: finds the group of every process.
        cgroups: their counters.
        processes: tells which ones ignore SIGCHLD.
        followers: are told of deaths.

    Attributes:
        orphans_ns: reaped by init and subreapers in this window, with no owner known yet.
        ownerless_ns: of the orphans' in the last window, what no counter told the owner of.
        outside_ns: booked in this window to processes outside all cgroups.
        worked: what every process used that was seen to work in this window.
    """

    def __init__(
        self,
        groups: Groups,
        cgroups: Cgroups,
        processes: ProcessSource,
        followers: Iterable[Follower] = (),
    ) -> None:
        self.orphans_ns = 0
        self.outside_ns = 0
        self.ownerless_ns = 0
        self.worked: dict[Member, int] = {}
        self._followers = followers
        self._groups = groups
        self._cgroups = cgroups
        self._processes = processes
        self._orphans_seen: Counter[OpenAccount] = Counter()
        self._children_seen: Counter[Member] = Counter()
        self._ignoring: list[Member] = []
        self._started: dict[Member, Counter[OpenAccount]] = {}
        self._window = 0
        self._last_seen = 0

    # -- what the books tell -----------------------------------------------------------------

    def place(self, process: Member) -> GroupMembership:
        membership = self._groups.membership(process)
        membership.account.join(process)
        if membership.counter is not None:
            membership.counter.living += 1
        return membership

    def book(self, process: Member, nanoseconds: int) -> None:
        membership = process.membership
        account = membership.account
        account.cpu_ns += nanoseconds
        account.members[membership.program] += nanoseconds
        if nanoseconds > account.most_ns:
            account.most, account.most_ns = process, nanoseconds
        self.worked[process] = self.worked.get(process, 0) + nanoseconds
        if process.fresh:
            self._glimpse(process, nanoseconds)
        if membership.counter is None:
            self.outside_ns += nanoseconds
        else:
            _note(membership.counter, account, nanoseconds)

    def book_unseen(
        self,
        reaper: Member,
        nanoseconds: int,
        died: dict[Member, int],
    ) -> None:
        membership = reaper.membership
        # As much as those we knew used in a tick, their last moments may have taken too.
        tails = min(sum(died.values()), nanoseconds)
        if tails:
            shares: Counter[OpenAccount] = Counter()
            for process, used in died.items():
                shares[process.membership.account] += used
            _spread(tails, shares, seen=True)
            nanoseconds -= tails
        if nanoseconds and membership.spawner:
            nanoseconds -= self._to_ended_jobs(nanoseconds, membership.account, died)
        if not nanoseconds:
            return
        if membership.spawner and waits_for_orphans(reaper):
            # Any other subreaper is given its own descendants alone.
            self.orphans_ns += nanoseconds
        elif membership.spawner and (started := self._started.get(reaper)):
            _spread(nanoseconds, started)
        else:
            _unseen(membership.account, nanoseconds)
            if membership.counter is not None:
                _note(membership.counter, membership.account, nanoseconds)

    def _to_ended_jobs(
        self, nanoseconds: int, spawner: OpenAccount, died: dict[Member, int]
    ) -> int:
        """Gives the last unseen workers of jobs that ended, whose root died with them.

        A job may have had as many of them at its end as in a window before.
        """
        shares: Counter[OpenAccount] = Counter()
        for process in died:
            account = process.membership.account
            if account is not spawner and not process.membership.spawner:
                shares[account] = account.previous_ns + account.cpu_ns
        given = min(nanoseconds, sum(shares.values()))
        if given:
            _spread(given, shares)
        return given

    def changed(self, process: Member) -> None:
        before = process.membership
        comm = process.comm.decode("utf-8", "replace")
        if before.account.group.own:
            return
        if before.program[:15] == comm and not before.described:
            return
        membership = process.membership = self._groups.moved(process)
        if membership.counter is not before.counter:
            if before.counter is not None:
                before.counter.living -= 1
            if membership.counter is not None:
                membership.counter.living += 1
        if membership.account is not before.account:
            before.account.leave(process)
            membership.account.join(process)

    def died(self, process: Member) -> None:
        if process.entered and self._window - process.entered <= _MEMORY:
            self._glimpse(process, process.self_ns)
        membership = process.membership
        membership.account.leave(process)
        if membership.counter is not None:
            membership.counter.living -= 1
        self._groups.died(process)
        for follower in self._followers:
            follower.died(process)
        self._children_seen.pop(process, None)
        self._started.pop(process, None)

    def forget(self, closed: AbstractSet[OpenAccount]) -> None:
        """Groups were closed: nothing is owed to them any more."""
        for counts in (self._orphans_seen, *self._started.values()):
            for account in closed & counts.keys():
                del counts[account]

    def _glimpse(self, process: Member, nanoseconds: int) -> None:
        """Remembers what comes and goes: others like it came and went unseen."""
        account, parent = process.membership.account, process.parent
        account.glimpsed[process.membership.program] += min(nanoseconds, 10**9) + 1
        if parent is None or account.group.own:
            return
        if waits_for_orphans(parent):
            self._orphans_seen[account] += min(nanoseconds, 10**9) + 1
            self._last_seen = self._window
            return
        self._children_seen[parent] += min(nanoseconds, 10**9) + 1
        if parent.membership.spawner and parent.membership.account is not account:
            self._started.setdefault(parent, Counter())[account] += min(nanoseconds, 10**9) + 1

    # -- what none was seen to do --------------------------------------------------------------

    def close_window(self, gap: int, tolerance: int, lives: Counter[OpenAccount]) -> int:
        """Finds owners for the gap between what the machine did and what was booked.

        Args:
            gap: nanoseconds.
            tolerance: how much of it may be the lag of clocks.
            lives: how long orphans lived that the kernel told of, by group.

        Returns:
            How much of it was given to groups.
        """
        self._window += 1
        for process in self.worked:
            if process.alive:
                process.membership.account.update(process)
        given = self.ownerless_ns = 0
        orphans, self.orphans_ns = self.orphans_ns, 0
        missing = max(gap, orphans)
        if missing > min(tolerance, _GRAIN) or orphans:
            given = self._from_cgroups(missing)
            left = self.ownerless_ns = max(orphans - given, 0)
            if shares := lives or self._orphans_seen:
                _spread(left, shares)
                given += left
            if gap - given > tolerance:
                given += self._to_ignorers(gap - given)
            else:
                self._ignoring = []
        if self._window - self._last_seen > _MEMORY:
            self._orphans_seen.clear()
        _fade(self._orphans_seen)
        for started in self._started.values():
            _fade(started)
        self._children_seen.clear()
        self.outside_ns = 0
        self.worked.clear()
        return given

    def _from_cgroups(self, missing: int) -> int:
        """Gives cgroups what they used beyond what was booked in them, the deepest first."""
        given = 0
        explained: Counter[str] = Counter()
        for counter in sorted(self._groups.counters.values(), key=_depth, reverse=True):
            usage = self._cgroups.cpu_usage(counter.path)
            if usage is None:
                if not counter.living:  # removed, as the cgroup of a session is that ended
                    del self._groups.counters[counter.path]
                continue
            before = counter.usage_ns
            if before is not None and usage < before:
                before = 0  # a unit that was started again has a new cgroup of that name
            grown = usage - before if before is not None else 0
            gap = grown - counter.booked_ns - explained[counter.path]
            if gap > _GRAIN and missing - given > 0 and counter.accounts:
                share = min(gap, missing - given)
                _spread(share, counter.accounts)
                given += share
            counter.usage_ns, counter.booked_ns = usage, 0
            for account, weight in list(counter.accounts.items()):
                counter.accounts[account] = weight // 2 + 1
            self._pass_up(counter.path, grown, explained)
        return given

    def _pass_up(self, account: str, grown: int, explained: Counter[str]) -> None:
        """The nearest cgroup above that has a counter too holds this one's time as well."""
        above = account
        while above := above.rpartition("/")[0]:
            if above in self._groups.counters:
                explained[above] += grown
                return

    def _to_ignorers(self, missing: int) -> int:
        shares: Counter[OpenAccount] = Counter()
        known = []
        for parent, used in self._children_seen.most_common(8):
            if self._ignores(parent):
                shares[parent.membership.account] += used
                known.append(parent)
        if not shares:
            # None of their children was seen this time, or they have ended meanwhile: they may
            # have had as many as in the window before.
            for parent in self._ignoring:
                account = parent.membership.account
                shares[account] = account.previous_ns
            known = [parent for parent in self._ignoring if self._ignores(parent)]
            missing = min(missing, sum(shares.values()))
        self._ignoring = known
        if missing and shares:
            _spread(missing, shares)
            return missing
        return 0

    def _ignores(self, parent: Member) -> bool:
        return parent.alive and self._processes.ignores_children(parent.pid)


def _spread(nanoseconds: int, shares: Counter[OpenAccount], *, seen: bool = False) -> None:
    whole = sum(shares.values())
    left = nanoseconds
    for account, weight in shares.most_common():
        part = -(-nanoseconds * weight // whole) if whole else 0
        part = min(part, left)
        account.cpu_ns += part
        if not seen:
            account.unseen_ns += part
        left -= part


def _fade(weights: Counter[OpenAccount]) -> None:
    for account, weight in list(weights.items()):
        if weight < 2:
            del weights[account]
        else:
            weights[account] = weight // 2


def _unseen(account: OpenAccount, nanoseconds: int) -> None:
    account.cpu_ns += nanoseconds
    account.unseen_ns += nanoseconds


def _note(counter: CgroupCounter, account: OpenAccount, nanoseconds: int) -> None:
    counter.booked_ns += nanoseconds
    counter.accounts[account] += nanoseconds


def _depth(counter: CgroupCounter) -> int:
    return counter.path.count("/")
