"""Which processes of a group worked in a window, and which one of them stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from itertools import islice
from typing import Final, NamedTuple

from publisher.contract.readings import GroupKind
from publisher.ledger.open_accounts import Member, OpenAccount

_MOST: Final = 5
_DEEPEST: Final = 32


class Leading(NamedTuple):
    """The processes of a group that matter most, by number.

    Attributes:
        main: the oldest that lives, of a program the oldest of a family that works: others that run
            it may have nothing to do with that. ``None`` where none is visible.
        busiest: those that worked most, the first of all first; the main one where none did.
        process_group: that the main one leads and the others are in; ``None``: there is none.
    """

    main: int | None
    busiest: tuple[int, ...]
    process_group: int | None


class Busiest:
    """Remembers who worked in a window.

    Attributes:
        worked: nanoseconds that each process worked in it.
    """

    def __init__(self) -> None:
        self.worked: Mapping[Member, int] = {}
        self._by_account: dict[OpenAccount, list[tuple[int, Member]]] = {}

    def read(self, worked: Mapping[Member, int]) -> None:
        """Takes over what processes worked in this window."""
        self.worked = dict(worked)
        found: dict[OpenAccount, list[tuple[int, Member]]] = {}
        self._by_account = found
        for process, nanoseconds in worked.items():
            found.setdefault(process.membership.account, []).append((nanoseconds, process))

    def processes(self, account: OpenAccount) -> list[tuple[int, Member]]:
        """Those of a group that worked most, the first of all first, with their nanoseconds.

        Where none did, the one that stands for it.
        """
        living = (pair for pair in self._by_account.get(account, ()) if pair[1].alive)
        found = nlargest(_MOST, living)
        return found or [(0, process) for process in islice(account.processes, 1)]

    def of(self, account: OpenAccount) -> Leading:
        """Those that matter most in a group."""
        root = account.root
        # Else the oldest: they joined in the order in which they began.
        main = root if root in account.processes else next(iter(account.processes), None)
        if main is None:
            return Leading(None, (), None)
        busiest = [process for _, process in self.processes(account)]
        if account.group.kind is GroupKind.PROGRAM and account in self._by_account:
            families = [_first_of_family(process) for process in busiest]
            main = main if main in families else families[0]
        together = len(account.processes) > 1 and all(
            process.process_group == main.pid for process in (main, *busiest)
        )
        return Leading(
            main.pid, tuple(process.pid for process in busiest), main.pid if together else None
        )


def _first_of_family(process: Member) -> Member:
    """The topmost of those above it that are in the same group, or itself."""
    account, above = process.membership.account, process.parent
    for _ in range(_DEEPEST):
        if above is None or above.membership.account is not account or not above.alive:
            break
        process, above = above, above.parent
    return process
