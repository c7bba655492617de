"""Names as rules know them: without path and version, scripts without ending and package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from publisher.explain.naming.rules import Rule, RuleBook

_VERSION = re.compile(r"[-_.]?v?\d+(?:[._]\d+)*$")
_WORD = re.compile(r"[a-z]+")
_ENDING = re.compile(r"\.(?:py|pyc|pyz|pyw|js|mjs|cjs|ts|sh|bash|zsh|rb|pl|php|jar|lua|r|jl|dll)$")

_STARTED = re.compile(r"(?:[-.](?:bin|real)|[-.]wrapped_?)$")
"""What a program is called that a script of its own name starts."""

_ANYBODYS: Final = 3
"""Up to so many letters a folder's name is nobody's in particular."""
_TURN = re.compile(r"(?=[a-z][A-Z0-9]|[A-Z][0-9]|[0-9][A-Za-z])")
_MACHINE = re.compile(
    r"(?:[-_.]linux)?[-_.](?:x86[-_]64|amd64|aarch64|arm64|armhf|i[36]86)(?:\.appimage)?$"
    r"|\.appimage$"
)
"""What a release says of the machine that it is built for, as in ``frob-1.2.linux-amd64``."""

_TOOLS_FOLDERS: Final = """
    local cargo rustup nvm pyenv rbenv nodenv asdf sdkman volta bun deno fnm vscode vscode-server
    cursor-server venv virtualenvs env bin conda miniconda3 anaconda3 mamba pixi linuxbrew npm
    npm-global npm-packages nix-profile dotnet steam jbr dapr foundry ghcup juliaup opam
"""
_HIDDEN = re.compile(rf"/\.(?!(?:{'|'.join(_TOOLS_FOLDERS.split())})/)")
"""A hidden folder, but for those in which people's tools install programs."""
_DATA: Final = re.compile(
    r"/(?:var/lib|data|srv)/(?:postgres\w*|pgsql|mysql|mariadb|redis|mongo\w*|elasticsearch)/"
    r"|/var/www/.*/uploads?/|/data/db/"
)
_HIDEOUTS: Final = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/memfd:")  # noqa: S108


def base(path: str) -> str:
    """The last part of a path, without the ending that Windows or AppImage gives programs."""
    name = path.rpartition("/")[2].rpartition("\\")[2]
    return name.removesuffix(".exe").removesuffix(".appimage")


def versionless(name: str) -> str:
    """``clang`` for ``clang-15``, ``seamonkey`` for ``seamonkey-bin``; empty where it is the same.

    Empty, too, where there is hardly anything else.
    """
    stripped = _VERSION.sub("", _STARTED.sub("", _MACHINE.sub("", name)))
    return stripped if stripped != name and len(stripped) > 1 else ""


def plain_name(name: str) -> str:
    """``frob`` for ``frob-1.2.linux-amd64``: without version and machine."""
    return versionless(name) or _MACHINE.sub("", name)


def is_script(name: str) -> bool:
    """Whether a file is named as scripts are."""
    return _ENDING.search(name) is not None


def scrambled(name: str) -> bool:
    """Whether a name was drawn by lot: ``0DJbp5eh``."""
    told = re.fullmatch(r"[A-Za-z0-9]{6,16}", name) and len(_TURN.findall(name)) > 2
    return bool(told) and any(map(str.islower, name)) and any(map(str.isupper, name))


def program_rule(book: RuleBook, name: str) -> Rule | None:
    """The rule of a program, with its version or without."""
    name = base(name.lower())
    if not name:
        return None
    rule = book.find("program", name)
    if rule is None and (stripped := versionless(name)):
        rule = book.find_exact("program", stripped)
    return rule


def words_of(text: str) -> list[str]:
    """The words in the name of a script, a unit or a container."""
    return _WORD.findall(base(text.lower()))


def script_names(script: str) -> Iterator[str]:
    """``/opt/x/train.py`` as ``train.py`` and ``train``; ``http.server`` also as ``http``.

    A class in a package, ``org.apache.catalina.startup.Bootstrap``, also by its own name, and a
    file that is called like many, ``zigbee2mqtt/index.js``, first by its folder.
    """
    if len(folder := script.rpartition("/")[0].rpartition("/")[2]) > _ANYBODYS:
        yield folder
    name = base(script)
    yield name
    stem = _ENDING.sub("", name)
    if stem != name:
        yield stem
    first, _, rest = stem.partition(".")
    if first and rest:
        yield first
        yield rest.rpartition(".")[2]


def hides(path: str) -> bool:
    """Whether a program lies where anyone may put one, or in a hidden folder."""
    return path.startswith(_HIDEOUTS) or _HIDDEN.search(path) is not None


def passing(path: str) -> bool:
    """Whether something lies in a folder that is emptied, where anyone may put it."""
    return path.startswith(_HIDEOUTS)


def planted(path: str) -> bool:
    """Whether a program lies where no package puts one: hidden, or among a server's data."""
    return "/.mount_" not in path and (hides(path) or _DATA.match(path) is not None)
