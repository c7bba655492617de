"""Single words of a command line: what they call, and whether they may be shown.

Arguments may hold secrets, so a word is shown only if it looks like a name. What the kernel keeps
of a process's name (``comm``, 15 bytes) may be a title that the process gave itself.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LABEL_LIMIT: Final = 60

SCRIPT: Final = re.compile(
    r"[A-Za-z][\w.-]*\.(?:py|pyc|pyz|sh|bash|zsh|js|mjs|cjs|ts|mts|cts|rb|pl|php|phar|lua|R|jl|jar"
    r"|war|java|dll|exe|asar|ps1|tcl)"
)
"""A file name of a script; it may well hold a date."""

_VERSION = re.compile(r"^(python|pypy|perl|ruby|php|lua|node|java|tclsh)[\d.]+$")
_NAME = re.compile(r"[\w.+@-]+")
"""What programs and scripts are called; code hardly ever looks so."""
_WINDOWS = re.compile(r"[A-Za-z]:\\")
_WINDOWS_NAME = re.compile(r"[\w.+@ '()&!-]+\.exe", re.IGNORECASE)
_MODULES = ("SimpleHTTPServer", "CGIHTTPServer", "BaseHTTPServer")
"""Modules of Python that read like keys."""
_LONG = 32  # characters: what is longer must be made of words
_LONGEST = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_ONE_CASE = re.compile(r"(?:[A-Za-z]?[a-z]{0,13}|[A-Z]{1,8})\d{0,4}|\d{1,8}|mp[34]|7z")
_HEX = re.compile(r"[0-9a-fA-F]{8}")
_PIECE = re.compile(r"[A-Z]{2,5}(?![a-z])|[A-Z]?[a-z]+|\d+")
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_UNPRONOUNCEABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE).search

# Titles as far as 15 bytes go: ``PM2 v5.3.0: God``, ``amavisd (ch5-av``, ``node /srv/app/in``.
_COMM_TITLE = re.compile(
    r"([A-Za-z][\w.+-]*)(?:: .*|:$| \(.*| v\d.*| \d+\.\d.*)"
    r"|((?:node|nodejs|bun|deno|java|(?:python|pypy|perl|ruby|php)[\d.]*) ).*",
    re.DOTALL,
)
_RELEASE = re.compile(r"-\d+\.\d[\d.]*$")
"""As resque puts it behind its name."""


def clean(text: str, limit: int = LABEL_LIMIT) -> str:
    """Printable, on one line, without characters that steer a terminal or its direction."""
    kept = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " " for character in text
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def base(path: str) -> str:
    """The file name of a path, also of one that Windows' programs are started with."""
    if _WINDOWS.match(path):
        return path.rpartition("\\")[2]
    return path.rstrip("/").rpartition("/")[2]


def program_of(word: str) -> str:
    """A program's name from the first word of a command: no path, no login dash, no version."""
    if word.startswith("["):  # as ``ps`` shows kernel threads: ``[kworker/0:2]``
        return word.strip("[]").partition("/")[0]
    name = base(word).removeprefix("-")
    if match := _VERSION.match(name):
        return match[1]
    return name


def program_of_comm(comm: str) -> str:
    """Likewise from the kernel's name of a process, which it may have set to anything."""
    if match := _COMM_TITLE.fullmatch(comm):
        return program_of(_RELEASE.sub("", (match[1] or match[2]).strip()))
    if "/" in comm and not comm.startswith(("/", ".", "[")):
        comm = comm.partition("/")[0]  # ``kworker/0:2`` is no path
    return program_of(comm)


def secretive(word: str) -> bool:
    """Whether a word looks more like a key than like a name."""
    if len(word) > _LONG or "=" in word or "://" in word or "@" in word:
        return True
    if SCRIPT.fullmatch(word):
        return False
    stem = word.rpartition(".")[0] or word
    digits = sum(character.isdigit() for character in stem)
    if len(stem) >= 8 and digits >= 4 and digits * 4 > len(stem):
        return True
    return len(stem) >= 16 and not re.search(r"[-_. ]", stem) and stem.lower() != stem


def presentable(name: str) -> bool:
    """Whether it may be shown as what a program, a script or a module is called."""
    if _WINDOWS_NAME.fullmatch(name) and len(name) <= LABEL_LIMIT:
        return True
    if not _NAME.fullmatch(name):
        return False
    if name in _MODULES:
        return True
    return not secretive(name) or _made_of_words(name)


def _made_of_words(name: str) -> bool:
    """Whether a long name reads as words: ``vllm.entrypoints.openai.api_server``.

    Keys are mixed of letters and digits, or of cases, in short runs; words are pronounceable, and
    what binds them is dots, dashes or capitals.
    """
    if len(name) > _LONGEST or "@" in name or not name[0].isalpha() or _UNPRONOUNCEABLE(name):
        return False
    pieces = _PIECE.findall(name)
    bound = sum(character in "-_." for character in name)
    words = [piece for piece in pieces if not piece.isdigit()]
    if len(words) < 2 or sum(map(len, pieces)) + bound != len(name):
        return False
    letters = sum(map(len, words))
    readable = sum(len(word) for word in words if len(word) >= 3 and _VOWEL.search(word))
    capitals = sum(character.isupper() for character in name)
    return (
        max(map(len, words)) <= 18
        and all(len(piece) <= 4 for piece in pieces if piece.isdigit())
        and len(words) * 2 > len(pieces)
        and readable * 4 >= letters * 3
        and letters >= 3 * len(words)
        and capitals * 10 <= letters * 3
    )


def harmless_option(word: str, *, strung: bool) -> bool:
    """The name of an option without a value; ``-psesame`` is none, and ``-pab`` may be none.

    Args:
        word: of a command line.
        strung: of a program to whose letters no secret is ever glued.
    """
    return bool(
        re.fullmatch(r"--[A-Za-z][a-z-]{0,20}|-[A-Za-z]", word)
        or (strung and re.fullmatch(r"-[A-Za-z]{2,4}", word))
    )


def harmless_word(word: str) -> bool:
    """A plain word or the name of a file, that nobody would take for a key."""
    if not _PLAIN.fullmatch(word) or secretive(word) or _UNPRONOUNCEABLE(word):
        return False
    pieces = re.split(r"[-_.]", word)
    return all(_ONE_CASE.fullmatch(piece) for piece in pieces) and not _HEX.search(word)
