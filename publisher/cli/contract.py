"""Every topic that the daemon fills, and the reading that it is filled with."""

from __future__ import annotations

from publisher.contract import topics
from publisher.contract.metric import Reading
from publisher.contract.readings import (
    EventReading,
    ExplanationReading,
    InfoReading,
    SelfReading,
    overview_of,
)
from publisher.subsystems import SUBSYSTEMS


def contents() -> dict[str, type[Reading]]:
    """The class of reading of every topic, by its last level, in the order people read them."""
    senses: dict[str, type[Reading]] = {cls.name: cls.reading for cls in SUBSYSTEMS}
    return {
        topics.EXPLANATION: ExplanationReading,
        topics.EVENT: EventReading,
        topics.OVERVIEW: overview_of({**senses, topics.EXPLANATION: ExplanationReading}),
        **senses,
        topics.INFO: InfoReading,
        topics.SELF: SelfReading,
    }
