"""How often a password may be tried: by address, and by all together; as few things as can be."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_AT_ONCE: Final = 5  # tries of one address, and then
_EACH_SECONDS: Final = 20.0  # one more
_ALL_AT_ONCE: Final = 60
_ALL_EACH_SECONDS: Final = 1.0
_MOST_ADDRESSES: Final = 1000
_HOME_BITS: Final = 64  # of an IPv6 address, which a whole home or server has


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float

    def fill(self, most: int, each: float, now: float) -> None:
        self.left = min(self.left + (now - self.at) / each, most)
        self.at = now


@dataclass(slots=True)
class Throttle:
    """Counts tries; moments are of the monotonic clock, in seconds."""

    _known: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _all: _Bucket = field(default_factory=lambda: _Bucket(_ALL_AT_ONCE, 0.0))

    def __len__(self) -> int:
        """How many addresses it knows."""
        return len(self._known)

    def wait_seconds(self, address: str, now: float) -> float:
        """Takes a try; 0 where it may be made, else the seconds until the next."""
        key = _household(address)
        bucket = self._known.pop(key, None) or _Bucket(_AT_ONCE, now)
        self._known[key] = bucket
        while len(self._known) > _MOST_ADDRESSES:
            self._known.popitem(last=False)
        bucket.fill(_AT_ONCE, _EACH_SECONDS, now)
        self._all.fill(_ALL_AT_ONCE, _ALL_EACH_SECONDS, now)
        if bucket.left < 1:
            return (1 - bucket.left) * _EACH_SECONDS
        if self._all.left < 1:
            return (1 - self._all.left) * _ALL_EACH_SECONDS
        bucket.left -= 1
        self._all.left -= 1
        return 0.0

    def forgive(self, address: str) -> None:
        """Forgets an address: it knew the password."""
        self._known.pop(_household(address), None)


def _household(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, _HOME_BITS), strict=False))
    return str(parsed)
