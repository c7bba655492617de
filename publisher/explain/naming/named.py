"""The name of a cause: what kind of work it is, and the program, job or container behind it."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.contract.printable import printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import MINING, Classification
from publisher.ledger.accounts import Account

_WHOLE = (GroupKind.JOB, GroupKind.CONTAINER, GroupKind.UNIT)


@dataclass(frozen=True, slots=True)
class Named:
    """A cause as the sentence names it.

    Attributes:
        label: what a person calls it, such as ``Time Machine backup``.
        detail: the program, job, unit or container behind the label; may be empty.
        category: one of ``CATEGORIES``.
    """

    label: str
    detail: str
    category: str

    @classmethod
    def of(cls, account: Account, found: Classification) -> Named:
        """The name of an account's group by what it was found to do."""
        group, clues = account.group, account.clues
        whole = group.kind in _WHOLE
        detail = printable(group.label if whole else clues.program or group.label)
        # ``borg`` need not follow ``Borg backup``, nor ``postgresql@15-main`` the database.
        # And ``python3 report.py`` says no more than ``report.py``.
        own = found.category == "unknown" and _bare(found.label) in _bare(detail)
        if own or _bare(detail.partition("@")[0]) in _bare(found.label):
            detail = ""
        return cls(label=found.label, detail=detail, category=found.category)

    @property
    def is_miner(self) -> bool:
        """It is suspected cryptomining."""
        return self.category == MINING

    def __str__(self) -> str:
        return f"{self.label} ({self.detail})" if self.detail else self.label


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
