"""Whether there is a load at all, and of what kind: the first step of the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.detect.onset import Onset
from publisher.explain.detect.resources import LoadKind, monitored_resources
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.window import Window
from publisher.ledger.accounts import Balance

_HIGH_SECONDS: Final = 8.0
_ONSET_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is used much in a window.

    Attributes:
        kinds: what is used much; empty when the machine is at rest.
        onset: something may be about to be.
        cpu_high: the CPU as a whole is used much, not only one of its cores.
    """

    kinds: frozenset[LoadKind] = frozenset()
    onset: bool = False
    cpu_high: bool = False

    @property
    def loaded(self) -> bool:
        """Something is used much."""
        return bool(self.kinds)


class Detector:
    """The monitored resources, and what must be remembered of the load as a whole."""

    def __init__(self, settings: ExplainSettings) -> None:
        self._settings = settings
        self.resources = monitored_resources(settings)
        self._cpu = next(each for each in self.resources if each.kind is LoadKind.CPU)
        self._onset = Onset()
        self._cpu_high = CpuHigh(settings.high_percent)

    def observe(self, window: Window) -> Load:
        """What is used much in a window."""
        for resource in self.resources:
            resource.observe(window)
        self._onset.observe(self.resources, start=window.start, now=window.now)
        return Load(
            kinds=frozenset(each.kind for each in self.resources if each.hysteresis.active),
            onset=any(each.hysteresis.pending for each in self.resources),
            cpu_high=self._cpu_high.observe(window, self._cpu.hysteresis.since),
        )

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which a further window could settle what is pending."""
        waits = [resource.wants_soon(now) for resource in self.resources]
        waits.append(self._onset.wants_soon(now, self._settings.enter_seconds))
        return min((wait for wait in waits if wait is not None), default=None)


class CpuHigh:
    """Whether the CPU as a whole is used much; once it is, until the load is over.

    What the onset showed counts at once, a later rise only when it lasts: the sentence must not
    waver.
    """

    def __init__(self, high_percent: float) -> None:
        self._high_percent = high_percent
        self._hysteresis = _lasting()

    def observe(self, window: Window, busy_since: float | None) -> bool:
        """Whether it is, in a window.

        Args:
            window: what is known of it.
            busy_since: monotonic moment since which the CPU is or may be busy.
        """
        if busy_since is None:
            self._hysteresis = _lasting()
            return False
        above = self._is_above(window.balance)
        self._hysteresis.update(above=above, below=False, start=window.start, now=window.now)
        if above and window.now - busy_since <= _ONSET_SECONDS:
            self._hysteresis.active = True
        return self._hysteresis.active

    def _is_above(self, balance: Balance) -> bool:
        used = balance.busy_seconds / balance.window_seconds
        return used >= self._high_percent / 100 * balance.cores


def _lasting() -> Hysteresis:
    return Hysteresis(_HIGH_SECONDS, inf)
