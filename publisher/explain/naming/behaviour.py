"""What is known of the behaviour of groups whose names say nothing.

It is asked for of causes alone, of the process that works most in them, and remembered by group and
program. A program loads its libraries when it needs them, so who showed nothing is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from publisher.explain.naming.classification import GUESS, Classification
from publisher.explain.naming.traits import Traits, with_traits
from publisher.ledger.accounts import Account

_MOST_KEPT: Final = 256
_AGAIN_SECONDS: Final = (3.0, 15.0, 120.0)
_NOTHING: Final = Traits()

_Key = tuple[str, str]


class Watcher(Protocol):
    """Tells how processes behave."""

    def traits(self, pid: int) -> Traits:
        """What one shows; nothing where this user may not know. A few milliseconds."""


@dataclass(slots=True)
class _Answer:
    """What a group showed.

    Attributes:
        asked: how often it was asked for.
        again: monotonic moment from which on it may be asked for again.
    """

    traits: Traits
    asked: int
    again: float


@dataclass(slots=True)
class KnownBehaviour:
    """The behaviour of groups."""

    _answers: dict[_Key, _Answer] = field(default_factory=dict)

    def add_to(self, found: Classification, account: Account) -> Classification:
        """What was found, with what is known already."""
        if found.confidence > GUESS or not self._answers:
            return found
        answer = self._answers.get(_key(account))
        return found if answer is None else with_traits(found, answer.traits)

    def ask(self, found: Classification, account: Account, watcher: Watcher, now: float) -> None:
        """Finds out how a cause behaves, where its name says little.

        Args:
            found: what its name says.
            account: its account.
            watcher: tells it.
            now: monotonic seconds.
        """
        if not account.pids or not _is_open(found):
            return
        key = _key(account)
        known = self._answers.pop(key, None) or _Answer(_NOTHING, 0, now)
        if known.traits == _NOTHING and now >= known.again:
            wait = _AGAIN_SECONDS[min(known.asked, len(_AGAIN_SECONDS) - 1)]
            known = _Answer(watcher.traits(account.pids[0]), known.asked + 1, now + wait)
        self._answers[key] = known
        if len(self._answers) > _MOST_KEPT:
            del self._answers[next(iter(self._answers))]


def _key(account: Account) -> _Key:
    return account.group.key, account.clues.program


def _is_open(found: Classification) -> bool:
    """Whether behaviour could say more."""
    return with_traits(found, Traits(gpu=True)) is not found
