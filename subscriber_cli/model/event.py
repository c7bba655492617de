"""Something that happened on a host, in its own words."""

from __future__ import annotations

from dataclasses import dataclass

from subscriber_cli.model.values import Document, words


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event: the sentence for people and how much it matters; empty where not said."""

    message: str
    severity: str

    @classmethod
    def read(cls, document: Document) -> EventMessage:
        """The event in a payload of ``event``."""
        return cls(words(document, "message"), words(document, "severity"))
