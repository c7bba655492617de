"""The state of the host: how it is, in one word."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.contract.readings import HostState
from publisher.explain.detect.detector import Load
from publisher.explain.detect.resources import PRESSURE
from publisher.explain.thermal.state import ThermalState


def state_of(load: Load, thermal: ThermalState) -> HostState:
    """The state that a window shows."""
    if load.kinds & PRESSURE:
        return HostState.PRESSURE
    if thermal.hot:
        return HostState.HOT
    if load.kinds:
        return HostState.BUSY
    return HostState.COOLING if thermal.after else HostState.QUIET


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A state from its beginning until now.

    Attributes:
        since: when it began, in seconds since the epoch.
        before: the state of the window before; another one where the state has just changed.
    """

    state: HostState
    since: float
    before: HostState

    @property
    def quiet(self) -> bool:
        """Nothing is used much, and nothing is left of what was."""
        return self.state is HostState.QUIET

    @property
    def changed(self) -> bool:
        """It began with this window."""
        return self.state is not self.before


@dataclass(slots=True)
class StateMemory:
    """The state as of the last window.

    Attributes:
        since: when it began, in seconds since the epoch; ``None`` before the first window.
    """

    state: HostState = HostState.QUIET
    since: float | None = None

    def observe(self, state: HostState, wall: float) -> StateSpan:
        """Takes the state of a window that ends at ``wall`` into account."""
        before, self.state = self.state, state
        since = wall if self.since is None or state is not before else self.since
        self.since = since
        return StateSpan(state, since, before)

    def clock_was_set(self, step: float) -> None:
        """Dates it anew: the time of day jumped by so many seconds."""
        if self.since is not None:
            self.since += step
