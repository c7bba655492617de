"""What is kept from a broker, by owner and name, within a number of bytes."""

from __future__ import annotations

from collections import Counter


class Shelf:
    """Keeps account; when there is no room, whoever has most loses the largest of what is theirs.

    So one host, however loud, takes from itself and not from the others.

    Args:
        room: bytes in all.
        share: bytes of one owner.
    """

    def __init__(self, room: int, share: int) -> None:
        self._room = room
        self._share = share
        self._owned: dict[str, dict[str, int]] = {}
        self._sums: Counter[str] = Counter()
        self.total = 0

    def put(self, owner: str, name: str, size: int) -> list[tuple[str, str]]:
        """Notes that a thing has ``size`` bytes now; gives what has to go, itself perhaps."""
        self.drop(owner, name)
        self._owned.setdefault(owner, {})[name] = size
        self._sums[owner] += size
        self.total += size
        gone: list[tuple[str, str]] = []
        while self._sums[owner] > self._share:
            gone.append(self._give_up(owner))
        while self.total > self._room:
            gone.append(self._give_up(max(self._sums, key=self._sums.__getitem__)))
        return gone

    def _give_up(self, owner: str) -> tuple[str, str]:
        things = self._owned[owner]
        largest = max(things, key=things.__getitem__)
        self.drop(owner, largest)
        return owner, largest

    def drop(self, owner: str, name: str) -> None:
        """Forgets a thing, if there is any of that name."""
        things = self._owned.get(owner, {})
        size = things.pop(name, 0)
        self.total -= size
        self._sums[owner] -= size
        if not things:
            self._owned.pop(owner, None)
            del self._sums[owner]
