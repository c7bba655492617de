"""When a sentence is told: a new culprit at once, a known one in other words after a while."""

from __future__ import annotations

_SETTLE_SECONDS = 3.0


class Telling:
    """Holds the sentence that was told last.

    A load shows itself in parts: first the disk it reads from, then the CPU, then the memory that
    runs short; and it ends in parts. Who it is matters within the second; which of the parts it
    is, when that has settled.
    """

    def __init__(self) -> None:
        self._told = ""
        self._names: frozenset[str] = frozenset()
        self._differs_since: float | None = None

    def tell(self, sentence: str, names: frozenset[str], now: float) -> str:
        """What is told now.

        Args:
            sentence: what there is to tell.
            names: the culprits in it; empty when nobody is to blame.
            now: monotonic seconds.
        """
        if sentence != self._told and names and names == self._names:
            if self._differs_since is None:
                self._differs_since = now
            if now - self._differs_since < _SETTLE_SECONDS:
                return self._told
        self._told, self._names, self._differs_since = sentence, names, None
        return sentence
