"""The real program, as the tests run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Program(Protocol):
    """Runs the program with these words; ``variables`` are added to its environment."""

    def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome: ...
