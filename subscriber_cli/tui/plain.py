"""Lines for terminals that show no more than ASCII: something of the same width and weight."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = str.maketrans(
    "▌●○▸▾▴·…━┄─▁▂▃▄▅▆▇█░▒▓▼▲↑↓←→°µ\N{MULTIPLICATION SIGN}│▕▏",
    "|*o>v^..=--__..--+#.:#v^^v<>oux|||",
)
_BRAILLE = range(0x2800, 0x2900)
_ROWS = (0x09, 0x12, 0x24, 0xC0)  # the dots of a character, from the top down
_HEIGHTS = "_.-+#"


def in_ascii(text: str) -> str:
    """The text in as many characters, each of them ASCII; ``?`` for what has no likeness."""
    if text.isascii():
        return text
    text = text.translate(_SIGNS)
    text = "".join(_height(ord(char)) if ord(char) in _BRAILLE else char for char in text)
    return text.encode("ascii", "replace").decode("ascii")


def _height(braille: int) -> str:
    """How high the dots stand in a character of a graph."""
    bits = braille - _BRAILLE.start
    highest = next((index for index, row in enumerate(_ROWS) if bits & row), len(_ROWS))
    return _HEIGHTS[len(_ROWS) - highest]


class AsciiFilter(LineFilter):
    """Puts ``in_ascii`` on all that is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """The segments, in ASCII; their styles stay."""
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]
