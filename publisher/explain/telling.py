"""When a sentence is told: a new culprit at once, a known one in other words after a while."""

from __future__ import annotations

_SETTLE_SECONDS = 3.0


class Telling:
    """Holds the sentence that was told last.

    A load shows itself in parts: first the disk it reads from, then the CPU, then the memory that
    runs short. Who it is matters within the second; which of the parts it is, once they are seen.
    """

    def __init__(self) -> None:
        self._told = ""
        self._names: frozenset[str] = frozenset()
        self._at = float("-inf")

    def tell(self, sentence: str, names: frozenset[str], now: float) -> str:
        """What is told now.

        Args:
            sentence: what there is to tell.
            names: the culprits in it; empty when nobody is to blame.
            now: monotonic seconds.
        """
        if sentence == self._told:
            return sentence
        if names and names == self._names and now - self._at < _SETTLE_SECONDS:
            return self._told
        self._told, self._names, self._at = sentence, names, now
        return sentence
