"""How many rows Home Assistant's recorder writes because of us.

Source: its ``recorder`` and ``history`` documentation: a row for each change of a state or of
its attributes, none for a message that changes neither. The state of an event or an image is when
the last one came: each is a row. An image has a token in its attributes besides, which is
another every five minutes (TOKEN_CHANGE_INTERVAL in homeassistant/components/image).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from publisher.contract import topics
from publisher.homeassistant.classes import scaled
from publisher.homeassistant.discovery import Entity

_DAY_SECONDS = 86400
_TOKENS_A_DAY = _DAY_SECONDS // 300
_WITH_CAUSES = f"{topics.EXPLANATION}_headline"
_ATTRIBUTES = ("state", "since", "hint", "causes", "evidence")


class RecorderEstimate:
    """Counts changes of entities from the messages that cause them.

    Args:
        entities: those that count; a disabled one writes nothing.
    """

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._by_leaf: dict[str, list[Entity]] = {}
        for entity in entities:
            if entity.leaf and entity.enabled:
                self._by_leaf.setdefault(entity.leaf, []).append(entity)
        self._last: dict[str, Any] = {}
        self.counts: Counter[str] = Counter(
            {entity.key: 0 for found in self._by_leaf.values() for entity in found}
        )

    def heard(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Takes in a message on one of our topics; ``retain``: it was there before."""
        entities = self._by_leaf.get(leaf)
        if not entities:
            return
        if leaf == topics.PICTURE:
            self.counts.update({entity.key: int(not retain) for entity in entities})
            return
        try:
            body = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(body, dict):
            return
        if leaf == topics.EVENT:  # each is another, since the moment is a part of it
            told = [entity.key for entity in entities if entity.of is None or entity.of(body)]
            self.counts.update(dict.fromkeys(told, 1))
            return
        for entity in entities:
            state = _state(entity, body)
            if entity.key not in self._last:
                self._last[entity.key] = state  # what was retained is there already
            elif self._last.get(entity.key) != state:
                self._last[entity.key] = state
                self.counts[entity.key] += 1

    def a_day(self, seconds: float) -> dict[str, int]:
        """Rows a day by entity, when things go on as in these seconds; the most first."""
        found = {key: round(count * _DAY_SECONDS / seconds) for key, count in self.counts.items()}
        for entity in self._by_leaf.get(topics.PICTURE, ()):
            found[entity.key] += _TOKENS_A_DAY
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def _state(entity: Entity, body: Mapping[str, Any]) -> Any:
    if entity.of is not None:
        return entity.of(body)
    value: Any = body
    for step in entity.path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if entity.metric is not None:
        value = scaled(entity.metric, value)
    if entity.key == _WITH_CAUSES:
        return [value, *(body.get(name) for name in _ATTRIBUTES)]
    return value
