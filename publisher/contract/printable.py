"""Names from outside, made safe to show.

Anyone who may start a process, name a file or publish a message chooses text that ends up on a
terminal or in a log. Escape sequences could move the cursor, set the title or answer for the
keyboard; bidirectional overrides could turn a name around; a newline could forge a log line.
"""

from __future__ import annotations

_ESCAPED_BYTES = range(0xDC80, 0xDD00)  # bytes that were no UTF-8 (PEP 383)


def printable(text: str) -> str:
    r"""``text`` with everything that a person would not see written out as an escape.

    Letters of every script, symbols and plain spaces stay. Control and format characters,
    separators of lines, unassigned code points and undecodable bytes become ``\x1b`` or
    ``\u202e``. Markup of a terminal library is text like any other: hand the result to it as
    plain text, never as markup.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def shown(text: str, longest: int = 1000) -> str:
    """``text`` as it may enter a payload: printable, and cut where nobody reads on."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    told = printable(text)
    return told if len(told) <= longest else told[: longest - 1] + "…"


LONGEST_NAME = 200
"""Characters of the name by which a payload knows a device."""


def _escape(char: str) -> str:
    if ord(char) in _ESCAPED_BYTES:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def bare(text: str) -> str:
    """A name's letters and digits without case: two that share them say the same."""
    return "".join(filter(str.isalnum, text.casefold()))
