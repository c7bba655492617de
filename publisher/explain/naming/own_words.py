"""What the words say that people put into names of their own: ``monitoringClient.jar``.

A word is a hint and no proof. Some say much (*backup*, *thermostat*), some little (*api*, *db*);
of those that say as much as each other the last one counts: ``backup-check`` checks. What is only
dealt with says less than what is done to it: ``sync_photos`` is a copy, ``check_db`` a check.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from publisher.explain.naming.classification import GUESS, MINING
from publisher.explain.naming.lookup import base
from publisher.explain.naming.place_names import NEUTRAL
from publisher.explain.naming.rules import Rule, RuleBook
from publisher.ledger.naming.generic import is_generic

_WORD: Final = re.compile(r"[a-z]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENDING: Final = re.compile(r"\.(?:[a-z]{1,4}|ps1)$")
_DEALT_WITH: Final = frozenset(
    [
        "photo",
        "photos",
        "picture",
        "pictures",
        "image",
        "images",
        "video",
        "videos",
        "audio",
        "music",
        "movie",
        "movies",
        "flac",
        "podcast",
        "gallery",
        "playlist",
        "subtitle",
        "subtitles",
        "camera",
        "cameras",
        "webcam",
        "db",
        "database",
        "sql",
        "game",
        "games",
        "minecraft",
        "valheim",
        "factorio",
        "containers",
        "vm",
        "vms",
        "website",
    ]
)
"""What somebody does something to."""
_RELEASE: Final = re.compile(r"(?<=\d)[-_.]snapshot(?:-(?:all|fat|shaded|jar-with-dependencies))?$")
"""How Maven calls what is no release yet."""
_RUN_TOGETHER: Final = 6
"""Letters that a word needs to be told within a longer one: ``adcsensor``."""
_BEFORE: Final = 2
"""So many letters before it are the beginning of another word: ``opencode`` does not encode."""
_VOWEL: Final = re.compile(r"[aeou]")


@dataclass(frozen=True, slots=True)
class Told:
    """A word that tells something.

    Attributes:
        text: the name that it stands in.
    """

    rule: Rule
    word: str
    text: str

    @property
    def strong(self) -> bool:
        """Whether it says as much as a word can."""
        return _is_strong(self.rule)


def telling_word(book: RuleBook, texts: Iterable[str], places: Container[str] = ()) -> Told | None:
    """The most telling word of the first name that has one; a weak one, where none has better.

    Args:
        book: the rules, of which those for words are asked.
        texts: the names, the most telling first.
        places: those of the names that are a unit's or a container's.
    """
    weak: Told | None = None
    for text in texts:
        for word, rule in _known(book, text):
            if text in places and word in NEUTRAL:
                continue
            told = Told(rule, word, text)
            if told.strong:
                return told
            weak = weak or told
    return weak


def _known(book: RuleBook, text: str) -> Iterator[tuple[str, Rule]]:
    """The known words of a name, the last first, those of things behind those of deeds.

    Run together with others they come behind both.
    """
    tokens = tokens_of(text)
    deeds = [token for token in reversed(tokens) if token not in _DEALT_WITH]
    things = [token for token in reversed(tokens) if token in _DEALT_WITH]
    for token in (*deeds, *things):
        if rule := _rule(book, token):
            yield token, rule
    for token in reversed(tokens):
        for part in _parts(token):
            # What says little by itself says nothing at the end of ``wgnetwork``.
            if (rule := _rule(book, part)) and _is_strong(rule):
                yield part, rule


def tokens_of(text: str) -> list[str]:
    """``monitoringClient.jar`` as ``monitoring`` and ``client``."""
    name = _ENDING.sub("", base(text))
    if is_generic(base(text)):  # it stands behind its folder: ``ci-project/index.php``
        name = text.rpartition("/")[0].rpartition("/")[2] or name
    name = _RELEASE.sub("", _HUMP.sub("-", name).lower())
    return _WORD.findall(name)


def _rule(book: RuleBook, word: str) -> Rule | None:
    rule = book.find_exact("word", word)
    return None if rule is None or rule.category == MINING else rule


def _is_strong(rule: Rule) -> bool:
    return rule.confidence is None or rule.confidence >= GUESS


def _parts(token: str) -> Iterator[str]:
    for length in range(len(token) - 2, _RUN_TOGETHER - 1, -1):
        before = token[:-length]
        if len(before) > _BEFORE or not _VOWEL.search(before):
            yield token[-length:]
