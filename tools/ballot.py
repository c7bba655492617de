"""What public catalogues say of names, taken together: each has a vote."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from publisher.explain.naming.classification import MINING
from tools.catalogues import Catalogue, Item

if TYPE_CHECKING:
    from tools.packages_table import Judge

_FORGE = re.compile(r"\b(?:git|mercurial|source code|code review)\b")
_FETCHES = re.compile(r"\b(?:download|torrent|usenet|yt-dlp|youtube-dl|media requests?)")
_UNSURE: Final = (MINING, "indexing")
"""Categories of which a line of description tells too little."""
_TITLE: Final = re.compile(r"[a-z0-9]+")
_SURE, _HINT = 2.0, 1.0
_SHORT: Final = 4
"""Up to so many letters a program's name must stand in two catalogues."""
_LONGEST: Final = 24
"""More letters than that have titles, and nothing that runs."""
_NO_PROGRAM = re.compile(
    r"(?:lib|(?:py|python\d?|r|perl|php|ruby|rust|ghc|haskell|lua|erlang|ocaml|node|font|tex|gem)-)"
    r"|.*-(?:devel|data|libs?|docs?|themes?|icons?|fonts?|common|langs?|plugins?|progs|static)(?:-|$)"
)
"""Libraries, and what belongs to others."""


@dataclass(frozen=True)
class Ballot:
    """What catalogues say of names, each of them once."""

    judge: Judge
    votes: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    voters: Counter[str] = field(default_factory=Counter)

    def count(self, catalogue: Catalogue) -> None:
        """Enters what a catalogue says."""
        said: dict[str, dict[str, float]] = defaultdict(dict)
        for item in catalogue.items:
            category, weight = self._of(catalogue.meaning(item), item)
            if category:
                for name in _spellings(item, titles=not catalogue.programs):
                    said[name][category] = max(weight, said[name].get(category, 0.0))
        for name, found in said.items():
            self.voters[name] += 1
            for category, weight in found.items():
                self.votes[name][category] = self.votes[name].get(category, 0.0) + weight

    def entries(self, *, programs: bool) -> dict[str, tuple[str, str]]:
        """The names of which most say the same, with that."""
        found = {}
        for name, votes in self.votes.items():
            ranked = sorted(votes.items(), key=lambda item: -item[1])
            agreed = len(ranked) == 1 or ranked[0][1] >= 2 * ranked[1][1]
            short = len(name) <= _SHORT and programs and self.voters[name] < 2
            fits = 3 < len(name) <= _LONGEST or (programs and len(name) == 3)
            runs = not (programs and _NO_PROGRAM.match(name))
            if agreed and fits and runs and not short and self.judge.is_name(name):
                found[name] = (ranked[0][0], "")
        return found

    def _of(self, meaning: str, item: Item) -> tuple[str, float]:
        told = item.text.lower()
        among = meaning.split("|") if "|" in meaning else ()
        plain = meaning.rstrip("?") if not among else ""
        said = self.judge.of_text(item.names[:1], told, among) if meaning != plain else ""
        category = plain if said in ("", *_UNSURE) else said
        if category == "media" and _FETCHES.search(told):
            category = "downloads"
        if category == "web" and _FORGE.search(told):
            category = "development"
        return category, _SURE if meaning == plain else _HINT


def _spellings(item: Item, *, titles: bool) -> Iterator[str]:
    """Names run together and with hyphens, where they are titles of several words, and as they are.

    A repository's counts where it is like the first one.
    """
    first = "".join(_TITLE.findall(item.names[0].lower())) if item.names else ""
    for name in item.names:
        words = _TITLE.findall(name.lower())
        together = "".join(words)
        if " " in name.strip() and titles:
            yield "-".join(words)
            yield together
        elif together in first or first in together or not titles:
            yield name.lower().removesuffix(".exe")
            if titles:
                yield together
    for identifier in item.ids:
        yield identifier.lower().rpartition(".")[2]
