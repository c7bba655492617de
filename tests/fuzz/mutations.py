"""Inputs made from others: cut, joined, and with the words that parsers stumble over."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

WORDS = [
    b"",
    b"0",
    b"-1",
    b"1.5.5",
    b"1e999",
    b"-0.0",
    b"nan",
    b"Infinity",
    b"18446744073709551616",
    b"9" * 400,
    b"9" * 5000,
    b"\0",
    b"\xff\xfe",
    b"\xc3\x28",
    "²".encode(),
    "٣".encode(),
    b"\n",
    b"\r",
    b"\x1b[2J\x1b]0;x\x07",
    "\u202e".encode(),
    "\u200b".encode(),
    "\U0001f525".encode(),
    b"\xed\xa0\x80",
    b"</script>",
    b"${jndi:ldap://x}",
    b"{{ 7*7 }}",
    b"../../../etc/passwd",
    b"/",
    b"+",
    b"#",
    b"=1+1",
    b"--help",
    b'"',
    b"\\",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"x" * 4096,
    b" " * 4096,
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[[]]",
    b'{"a":{}}',
    b"(deleted)",
    b"100%",
    b"% " * 50,
]
"""What some parser, somewhere, has not borne."""

_NUMBER = re.compile(rb"\d+")
_TOKEN = re.compile(rb"[^\s:=,{}\[\]\"]+")


def mutated(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus, changed in a few places."""
    data = chance.choice(corpus)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        data = chance.choice(_WAYS)(chance, data, corpus)
    return data


def _insert(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(WORDS) + data[at:]


def _number(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replaced(chance, data, _NUMBER)


def _token(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replaced(chance, data, _TOKEN)


def _replaced(chance: random.Random, data: bytes, what: re.Pattern[bytes]) -> bytes:
    found = list(what.finditer(data))
    if not found:
        return data + chance.choice(WORDS)
    match = chance.choice(found)
    return data[: match.start()] + chance.choice(WORDS) + data[match.end() :]


def _cut(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    one, other = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    return data[:one] + data[other:]


def _end(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: chance.randint(0, len(data))]


def _flip(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _line_twice(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    lines.insert(chance.randint(0, len(lines)), chance.choice(lines))
    return b"\n".join(lines)


def _join(chance: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = chance.choice(corpus)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


_WAYS = (_insert, _number, _number, _token, _token, _cut, _end, _flip, _line_twice, _join)
