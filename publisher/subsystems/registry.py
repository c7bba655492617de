"""The subsystems of this fanwhy, and the topics that follow from them.

A subsystem is registered in ``publisher/subsystems/__init__.py`` and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from publisher.contract import topics
from publisher.contract.topics import Topic
from publisher.subsystems import SUBSYSTEMS


@functools.cache
def all_topics() -> Mapping[str, Topic]:
    """Every topic of this daemon, by leaf."""
    return topics.registry({cls.name: cls.reading for cls in SUBSYSTEMS})


def documented_topics() -> Mapping[str, Topic]:
    """Those, and what companions publish beside them: all that a reader may meet."""
    return {**all_topics(), **topics.companion_topics()}
