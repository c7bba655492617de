"""What a host remembers, from its payload of ``timeline``."""

from __future__ import annotations

from publisher.contract.reader import read
from publisher.contract.timeline import TimelineReading
from subscriber_cli.model.values import Document


def timeline_of(document: Document) -> TimelineReading:
    """The memory in a payload of ``timeline``; what is not as declared is left out."""
    return read(TimelineReading, document)
