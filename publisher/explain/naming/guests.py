"""What was put into a container or unit of something else, and by what that is seen."""

from __future__ import annotations

import re
from typing import Final

from publisher.contract.printable import bare
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import Classification
from publisher.explain.naming.lookup import base, is_script, planted, program_rule, scrambled
from publisher.explain.naming.packages import PACKAGES, find
from publisher.explain.naming.place_names import application_of
from publisher.explain.naming.rules import RuleBook
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.programs import shipped

_PACKAGED: Final = ("/usr/", "/bin/", "/sbin/", "/opt/", "/nix/")
"""Folders in which an image brings its programs."""


def why_guest(book: RuleBook, group: WorkGroup, clues: Clues, place: Classification) -> str:
    """Why what works there is no part of the place, in words; empty where nothing says so."""
    program, executable = clues.program, clues.executable
    if application_of(clues.unit):
        return ""
    # In units NixOS's programs are called so: ``.jellyfin-wrapped``.
    if program.startswith(".") and group.kind is GroupKind.CONTAINER:
        return "its name is hidden"
    if scrambled(program):
        return "its name is no word"
    if planted(executable):
        return f"it runs from {executable.rpartition('/')[0]!r}"
    return "nobody knows it" if _is_strange(book, clues, place) else ""


def _is_strange(book: RuleBook, clues: Clues, place: Classification) -> bool:
    """Whether nobody knows the program, in the container of a database and nothing else.

    Those run few programs, all of them known; and are where miners are put.
    """
    if (place.by, place.category) != ("container", "database") or clues.script:
        return False
    name = base(clues.program.lower())
    image = clues.container_image.rpartition("/")[2].partition(":")[0]
    kin = filter(None, map(bare, (*re.split(r"[-_. ]", place.label), image)))
    if clues.executable.startswith(_PACKAGED) or any(each in bare(name) for each in kin):
        return False
    known = program_rule(book, name) is not None or name in shipped().shells or is_script(name)
    return not known and find(PACKAGES, name) is None
