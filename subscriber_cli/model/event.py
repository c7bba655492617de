"""Something that happened on a host, in its own words."""

from __future__ import annotations

from dataclasses import dataclass

from subscriber_cli.model.values import Document, words


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event: the sentence for people and how much it matters; empty where not said.

    Attributes:
        id: the same however often it is delivered.
        kind: what happened, such as ``cause_began``.
        state: how the host is since then.
    """

    message: str
    severity: str
    id: str = ""
    kind: str = ""
    state: str = ""

    @classmethod
    def read(cls, document: Document) -> EventMessage:
        """The event in a payload of ``event``."""
        return cls(
            message=words(document, "message"),
            severity=words(document, "severity"),
            id=words(document, "id"),
            kind=words(document, "event"),
            state=words(document, "state"),
        )
