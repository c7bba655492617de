"""When a headline changes: news of the culprits at once, the same in other words after a while."""

from __future__ import annotations

from typing import Final

_SETTLE_SECONDS: Final = 3.0
_SLOWER: Final = 4.0
_LONGEST_SECONDS: Final = 60.0


class HeadlineStability:
    """Holds the headline that was published last.

    A load shows itself in parts: first the disk it reads from, then the CPU, then the memory that
    runs short; and it ends in parts. Which groups are to blame matters within the second; which of
    the parts it is, when that has settled. A load that swings between its parts is not retold at
    every swing: each other wording of the same news takes longer to be believed.
    """

    def __init__(self) -> None:
        self._shown = ""
        self._about: frozenset[str] = frozenset()
        self._differs_since: float | None = None
        self._settle = _SETTLE_SECONDS

    def settle(self, sentence: str, about: frozenset[str], now: float) -> str:
        """The headline to publish now.

        Args:
            sentence: what it would be without regard to what was published before.
            about: the culprits in it and what is hot; empty when no group is to blame.
            now: monotonic seconds.
        """
        if sentence == self._shown:
            self._differs_since = None
        elif about and about == self._about:
            if self._differs_since is None:
                self._differs_since = now
            if now - self._differs_since >= self._settle:
                self._show(sentence)
                self._settle = min(self._settle * _SLOWER, _LONGEST_SECONDS)
        else:
            self._show(sentence)
            self._settle = _SETTLE_SECONDS
        self._about = about
        return self._shown

    def _show(self, sentence: str) -> None:
        self._shown, self._differs_since = sentence, None
