"""The simple commands in a line of shell, as ``sh -c`` gets it.

Far from a shell's grammar, and on the safe side of it: words that stand where no command can stand
(values of variables, here-documents, patterns, targets of redirections) are never taken for one,
and where a line becomes too involved to be sure, its rest is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Quoted parts and substitutions belong to the word that they stand in. Those that nest further
# match nothing, which ends the reading.
_TOKEN = re.compile(
    r"""
    (?P<blank>(?:[ \t\r\f\v]|\\\n)+|\#[^\n]*)
    |(?P<document>\d*<<-?(?!<))
    |(?P<redirection>\d*(?:&>>?|<<<|<>|>>|>\||[<>]&|[<>](?!\()))
    |(?P<operator>&&|\|\||[;&|\n()])
    |(?P<word>(?:
        \\.
        |'[^']*'
        |\$'(?:\\.|[^'\\])*'
        |"(?:\\.|\$\([^()"'`\\]*\)|\$\{[^{}"'`\\]*\}|\$(?![({])|[^"\\`$])*"
        |\$\(\([^()"'`]*\)\)
        |\$\([^()"'`]*\)
        |\$\{[^{}"'`]*\}
        |`[^`\\]*`
        |\$(?![({'])
        |[^\s;&|()<>"'\\`$]
    )+)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTE = re.compile(r"\\(.)|[\"']", re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
_KEYWORDS = frozenset(
    ("while", "until", "if", "then", "else", "elif", "do", "done", "fi", "{", "}", "!")
)
# What follows them is no command, and where the next begins takes a shell to know.
_INVOLVED = frozenset(("case", "function", "coproc"))


def commands(line: str) -> Iterator[list[str]]:
    """The words of each command in the line, without keywords, assignments and redirections.

    The list of a loop counts as arguments of ``:``, and what stands in ``[[ ]]`` is left out.
    """
    words: list[str] = []
    at, target, testing, document = 0, False, False, False
    while match := _TOKEN.match(line, at):
        at = match.end()
        text = match[0]
        kind = match.lastgroup
        if kind == "blank":
            continue
        if testing:
            testing = text != "]]"
        elif kind == "operator":
            if text == "(" and (words or line[at : at + 1] == "("):
                return  # a function, an array or arithmetic
            if words:
                yield words
            words = []
            if document and text == "\n":
                return
        elif kind != "word":
            target = True
            document = document or kind == "document"
        elif target:
            target = False
        elif words:
            words.append(_QUOTE.sub(r"\1", text))
        elif text in _INVOLVED or (ASSIGNMENT.match(text) and line[at : at + 1] == "("):
            return
        elif text in ("for", "select"):
            words = [":"]
        elif text == "[[":
            words, testing = [text], True
        elif text not in _KEYWORDS and not ASSIGNMENT.match(text):
            words = [_QUOTE.sub(r"\1", text)]
    if words and not testing:
        yield words
