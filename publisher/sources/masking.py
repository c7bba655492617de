"""Hides what tells one machine or person from another in recorded kernel files.

The same secret gets the same replacement everywhere, in contents, names and links, so that a
recording still fits together.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def _same_shape(secret: str, number: int) -> str:
    """As long as before, letters for letters and digits for digits, ending in a number."""
    digits = list(str(number))
    signs: list[str] = []
    for sign in reversed(secret):
        if sign.isdigit():
            signs.append(digits.pop() if digits else "0")
        else:
            signs.append("X" if sign.isalpha() else sign)
    return "".join(reversed(signs))


def _world_wide_name(name: str, number: int) -> str:
    """The maker's part stays: a 5 and six digits of an IEEE 64-bit registered name."""
    return f"{name[:7]}{number:0{len(name) - 7}x}"


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str, int], str]], ...] = (
    (
        re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
        lambda _, number: f"00000000-0000-4000-8000-{number:012x}",
    ),
    (
        re.compile(r"\b(?!00(?::00){5}|ff(?::ff){5})(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"),
        lambda _, number: f"02:00:00:00:00:{number & 0xFF:02x}",
    ),
    (re.compile(r"(?<=enx)[0-9a-f]{12}\b"), lambda _, number: f"02{number:010x}"),
    (
        re.compile(r"(?<![\d.])(?!127\.|0\.|255\.)(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
        lambda _, number: f"192.0.2.{number & 0xFF}",
    ),
    (
        # Six pairs are a MAC address that was masked, or is none of a card.
        re.compile(
            r"(?<![\w:.])(?!(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:]))"
            r"(?:[0-9a-fA-F]{1,4}:){4,7}:?[0-9a-fA-F]{1,4}(?![\w:.])"
        ),
        lambda _, number: f"2001:db8:0:0:0:0:0:{number:x}",
    ),
    (re.compile(r"(?<=naa\.)[0-9a-f]{16}|(?<=0x)5[0-9a-f]{15}\b"), _world_wide_name),
    (  # arrays of md have theirs so
        re.compile(r"\b(?:[0-9a-f]{8}:){3}[0-9a-f]{8}\b"),
        lambda _, number: f"00000000:00000000:00000000:{number:08x}",
    ),
    (re.compile(r"(?<=eui\.)[0-9a-f]{16,32}"), _world_wide_name),
    (re.compile(r"(?<=/home/)[^/\s\\]+"), lambda _, number: f"user{number}"),
)
_SECRET_FILE = re.compile(
    r"(serial|vpd_pg8|unique_id|uniq$|_uuid|machine-id|boot_id|/wwid$)", re.IGNORECASE
)
_SECRET_LINE = re.compile(r"^\w*(?:SERIAL|UNIQ|UUID)\w*=(.+)$", re.MULTILINE | re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,}")
_MOUNTS = re.compile(r"/mount(?:s|info)$")
# "server:/export" and "//server/share", as mounts show them.
_SERVERS = (re.compile(r"(?<= )[\w.-]+(?=:/)"), re.compile(r"(?<= //)[\w.-]+(?=/)"))
# Addresses are hexadecimal there.
_SOCKETS = re.compile(r"/net/(?:tcp6?|udp6?|raw6?|route|if_inet6|ipv6_route)$")
_HEXADECIMAL = re.compile(r"\b(?:[0-9A-Fa-f]{32}|[0-9A-F]{8})\b")


class Masker:
    """Replaces what tells one machine or person from another, the same way everywhere.

    Serial numbers, world-wide names, MAC and IP addresses, UUIDs, the host's name, names of file
    servers and of home directories. Lengths stay, and the maker's part of a world-wide name.

    Args:
        names: the host's names.
    """

    def __init__(self, *names: str) -> None:
        self._words: dict[str, str] = {name: "host" for name in names if len(name) > 2}
        self._shapes: dict[tuple[int, str], str] = {}
        self._made: set[str] = set()

    def learn(self, path: str, content: bytes) -> None:
        """Takes note of the serial numbers in a file, wherever else they may appear."""
        text = content.decode("latin-1").strip()
        secrets = [match[1] for match in _SECRET_LINE.finditer(text)]
        if _SECRET_FILE.search(path) and not text.startswith(("naa.", "eui.", "!")):
            # "t10.ATA     <model>     <serial>": the model is no secret.
            secrets += text.split()[-1:] if text.startswith("t10.") else [text]
        for secret in secrets:
            for token in _TOKEN.findall(secret):
                if token not in self._words and any(sign.isdigit() for sign in token):
                    self._words[token] = _same_shape(token, len(self._words) + 1)

    def path(self, path: str) -> str:
        return self._text(path)

    def content(self, path: str, content: bytes) -> bytes:
        text = content.decode("latin-1")
        if _MOUNTS.search(path):
            for number, pattern in enumerate(_SERVERS):
                text = self._replace(-1 - number, pattern, lambda _, n: f"server{n}", text)
        if _SOCKETS.search(path):
            text = _HEXADECIMAL.sub(lambda match: "0" * len(match[0]), text)
        return self._text(text).encode("latin-1")

    def _text(self, text: str) -> str:
        for number, (pattern, make) in enumerate(_PATTERNS):
            text = self._replace(number, pattern, make, text)
        for word in sorted(self._words, key=len, reverse=True):
            if word in text:
                alone = rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])"
                text = re.sub(alone, self._words[word], text)
        return text

    def _replace(
        self, number: int, pattern: re.Pattern[str], make: Callable[[str, int], str], text: str
    ) -> str:
        def replacement(match: re.Match[str]) -> str:
            secret = match[0]
            if secret in self._made:
                return secret
            known = self._shapes.get((number, secret))
            if known is None:
                count = 1 + sum(kind == number for kind, _ in self._shapes)
                known = self._shapes[number, secret] = make(secret, count)
                self._made.add(known)
            return known

        return pattern.sub(replacement, text)
