"""How warm and how loud the machine is, and what that says: hot, still cooling, or not the load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.learned.store import LearnedCooling, LearnedStore
from publisher.explain.thermal.cooling import Baseline, Body, Cooling
from publisher.explain.thermal.heat import HeatAccounts
from publisher.explain.thermal.hint import Hint
from publisher.explain.thermal.hot import HotProcessors
from publisher.explain.thermal.power_model import PowerModel
from publisher.explain.window import Window
from publisher.ledger.accounts import Account

# Least part of all heat for which a group is named, and how many are.
_SHARE: Final = 0.25
_MOST_NAMED: Final = 2
# A GPU whose fan rests at idle wanders by some degrees, whatever the machine does.
_GPU_RISE_CELSIUS: Final = 12.0


@dataclass(frozen=True, slots=True)
class AfterLoad:
    """What the machine is still warm from.

    Attributes:
        accounts: the groups that left the most heat; settled when the cooling begins.
        ended: when the load ended, in seconds since the epoch.
        fan: a fan has run faster than at rest ever since.
        quiet_at: when it is expected to be cool, once that can be told.
    """

    accounts: tuple[Account, ...]
    ended: float
    fan: bool
    quiet_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThermalState:
    """What temperatures, fans and heat accounts say of a window.

    Attributes:
        power: how much power work took.
        power_at_rest: watts that the machine takes at rest, where known.
        hot: what is near its limit of temperature: ``CPU``, ``GPU``.
        after: what it is still warm from; ``None`` when it is loaded or cool.
        quiet_in: seconds until it is cool; ``None`` where that cannot be told.
        error: how far off the estimates of what cools now were, as a part of the truth.
        hint: what fits when it is warm or loud without load; empty when it is not.
        settled: nothing is left of the last load.
    """

    power: PowerModel
    power_at_rest: float | None
    hot: tuple[str, ...]
    after: AfterLoad | None
    quiet_in: float | None
    error: float | None
    hint: str
    settled: bool


class _CoolingBody:
    """A body that cools down by itself, and what is known of that."""

    def __init__(
        self, learned: LearnedCooling, cooling_seconds: float, least_rise: float = 0.0
    ) -> None:
        self._learned = learned
        self.rest = Baseline(*learned.rest)
        self.cooling = Cooling(
            cooling_seconds, list(learned.episodes), list(learned.errors), least_rise
        )
        self.body = Body()
        self.warm = False

    def loaded(self) -> None:
        """A window of load."""
        self.cooling.loaded(self.body)
        self.warm = False

    def watch(self, now: float) -> None:
        """A window without load."""
        self.warm = self.cooling.watch(self.body, self.rest, now)
        self._learned.episodes = list(self.cooling.episodes)
        self._learned.errors = list(self.cooling.errors)
        self._learned.rest = (self.rest.temperature, self.rest.speed, self.rest.power)


class ThermalModel:
    """What must be remembered to judge temperature, fan and heat accounts together."""

    def __init__(self, settings: ExplainSettings, learned: LearnedStore) -> None:
        self.heat = HeatAccounts()
        self._machine = _CoolingBody(learned.machine, settings.cooling_seconds)
        self._gpu = _CoolingBody(learned.gpu, settings.cooling_seconds, _GPU_RISE_CELSIUS)
        self._bodies = (self._machine, self._gpu)
        self._hot = HotProcessors(settings)
        self._hint = Hint()
        self._loaded_at: float | None = None
        self._after: AfterLoad | None = None

    def observe(self, window: Window, *, loaded: bool, onset: bool) -> ThermalState:
        """Takes one window into account.

        Args:
            window: what is known of it.
            loaded: something is used much.
            onset: something may be about to be: what is read now is not rest.
        """
        balance, evidence = window.balance, window.evidence
        power = PowerModel.of(balance, evidence, self._machine.rest.power or 0.0)
        self.heat.observe(
            balance,
            power,
            seconds=window.seconds,
            time_constant=self._machine.cooling.time_constant,
        )
        hot = self._hot.observe(window)
        self._machine.body = Body(
            evidence.cpu_temperature_celsius, evidence.fan_speed_rpm, evidence.power_watts
        )
        self._gpu.body = Body(evidence.gpu_temperature_celsius, evidence.gpu_fan_percent)
        quiet_in = None
        if loaded:
            self._work(window)
        else:
            quiet_in = self._rest(window, onset=onset)
        return ThermalState(
            power=power,
            power_at_rest=self._machine.rest.power,
            hot=hot,
            after=self._after,
            quiet_in=quiet_in,
            error=self._error,
            hint=self._hint.words,
            settled=self._settled,
        )

    def clock_was_set(self, step: float) -> None:
        """Dates what was told anew: the time of day jumped by so many seconds."""
        if self._loaded_at is not None:
            self._loaded_at += step
        after = self._after
        if after is not None:
            quiet_at = None if after.quiet_at is None else after.quiet_at + step
            self._after = replace(after, ended=after.ended + step, quiet_at=quiet_at)

    @property
    def _settled(self) -> bool:
        return not any(body.cooling.recording for body in self._bodies)

    @property
    def _error(self) -> float | None:
        errors = [body.cooling.error for body in self._bodies if body.warm]
        known = [error for error in errors if error is not None]
        return max(known) if known and len(known) == len(errors) else None

    def _work(self, window: Window) -> None:
        for body in self._bodies:
            body.loaded()
        self._loaded_at, self._after = window.wall, None
        self._hint.loaded(window)

    def _rest(self, window: Window, *, onset: bool) -> float | None:
        """A window without load: the seconds until it is quiet, where that can be told."""
        for body in self._bodies:
            body.watch(window.now)
        if any(body.warm for body in self._bodies):
            return self._cool(window.now, window.wall)
        self._after = None
        if self._settled and not onset:
            for body in self._bodies:
                body.rest.observe(body.body, window.seconds)
        self._hint.observe(window)
        return None

    def _cool(self, now: float, wall: float) -> float | None:
        warm = [body for body in self._bodies if body.warm]
        estimates = [body.cooling.quiet_in(now) for body in warm]
        known = [estimate for estimate in estimates if estimate is not None]
        # It is quiet when all of it is.
        quiet_in = max(known) if len(known) == len(estimates) else None
        fan = any(body.rest.is_louder(body.body) for body in warm)
        after = self._after
        if after is None:
            ended = self._loaded_at if self._loaded_at is not None else wall
            after = AfterLoad(tuple(self.heat.ranked(_SHARE)[:_MOST_NAMED]), ended, fan)
        said = after.quiet_at
        if quiet_in is not None and self._error is not None:
            expected = wall + quiet_in
            # Said once, and taken back only when it was clearly wrong.
            if said is None or abs(expected - said) > max(90.0, 0.5 * (said - after.ended)):
                said = expected
        self._after = replace(after, fan=after.fan and fan, quiet_at=said)
        return quiet_in
