"""Where messages go: addresses with secrets in them, and the one door for words about those."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_plus

from publisher.config.companions import NotifySettings
from publisher.config.documents import file_text
from publisher.contract.printable import printable
from publisher.errors import ConfigError
from publisher.mqtt.broker import readable_by_all

CREDENTIAL: Final = "fanwhy-notify-targets"
ONLY: Final = "default"
"""The name of the target in ``notify.url``."""

_MOST: Final = 50
_NAME: Final = re.compile(r"[\w.-]{1,40}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://\S")
_ANY_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")
_LONGEST: Final = 300  # characters of what is told of a failure
_SHORTEST_SECRET: Final = 4  # characters; what is shorter would hide words that mean nothing
_REMEDY: Final = "write it as Apprise does, such as ntfy://ntfy.sh/a-secret-word"


@dataclass(frozen=True, slots=True)
class Target:
    """One address; its text never shows that."""

    name: str
    url: str = field(repr=False)


def targets_of(
    settings: NotifySettings, environment: Mapping[str, str] = os.environ
) -> list[Target]:
    """All targets that are set, those of a file last.

    Raises:
        ConfigError: none is, or one cannot be used; nothing of an address is repeated.
    """
    found: dict[str, str] = {ONLY: settings.url} if settings.url else {}
    found |= settings.targets
    if path := _file(settings, environment):
        found |= dict(_lines(path))
    if not found:
        raise ConfigError(
            "there is no target; set url in [notify], or FANWHY_NOTIFY__URL, "
            "such as ntfy://ntfy.sh/a-secret-word"
        )
    if len(found) > _MOST:
        raise ConfigError(f"notify: more than {_MOST} targets")
    for name, url in found.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"notify.targets: {printable(name)[:40]}: a name has letters, digits, - _ and ."
            )
        if not _SCHEME.match(url):
            raise ConfigError(f"notify: target {name}: not an address; {_REMEDY}")
    return [Target(name, url) for name, url in found.items()]


def exposed(settings: NotifySettings, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """What every user of this machine may read and should not, a line each."""
    path = _file(settings, environment)
    if path and readable_by_all(path):
        yield f"{path}: every user of this machine may read the addresses in it; chmod 600 {path}"


def _file(settings: NotifySettings, environment: Mapping[str, str]) -> Path | None:
    if settings.targets_file:
        return Path(settings.targets_file)
    folder = environment.get("CREDENTIALS_DIRECTORY")  # man 5 systemd.exec, LoadCredential=
    path = Path(folder, CREDENTIAL) if folder else None
    return path if path is not None and path.is_file() else None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file_text(path, str(path)).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise ConfigError(f"{path}: line {number}: expected a name, a space and an address")
        yield words[0], words[1]


class Secrets:
    """What must never be seen, and the door that sees to that.

    Args:
        urls: addresses with secrets in them.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        found: set[str] = set()
        for url in urls:
            rest = url.partition("://")[2]
            parts = [url, rest, *re.split(r"[/@:?&=,;#]", rest)]
            found |= {each for part in parts for each in (part, unquote(part), unquote_plus(part))}
        self._hidden = sorted((each for each in found if _is_secret(each)), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """``text`` without any part of an address, on one printable line of bounded length."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        text = _ANY_URL.sub("***", text)
        return printable(" ".join(text.split()))[:_LONGEST]


def _is_secret(part: str) -> bool:
    return len(part) >= _SHORTEST_SECRET and part not in (
        "http",
        "https",
        "localhost",
        "yes",
        "true",
    )
