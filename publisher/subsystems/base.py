"""What every subsystem is: a name, a typed reading, and a way to take one.

Adding one takes a file with its reading and its ``Subsystem``, two lines in
``publisher/subsystems/__init__.py`` (import and entry in the tuple), and one fixture tree
(CONTRIBUTING.md walks through it).
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import ClassVar, TypeVar

from publisher.contract.metric import Reading
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources
from publisher.subsystems.selection import Selection

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_LONGEST_REASON = 120  # characters


class Subsystem(ABC):
    """What gives the reading of one topic.

    Class attributes:
        name: the topic's leaf, such as ``cpu``.
        reading: the class of what ``read`` gives.
        blocking: a read may hang in a driver or a file system, so the runner gives it a thread
            of its own and a deadline.
        period: seconds that a reading stays good; 0 reads at every sample.
        top_by: the field of ``ConsumerReading`` that ranks this topic's ``top``.
    """

    name: ClassVar[str]
    reading: ClassVar[type[Reading]]
    blocking: ClassVar[bool] = False
    period: ClassVar[float] = 0.0
    top_by: ClassVar[str | None] = None

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.files = sources.files
        self.selection = Selection()
        """Which of its devices the user wants; the runner puts the configured one in place."""
        self.health: dict[str, SourceError | None] = {
            name: AbsentError(reason)
            for name, reason in self.files.untold.items()
            if name.startswith(f"{self.name}.")
        }
        """Parts of this subsystem by name, such as ``cpu.pressure``: what is wrong, or None."""
        self._stumbled: set[str] = set()
        self.chosen: dict[str, str] = {}
        """Of parts that work: what they are taken from and why, where there was a choice."""

    @abstractmethod
    def read(self) -> Reading:
        """One reading.

        Raises:
            AbsentError: this machine has nothing of the kind.
            SourceError: the subsystem as a whole cannot be read now.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to let go of
        """Lets go of what ``read`` holds open."""

    def part(self, name: str, read: Callable[[], _T]) -> _T | None:
        """What ``read`` gives; ``None``, with the reason kept in ``health``, when it cannot."""
        part = f"{self.name}.{name}"
        try:
            value = read()
        except Exception as error:  # noqa: BLE001  # what nobody foresaw costs its part alone
            self.health[part] = told(error, self.files.newest)
            return None
        self.health[part] = None
        return value

    def apart(self, name: str, read: Callable[[], _T]) -> _T | None:
        """What ``read`` gives, which keeps ``health`` itself; ``None`` when it stumbles.

        Over what was foreseen it does not: that is the health of a part within it.
        """
        part = f"{self.name}.{name}"
        try:
            value = read()
        except Exception as error:  # noqa: BLE001  # as above
            self._stumbled.add(part)
            self.health[part] = told(error, self.files.newest)
            return None
        if part in self._stumbled:
            self._stumbled.discard(part)
            self.health[part] = None
        return value


def told(error: Exception, path: str) -> SourceError:
    """A failure in words; of one that nobody foresaw, the file that was read last stands by it."""
    if isinstance(error, SourceError):
        return error
    log.debug("%s", path, exc_info=error)
    what = str(error)[:_LONGEST_REASON]
    return SourceError(f"unexpected {type(error).__name__}: {what}", path=path)


def total(values: Iterable[float | None]) -> float | None:
    """The sum of those that are known; ``None`` where none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


class Rates:
    """Turns counters into rates per second.

    There is no rate from a first sample, nor across a reset: how much was counted before it is not
    known.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, tuple[float, float]] = {}

    def per_second(self, key: Hashable, value: float | None, now: float) -> float | None:
        """The growth of a counter since the last call with this key.

        Args:
            key: names the counter.
            value: its value at ``now``; ``None`` forgets the counter.
            now: monotonic seconds.
        """
        if value is None:
            self._last.pop(key, None)
            return None
        before = self._last.get(key)
        self._last[key] = (value, now)
        if before is None or value < before[0] or now <= before[1]:
            return None
        return (value - before[0]) / (now - before[1])
