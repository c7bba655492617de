"""Hosts beside each other: the worst first, and how many there are of each state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from publisher.contract.readings import HostState
from subscriber_cli.model.fleet import KnownHost

OFFLINE = "offline"
WORST_FIRST = (
    HostState.PRESSURE, HostState.HOT, HostState.BUSY, HostState.COOLING, HostState.QUIET,
)  # fmt: skip
_ORDER = {state: place for place, state in enumerate((*WORST_FIRST[:2], OFFLINE, *WORST_FIRST[2:]))}


def worst_first(hosts: Iterable[KnownHost]) -> list[KnownHost]:
    """Those that want somebody, then those that work, then the rest; by name among equals."""
    return sorted(hosts, key=lambda host: (_ORDER.get(host.state, len(_ORDER)), host.name))


def tally(hosts: Iterable[KnownHost]) -> str:
    """How many are what, in words: ``1 hot, 7 busy, 2 offline of 60``."""
    everyone = list(hosts)
    counts = Counter(host.state for host in everyone)
    told = [state for state in (*WORST_FIRST[:-1], OFFLINE) if counts[state]]
    words = ", ".join(f"{counts[state]} {state}" for state in told)
    if len(everyone) == 1:
        return words or "1 host"
    return f"{words} of {len(everyone)}" if words else f"{len(everyone)} hosts, none of them busy"
