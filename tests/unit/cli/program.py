"""The real program, as the tests run it."""

from __future__ import annotations

from typing import Protocol

from forked import Outcome


class Program(Protocol):
    """Runs the program with these words; ``variables`` are added to its environment."""

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome: ...
