"""Programs that go by a name that is not theirs.

The executable is held against the name: what it really is, where a rule knows that, goes before
what it calls itself. Whatever is found then is no more than a guess, and the reason tells why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from publisher.contract.printable import printable
from publisher.explain.naming.classification import GUESS, UNKNOWN, Classification
from publisher.explain.naming.lookup import base, hides, program_rule
from publisher.explain.naming.rules import COMM_LENGTH, RuleBook
from publisher.ledger.accounts import Clues

_KERNEL_NAME = re.compile(
    r"\[.*\]|kworker([/:-].*|ds?)?|kswapd\d*|kthreadd|ksoftirqd(/.*)?|kauditd\d*|migration/.*|"
    r"khugepaged|kcompactd\d*|kdevtmpfs|kblockd|kintegrityd|khungtaskd|oom_reaper|writeback|"
    r"rcu_(?:sched|preempt|bh|gp|par_gp|tasks.*)|watchdogd?/.*|jbd2/.*|md\d+_\w+|scsi_eh_\d+|"
    r"crypto|bioset|netns|kpsmoused|kthrotld|mm_percpu_wq|cpuhp/.*|irq/.*"
)
"""What the kernel calls its own threads; a process of that name is none."""
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
"""Words and numbers in a name."""

_CLAIMED = re.compile(r"calls itself ([^,]+), is ")
_ELSEWHERE = re.compile(r"calls itself ([^,]+), (runs from [^;]+)")


@dataclass(frozen=True, slots=True)
class Disguise:
    """A contradiction between a program and its name.

    Attributes:
        clues: what to classify it by: with the program that it really is, where that is known.
        alias: what it calls itself, where it really is something else; empty otherwise.
        reason: the contradiction in words.
        revealed: a rule knows the program that it really is; otherwise nothing but its place says
            what it does.
        stranger: it is no part of the place that it works in, whatever that is.
    """

    clues: Clues
    alias: str
    reason: str
    revealed: bool = False
    stranger: bool = False

    @property
    def believed(self) -> bool:
        """Whether the program's name may be looked up.

        It is its own, or known for what it is. What lies where anyone may put it can be called
        anything.
        """
        return self.revealed or not (self.alias or hides(self.clues.executable))

    def _claimed(self) -> str:
        """The name that it goes by, as the contradiction tells it."""
        told = _CLAIMED.match(self.reason)
        return told[1] if told else self.alias

    def found(self, found: Classification) -> Classification:
        """What was found, as sure as that can be, with the alias behind its label."""
        reason = f"{found.reason}; {self.reason}"
        if found.is_miner:
            # Anyone may take a miner's name: where the program is known to be another, it is no
            # more than a suspicion.
            sure = GUESS if self.revealed and found.by == "program" else found.confidence
            return replace(found, reason=reason, confidence=min(found.confidence, sure))
        category, label, confidence = found.category, found.label, min(found.confidence, GUESS)
        if self.stranger:
            category, label, confidence = "unknown", printable(self.clues.program), UNKNOWN
        if "kernel thread" in reason and not self.revealed and found.by == "unit":
            category, confidence = "unknown", UNKNOWN  # whoever wrote its unit lies as well
        alias = self._claimed()
        if alias:
            if not self.revealed and label.lower() == alias.lower():
                label = printable(self.clues.program)
            label = f"{label} (calls itself {printable(alias)})"[:60]
            # A perl that calls itself rsync is no backup, and no honest script either.
            if found.by == "program" and found.role in ("interpreter", "host"):
                category, confidence = "unknown", UNKNOWN
        return replace(found, category=category, label=label, confidence=confidence, reason=reason)


def disguise_of(book: RuleBook, clues: Clues) -> Disguise | None:
    """The disguise of a group's program; ``None`` where nothing contradicts its name."""
    name, reason = clues.program, clues.disguise
    if not reason and name and _KERNEL_NAME.fullmatch(name) and program_rule(book, name) is None:
        reason = f"{name!r} is called like a kernel thread and is none"
    if not reason and made_up(name) and program_rule(book, name) is None:
        return Disguise(clues, "", f"{printable(name)} is a name made up at random", stranger=True)
    if not reason:
        return None
    if reason.startswith("gives a shell"):
        return Disguise(clues, "", reason, stranger=True)
    real = base(clues.executable.removesuffix(" (deleted)"))
    if not real or not name or _alike(real, name):
        return Disguise(clues, "", reason)
    revealed = program_rule(book, real) is not None and not hides(clues.executable)
    told = replace(
        clues,
        program=real,
        members=(real,),
        script="" if _alike(base(clues.script), name) else clues.script,
        command="" if _alike(base(clues.command.partition(" ")[0]), name) else clues.command,
    )
    return Disguise(told, name, reason, revealed)


def unmasked(label: str, reason: str) -> str:
    """What belongs beside a label that may be taken for another's; empty where nothing does.

    Args:
        label: what the sentence calls it.
        reason: why it was found to be what it is, with what contradicts its name.
    """
    if "kernel thread" in reason and _KERNEL_NAME.fullmatch(label):
        return "no kernel thread"
    told = _ELSEWHERE.search(reason)
    return printable(told[2]) if told and told[1].lower() == label.lower() else ""


def made_up(name: str) -> bool:
    """Whether a name is letters and digits at random, as ``aB3xQ9kz``, and no words."""
    pieces = _PIECES.findall(name)
    kinds = {piece.isdigit() for piece in pieces}
    return (
        len(name) >= 7
        and name.isalnum()
        and len(kinds) == 2
        and not name.islower()
        and not name.isupper()
        and len(pieces) * 2 >= len(name)
    )


def _alike(one: str, other: str) -> bool:
    """Whether two names are the same as far as the kernel keeps them."""
    return one[:COMM_LENGTH].lower() == other[:COMM_LENGTH].lower()
