"""How a host is among others: which of them somebody should look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from subscriber_cli.model.fleet import KnownHost

STALE = "stale"
OFFLINE = "offline"
_WORST_FIRST = ("hot", "pressure", "busy", "cooling", OFFLINE, STALE, "", "quiet")
# A daemon says everything again every five minutes, unless told otherwise: three were missed.
_STALE_SECONDS = 900.0


def standing(host: KnownHost, now: float) -> str:
    """The state of a host's verdict; or ``stale``, or ``offline``, or nothing."""
    if host.offline:
        return OFFLINE
    heard = host.last_heard
    if heard is not None and now - heard > _STALE_SECONDS:
        return STALE
    return host.state


@dataclass(frozen=True, slots=True)
class Ranked:
    """A host and how it stands, as it is asked for often and told once."""

    host: KnownHost
    standing: str


def worst_first(hosts: Iterable[KnownHost], now: float) -> list[Ranked]:
    """The hosts, those that are hot first, those that are quiet last; by name among equals."""
    ranked = [Ranked(host, standing(host, now)) for host in hosts]
    return sorted(ranked, key=lambda each: (rank(each.standing), each.host.name, each.host.prefix))


def tally(hosts: Iterable[Ranked]) -> list[tuple[str, int]]:
    """(standing, how many), the worst first."""
    counted = Counter(each.standing for each in hosts)
    return sorted(counted.items(), key=lambda item: (rank(item[0]), item[0]))


def find(hosts: Iterable[KnownHost], wanted: str) -> KnownHost | None:
    """The host of a name, of a prefix, or of the last level of one; whatever its capitals."""
    folded = wanted.casefold()
    for host in hosts:
        if folded in (
            host.prefix.casefold(),
            host.name.casefold(),
            host.prefix.rpartition("/")[2].casefold(),
        ):
            return host
    return None


def rank(word: str) -> int:
    """Its place among standings: the lower, the sooner somebody should look."""
    unknown = _WORST_FIRST.index("")
    return _WORST_FIRST.index(word) if word in _WORST_FIRST else unknown
