"""Which processes of a group worked in a window, and which one of them stands for it."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Final, NamedTuple

from publisher.ledger.open_accounts import Member, OpenAccount

_MOST: Final = 5


class Leading(NamedTuple):
    """The processes of a group that matter most, by number.

    Attributes:
        main: the oldest that lives; ``None`` where none is visible.
        busiest: those that worked most, the first of all first; the main one where none did.
        process_group: that the main one leads and the others are in; ``None``: there is none.
    """

    main: int | None
    busiest: tuple[int, ...]
    process_group: int | None


class Busiest:
    """Remembers who worked until the accounts of a window are closed."""

    def __init__(self) -> None:
        self._worked: dict[OpenAccount, list[tuple[int, Member]]] = {}

    def read(self, worked: Iterable[tuple[Member, int]]) -> None:
        """Takes over the nanoseconds that processes worked in this window."""
        found: dict[OpenAccount, list[tuple[int, Member]]] = {}
        self._worked = found
        for process, nanoseconds in worked:
            found.setdefault(process.membership.account, []).append((nanoseconds, process))

    def of(self, account: OpenAccount) -> Leading:
        """Those that matter most in a group."""
        # They joined in the order in which they began.
        main = next(iter(account.processes), None)
        if main is None:
            return Leading(None, (), None)
        living = (pair for pair in self._worked.get(account, ()) if pair[1].alive)
        busiest = [process for _, process in nlargest(_MOST, living)] or [main]
        together = len(account.processes) > 1 and all(
            process.process_group == main.pid for process in (main, *busiest)
        )
        return Leading(
            main.pid, tuple(process.pid for process in busiest), main.pid if together else None
        )
