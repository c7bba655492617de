"""Products by the names that folders, archives, modules and packages have for them.

``/opt/kometa/modules/overlays.py`` lies in the folder of Kometa, ``/snap/k8s/2500/bin/k8sd`` in
that of a snap, ``python -m bazarr`` runs a module of Bazarr's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from publisher.contract.printable import bare, printable
from publisher.explain.naming.classification import GUESS, Classification, said
from publisher.explain.naming.lookup import base, hides, is_script, passing, plain_name, versionless
from publisher.explain.naming.places import by_name_of_folder
from publisher.explain.naming.rules import RuleBook
from publisher.ledger.accounts import Clues
from publisher.ledger.naming.generic import folder_of, is_generic

_FOLDERS: Final = (
    "/opt/",
    "/srv/",
    "/var/www/",
    "/usr/share/",
    "/usr/lib/",
    "/usr/local/",
    "/app/",
)
"""Where products lie in folders called after them."""
_PACKAGED: Final = re.compile(r"/snap/([^/]+)/\w+/|/(?:nix|gnu)/store/[0-9a-z]{32}-([^/]+)/")
_TOLD: Final = 5
"""Letters that a name needs to be a product's, and not anybody's."""
_SUFFIX: Final = re.compile(r"-(?:cli|server|app|web|api|core|main|daemon|service)$")
_DOMAINS: Final = frozenset(["com", "org", "net", "io", "de", "dev", "apache", "github", "java"])


def folder_name(path: str) -> str:
    """The folder of a product that a file lies in, in small letters; empty where there is none."""
    if packaged := _PACKAGED.match(path):
        return (packaged[1] or versionless(packaged[2]) or packaged[2]).lower()
    return folder_of(path).lower() if path.startswith(_FOLDERS) and not hides(path) else ""


def by_folder(book: RuleBook, path: str) -> Classification | None:
    """By the product in whose folder a file lies."""
    folder = folder_name(path)
    rule = by_name_of_folder(book, folder) if folder else None
    if rule is None:
        return None
    found = said(rule, GUESS, "path", f"it lies in the folder {folder!r}")
    return replace(found, worker="" if bare(folder) in bare(rule.label) else printable(folder))


def by_hosted_name(book: RuleBook, clues: Clues) -> Classification | None:
    """By the name that containers have for it: ``python -m bazarr``, ``frob-linux-amd64``."""
    if hides(clues.executable) or passing(clues.script_path):
        return None
    script = clues.script or clues.worker_script
    module = script if "/" in script else script.partition(".")[0]
    names = (module, base(script).rpartition(".")[0]) if script else (clues.program,)
    for name in names:
        plain = plain_name(base(name.lower()))
        if len(plain) < _TOLD or is_generic(plain):
            continue
        if (rule := by_name_of_folder(book, plain.replace("_", "-"))) is not None:
            by = "script" if script else "program"
            return said(rule, GUESS, by, f"{by} {name!r} is called like its container")
    return None


def product_names(clues: Clues) -> Iterator[str]:
    """What modules, packages and folders call the product that works, the most telling first.

    ``hermes_cli.main`` is of ``hermes``, ``org.sonatype.nexus.bootstrap.Launcher`` of ``nexus``,
    ``cloudplow/cloudplow.py`` is ``cloudplow``.
    """
    for script in dict.fromkeys((clues.script, clues.worker_script)):
        yield from _of_script(script.lower())
    script_path = "" if passing(clues.script_path) else clues.script_path
    # A module lies in the virtual environment that its Python is of.
    path = script_path or clues.executable
    if len(folder := folder_name(path)) >= _TOLD:
        yield from _plain(folder)


def _of_script(script: str) -> Iterator[str]:
    folder, _, name = script.rpartition("/")
    if is_script(name):
        stem = name.rpartition(".")[0]
        if stem == base(folder) and len(stem) >= _TOLD:
            yield from _plain(stem)
    elif "." in name:  # a module of Python's or a class of Java's
        parts = [part for part in name.split(".")[:3] if part not in _DOMAINS]
        for part in reversed(parts) if name.count(".") > 1 else parts[:1]:
            if len(part) >= _TOLD and not is_generic(part):
                yield from _plain(part)


def _plain(name: str) -> Iterator[str]:
    name = name.replace("_", "-")
    yield name
    if len(short := _SUFFIX.sub("", name)) >= _TOLD and short != name:
        yield short
