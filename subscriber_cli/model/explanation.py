"""The verdict of a host: its state, the sentence, the causes, and what speaks for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from publisher.contract.topics import EXPLANATION
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.row import Row, read_row, read_rows
from subscriber_cli.model.values import Document, items, mapping, moment, number, words

_MOST_CLEARED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationCause:
    """One work group that the verdict holds responsible.

    Attributes:
        told: what the sentence calls it; empty where an older daemon does not say.
        share_percent: its part of all that was used of ``resource``.
        since: when it became a cause, in seconds since the epoch by the host's clock.
        active: still at work; false when only its heat is left.
        on_behalf_of: whom it works for, where it serves others.
        to_stop: a command that stops or pauses it; empty where none is harmless.
        row: all that was said of it, with units.
    """

    label: str
    told: str
    category: str
    group: str
    resource: str
    reason: str
    share_percent: float | None
    process_count: float | None
    since: float | None
    active: bool
    on_behalf_of: str
    to_stop: str
    row: Row

    @property
    def name(self) -> str:
        """What people call it, as the sentence does; empty where nothing is said."""
        return self.told or self.row.name or self.label

    @classmethod
    def read(cls, document: Document, row: Row) -> ExplanationCause:
        """The cause in one item of ``causes``."""
        return cls(
            label=words(document, "label"),
            told=words(document, "name"),
            category=words(document, "category"),
            group=words(document, "group"),
            resource=words(document, "resource"),
            reason=words(document, "reason"),
            share_percent=number(document.get("share_percent")),
            process_count=number(document.get("process_count")),
            since=moment(document.get("since")),
            active=document.get("active") is not False,
            on_behalf_of=words(document, "on_behalf_of"),
            to_stop=words(document, "to_stop"),
            row=row,
        )


@dataclass(frozen=True, slots=True)
class Cleared:
    """One work group that was looked at, and why it is not to blame."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a host is as it is; without a word where it has not said.

    Attributes:
        since: when the state began, in seconds since the epoch by the host's clock.
        unattributed_percent: busy CPU time that no work group could be named for.
        cleared: who was looked at besides and is not to blame.
        quiet_in_seconds: when it will have cooled down, as far as that has been learned.
        hint: what may be wrong where heat does not come from load.
    """

    state: str = ""
    headline: str = ""
    causes: tuple[ExplanationCause, ...] = ()
    evidence: Row = field(default_factory=Row)
    since: float | None = None
    unattributed_percent: float | None = None
    cleared: tuple[Cleared, ...] = ()
    quiet_in_seconds: float | None = None
    hint: str = ""

    @classmethod
    def read(cls, document: Document, catalogue: Catalogue) -> Explanation:
        """The verdict in a payload of ``explanation``."""
        causes = read_rows(catalogue.inner(EXPLANATION, "causes"), document, "causes")
        return cls(
            state=words(document, "state"),
            headline=words(document, "headline"),
            causes=tuple(map(ExplanationCause.read, items(document, "causes"), causes)),
            evidence=read_row(
                catalogue.inner(EXPLANATION, "evidence"), mapping(document, "evidence")
            ),
            since=moment(document.get("since")),
            unattributed_percent=number(document.get("unattributed_percent")),
            cleared=tuple(
                Cleared(words(item, "label"), words(item, "reason"))
                for item in items(document, "rejected")[:_MOST_CLEARED]
            ),
            quiet_in_seconds=number(document.get("quiet_in_seconds")),
            hint=words(document, "hint"),
        )
