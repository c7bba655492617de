"""What a work group was found to do, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.explain.naming.rules import Rule

MINING: Final = "cryptomining"
"""The category that goes before all others."""

KNOWN: Final = 0.95
ALIKE: Final = 0.9
"""A name that equals a known one in another place, or once its version is taken off."""
INSIDE: Final = 0.8
"""An unknown program that a known one started, a tool in somebody's own script, a known word in
a container's longer name."""
GUESS: Final = 0.6
LOOSE: Final = 0.5
"""Something that says little: a word such as *api*, a start from the desktop."""
UNKNOWN: Final = 0.3

_BY = "own kernel container unit command script job program path above words traits"
BY: Final = tuple(_BY.split())
"""By what of a group it can be recognised: its place, its command, a program in it, …"""


@dataclass(frozen=True, slots=True)
class Classification:
    """What a work group does.

    Attributes:
        rule: name of the rule that matched; empty when none did.
        reason: how it was found, in words.
        by: what of the group the rule was found by, one of ``BY``; empty when none did.
        role: how what was found stands to its job, one of ``ROLES``.
        worker: the program or script that was recognised, where the label does not tell which
            of several it is.
    """

    category: str
    label: str
    confidence: float
    rule: str
    reason: str
    by: str = ""
    role: str = "program"
    worker: str = ""

    @property
    def told(self) -> str:
        """The label, with the program that it is said of: ``Scientific computing (gmx)``."""
        return f"{self.label} ({self.worker})" if self.worker else self.label

    @property
    def is_miner(self) -> bool:
        """It is suspected cryptomining."""
        return self.category == MINING

    @property
    def specificity(self) -> int:
        """How much the name says of the work, where two are as sure as each other."""
        return 2 if self.is_miner else int(self.category not in ("shell", "unknown"))


def said(rule: Rule, confidence: float, by: str, reason: str) -> Classification:
    """What a rule says, no surer than it may be."""
    if rule.confidence is not None:
        confidence = min(confidence, rule.confidence)
    return Classification(rule.category, rule.label, confidence, rule.name, reason, by, rule.role)
