"""Lines that somebody moves about in, and what each of them is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.text import Text


@dataclass(slots=True)
class Page:
    """Lines, as many as there are.

    Attributes:
        keys: for each line what it opens; empty where there is nothing more to it.
        frozen: how many of the first lines stay while the others are scrolled.
    """

    lines: list[Text] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    frozen: int = 0

    def add(self, line: Text, key: str = "") -> None:
        """Puts a line at the end."""
        self.lines.append(line)
        self.keys.append(key)

    def extend(self, lines: Iterable[Text]) -> None:
        """Puts lines at the end that open nothing."""
        for line in lines:
            self.add(line)


def heading(title: str, width: int, note: str = "") -> Text:
    """The line above a part of the screen: its name, a rule, and a word at its end."""
    line = Text.assemble(("─ ", "dim"), (title, "bold"), " ")
    end = f" {note} ─" if note else "─"
    rule = width - line.cell_len - len(end)
    if rule < 1:
        line.truncate(width)
        return line
    return line.append("─" * rule, style="dim").append(end, style="dim")
