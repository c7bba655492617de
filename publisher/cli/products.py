"""Products by the name that people have for them: ``time machine``, ``Plex Media Server``."""

from __future__ import annotations

import re

from publisher.explain.naming.rules import RuleBook
from publisher.ledger.accounts import Clues


def product(book: RuleBook, text: str) -> Clues | None:
    """What a product goes by; ``None`` where no rule or label is called so.

    Of a label of several words the first ones will do.
    """
    wanted = " ".join(text.casefold().split())
    if book.find_exact("program", wanted):
        return Clues(program=wanted)
    begins = f"{wanted} " if " " in wanted else None
    for number, row in enumerate(book.rules):
        name, _, label, *_ = row.split("\t")
        known = label.casefold()
        if wanted in (name.replace("-", " "), name, known) or (
            begins is not None and known.startswith(begins)
        ):
            return _clues(book, number)
    return None


def _clues(book: RuleBook, number: int) -> Clues | None:
    """The first name that a rule has."""

    def named(place: str) -> str:
        match = re.search(rf"\n([^\n\t]+)\t{number}\n", book.exact.get(place, ""))
        return match[1] if match else ""

    if program := named("program"):
        return Clues(program=program)
    if image := named("image"):
        return Clues(container_image=image)
    if unit := named("unit"):
        return Clues(unit=unit)
    return Clues(command=command) if (command := named("command")) else None
