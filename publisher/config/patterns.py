"""Patterns that people write for names: ``*`` stands for any characters, and case is no matter."""

from __future__ import annotations

import re
from collections.abc import Iterable


def plain(text: str) -> str:
    """Text as it is compared: without case, and with single spaces."""
    return " ".join(text.casefold().split())


class Pattern:
    """One pattern, for whole names."""

    __slots__ = ("_matches", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        parts = map(re.escape, plain(text).split("*"))
        self._matches = re.compile(".*".join(parts), re.DOTALL).fullmatch

    def fits(self, names: Iterable[str]) -> bool:
        """Whether it stands for one of the names of something."""
        return any(self._matches(plain(name)) for name in names)
