from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.contract.printable import printable


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("nginx", "nginx"),
        ("Größe 寸法 🦊", "Größe 寸法 🦊"),
        ("[bold red]x[/]", "[bold red]x[/]"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\nfanwhy-pub: all is well", r"a\nfanwhy-pub: all is well"),
        ("a\rb\tc\x00\x7f\x9b", r"a\rb\tc\x00\x7f\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066\u2069\u200f\u061c", r"\u2066\u2069\u200f\u061c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_shown(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@given(st.text(alphabet=st.characters()))
def test_nothing_unseen_gets_through(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
    shown.encode()  # a terminal can be sent it


@given(st.text(alphabet=st.characters()))
def test_twice_is_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.binary())
def test_names_that_are_no_utf8(name: bytes) -> None:
    assert printable(name.decode("utf-8", "surrogateescape")).isprintable()
