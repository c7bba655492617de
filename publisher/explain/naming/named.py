"""The name of a cause: whose it is, what kind of work, and the program that does it.

A product is called by its name, *Borg backup (nightly)*. What is a person's own, a script, a unit
or a container that no rule knows for certain, goes before the tool in it or the kind of work:
*nightly.sh (archiving: gzip)*, *train.py (ML training)*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from publisher.contract.printable import bare, printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import GUESS, INSIDE
from publisher.explain.naming.classifier import MINING, Classification
from publisher.explain.naming.disguises import unmasked
from publisher.ledger.accounts import Account

_WHOLE: Final = (GroupKind.JOB, GroupKind.CONTAINER, GroupKind.UNIT)
_PLACES: Final = (GroupKind.CONTAINER, GroupKind.UNIT)
# What of a group a rule may know that is as much its own name as its script's or unit's.
_OF_THE_GROUP: Final = ("own", "kernel", "container", "unit", "script", "command", "job")
# Names that a person gives are short; longer ones would crowd the rest out of a sentence.
_LONGEST: Final = 48


@dataclass(frozen=True, slots=True)
class Named:
    """A cause as the sentence names it.

    Attributes:
        label: what a person calls it: ``Time Machine backup``, or ``nightly.sh`` where it is
            the person's own.
        detail: the program, job, unit or container behind the label; for what is a person's own,
            the kind of work; may be empty.
        category: one of ``CATEGORIES``.
        whose: for whom it works; empty where that is not clear.
        apart: what tells it from another that reads alike, a folder or a user, which is said only
            beside that other one.
    """

    label: str
    detail: str
    category: str
    whose: str = ""
    apart: str = ""

    @classmethod
    def of(cls, account: Account, found: Classification, *, on_behalf_of: str = "") -> Named:
        """The name of an account's group by what it was found to do."""
        if _is_own(account, found):
            label, detail = _own(account, found)
        else:
            label, detail = _product(account, found)
        if found.category != MINING:
            detail = unmasked(label, found.reason) or detail
        if bare(on_behalf_of) and bare(on_behalf_of) in bare(f"{label}{detail}"):
            on_behalf_of = ""
        whose, apart = printable(on_behalf_of), printable(account.group.apart)
        return cls(label, detail, found.category, whose=whose, apart=apart)

    @property
    def is_miner(self) -> bool:
        """It is suspected cryptomining."""
        return self.category == MINING

    @property
    def short(self) -> str:
        """Without what lengthens a list: whom it works for."""
        return str(replace(self, whose=""))

    @property
    def brief(self) -> str:
        """As short as it can be said, with whom it works for: *nginx web server (for ab)*."""
        whose = f"for {self.whose}" if self.whose else ""
        return str(replace(self, detail=self.detail or whose, whose=""))

    def speaks_of(self, other: Named) -> bool:
        """Whether it says already that it works for the other one."""
        if self is other or not bare(self.whose):
            return False
        return bare(self.whose) in (bare(other.label), bare(other.detail))

    def __str__(self) -> str:
        text = f"{self.label} ({self.detail})" if self.detail else self.label
        return f"{text}, working for {self.whose}" if self.whose else text


def _is_own(account: Account, found: Classification) -> bool:
    """Whether the group bears a name that a person gave it, and that no product has."""
    group, clues = account.group, account.clues
    if _is_alike(found) and clues.script:
        return True
    # What it calls may be known by a script, too: that is not the group's own.
    calls = found.by == "script" and clues.worker_script and found.confidence <= INSIDE
    if (found.by in _OF_THE_GROUP and not calls) or found.category == MINING:
        return False
    return group.kind in _PLACES or (group.kind is not GroupKind.KERNEL and bool(clues.script))


def _is_alike(found: Classification) -> bool:
    """Whether people's scripts for such work are called so, and no product is: ``train.py``."""
    return found.by == "script" and found.confidence <= GUESS and found.category != MINING


def _own(account: Account, found: Classification) -> tuple[str, str]:
    group, clues = account.group, account.clues
    own = group.label if group.kind in _PLACES else clues.script.rpartition("/")[2]
    own = _shortened(printable(own or group.label))
    work = printable(found.label)
    if not found.by or found.role in ("interpreter", "host") or bare(own) in bare(work):
        # Nothing more is known than what it is called.
        return (work if group.kind in _PLACES and bare(own) in bare(work) else own), ""
    if bare(work) in bare(own):
        return own, ""  # ``backup.sh`` says itself that it is a backup
    work = _lowered(work, found)
    tool = printable(clues.program)
    if not tool or found.by == "words" or _is_alike(found) or bare(tool) in bare(work) + bare(own):
        return own, work
    return own, f"{work}: {tool}"


def _product(account: Account, found: Classification) -> tuple[str, str]:
    group, clues = account.group, account.clues
    whole = group.kind in _WHOLE
    label = printable(found.label)
    detail = printable(group.label if whole else clues.program or group.label)
    # ``borg`` need not follow ``Borg backup``, nor ``postgresql@15-main`` the database.
    if bare(detail.partition("@")[0]) in bare(label):
        detail = ""
    return label, _shortened(detail)


def _lowered(work: str, found: Classification) -> str:
    """A kind of work as it stands within a sentence; the name of a product keeps its capital."""
    general = found.role in ("tool", "interpreter", "host") or found.by == "words"
    second = work[1:2]
    return work[:1].lower() + work[1:] if general and second.islower() else work


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
