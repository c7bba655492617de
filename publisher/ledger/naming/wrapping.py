"""The command that a wrapper runs: ``sudo -u bob make``, ``uv run train.py``, ``torchrun …``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from publisher.ledger.naming.programs import Wrapper
from publisher.ledger.naming.shell_lines import ASSIGNMENT
from publisher.ledger.naming.words import SCRIPT, base

_LOADER = re.compile(r"ld-(?:linux|musl|\d)[\w.-]*\.so(?:\.\d+)?|ld\.so")


def wrapper_of(name: str) -> str:
    """The name under which a wrapper stands in the tables; of scripts without their ending."""
    if _LOADER.fullmatch(name):
        return "ld.so"
    return re.sub(r"\.(?:[cm]?js|py|sh)$", "", name)


def unwrapped(name: str, wrapper: Wrapper, words: Sequence[str]) -> list[str]:
    """The wrapped command; empty when there is none to be seen."""
    if wrapper.scripts:
        return _launched(words)
    if name == "runuser" and frozenset(wrapper.valued.split()).isdisjoint(words):
        return []  # a user's name comes first, as with su
    at, sure = _behind_options(wrapper, words, 1)
    if wrapper.starters:
        if at >= len(words) or words[at] not in wrapper.starters.split():
            return []
        at, sure = _behind_options(wrapper, words, at + 1, sure=sure)
    at += wrapper.positional
    while at < len(words) and (ASSIGNMENT.match(words[at]) or words[at] == "--"):
        at += 1
    if name == "flock" and words[at : at + 1] in (["-c"], ["--command"]):
        return ["sh", *words[at:]]
    if not sure and not SCRIPT.fullmatch(base(words[at]) if at < len(words) else ""):
        return []
    return list(words[at:])


def _behind_options(
    wrapper: Wrapper, words: Sequence[str], at: int, *, sure: bool = True
) -> tuple[int, bool]:
    """Where the wrapper's own options end, and whether that is sure."""
    valued, pairs = frozenset(wrapper.valued.split()), frozenset(wrapper.pairs.split())
    bare = frozenset(wrapper.bare.split())
    while at < len(words):
        word = words[at]
        if word == "--":
            return at + 1, True
        # Letters strung together: the last may take the next word, as in ``sudo -Hu alice``.
        strung = re.fullmatch(r"-[A-Za-z0-9]+", word) and not valued & {
            f"-{letter}" for letter in word[1:-1]
        }
        if word in pairs:
            at += 3
        elif word in valued or (strung and f"-{word[-1]}" in valued and word not in bare):
            at += 2
        elif not word.startswith("--") and word[:2] in valued and len(word) > 2:
            at += 1  # its value is the rest of the word, as in ``parallel -j4``
        elif word.startswith("-") or ASSIGNMENT.match(word):
            at += 1
            if wrapper.strict and word.startswith("-") and "=" not in word and word not in bare:
                sure = False
        else:
            break
    return at, sure


def _launched(words: Sequence[str]) -> list[str]:
    for at, word in enumerate(words[1:], 1):
        if word in ("-m", "--module") and len(words) > at + 1:
            return ["python", "-m", *words[at + 1 :]]
        if SCRIPT.fullmatch(base(word)) and not word.startswith("-"):
            return list(words[at:])
    return []
