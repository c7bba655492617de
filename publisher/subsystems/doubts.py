"""What readings left out because it cannot be: kept, device by device, until it is good again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from publisher.contract.metric import Kind, Metric, Reading, fields_of
from publisher.contract.possible import Impossible
from publisher.errors import SourceError

# What is wrong now and then is said once, not each time.
_GOOD_SECONDS = 300.0


@dataclass(slots=True)
class _Doubt:
    device: str
    field: str
    last: float


class Doubts:
    """The values of one topic that were left out.

    Args:
        topic: the topic's leaf.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._open: dict[str, _Doubt] = {}

    def note(
        self, reading: Reading, left_out: Sequence[Impossible], now: float
    ) -> dict[str, SourceError | None]:
        """What has become known, by part of the topic: why a value is missing, or that it is back.

        Args:
            reading: the newest one of the topic.
            left_out: what it lacks, or what was made on the way to it.
            now: monotonic seconds.
        """
        if not (left_out or self._open):
            return {}
        devices = dict(_devices(reading))
        names = {id(device): name for name, device in devices.items()}
        news: dict[str, SourceError | None] = {}
        for each in left_out:
            device = names.get(id(each.reading))
            if device is None:
                continue
            part = ".".join(filter(None, (self._topic, device, each.field)))
            if part not in self._open:
                news[part] = SourceError(each.reason)
            self._open[part] = _Doubt(device, each.field, now)
        for part, doubt in list(self._open.items()):
            held = devices.get(doubt.device)
            if held is not None and getattr(held, doubt.field) is None:
                doubt.last = now
            elif held is None or now - doubt.last >= _GOOD_SECONDS:
                del self._open[part]
                news[part] = None
        return news


def _devices(reading: Reading) -> Iterator[tuple[str, Reading]]:
    """A reading under an empty name, and each device in it under its identity."""
    yield "", reading
    for each in fields_of(type(reading)):
        if each.metric.kind is Kind.INSTANCES:
            inside: dict[str, Any] = getattr(reading, each.name)
            yield from inside.items()


class ImplausibleError(SourceError):
    """A device answers, with what cannot be."""


def plausible(metric: Metric, value: float) -> float:
    """The value, as a metric's declaration lets it be.

    Raises:
        ImplausibleError: it cannot be.
    """
    if doubt := metric.doubt(value):
        raise ImplausibleError(doubt)
    return value
