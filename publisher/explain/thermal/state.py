"""How warm and how loud the machine is, and what that says: hot, still cooling, or not the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.detect.hysteresis import Gate
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.learned.store import Learned, Notebook
from publisher.explain.thermal.heat import Body, Cooling, HeatAccounts, Rest, Scale
from publisher.ledger.accounts import Account, Balance

_LOUD_DUTY: Final = 90.0
_COOL_CELSIUS: Final = 60.0
_WARM_CELSIUS: Final = 70.0
_GPU_WARM_CELSIUS: Final = 75.0
_SHARE: Final = 0.25
_HOT_HYSTERESIS_CELSIUS: Final = 4.0
# A GPU whose fan rests at idle wanders by some degrees, whatever the machine does.
_GPU_RISE_CELSIUS: Final = 12.0


@dataclass(slots=True)
class _After:
    """What the machine is still warm from; settled when the cooling begins."""

    accounts: list[Account]
    ended: float
    fan: bool
    quiet_at: float | None = None


class _Part:
    """A body that cools down by itself, and what is known of that."""

    def __init__(self, learned: Learned, cooling_seconds: float, least_rise: float = 0.0) -> None:
        self._learned = learned
        self.rest = Rest(*learned.rest)
        self.cooling = Cooling(
            cooling_seconds, list(learned.episodes), list(learned.errors), least_rise
        )
        self.body = Body()
        self.warm = False

    def watch(self, now: float) -> None:
        """A window without load."""
        self.warm = self.cooling.watch(self.body, self.rest, now)
        self._learned.episodes = list(self.cooling.episodes)
        self._learned.errors = list(self.cooling.errors)
        self._learned.rest = (self.rest.temperature, self.rest.speed, self.rest.power)


class Warmth:
    """Temperature, fan and heat accounts, judged together."""

    def __init__(self, settings: ExplainSettings, notebook: Notebook) -> None:
        self._settings = settings
        self.heat = HeatAccounts()
        self.scale = Scale()
        self._machine = _Part(notebook.machine, settings.cooling_seconds)
        self._gpu = _Part(notebook.gpu, settings.cooling_seconds, _GPU_RISE_CELSIUS)
        self._parts = (self._machine, self._gpu)
        self.hot = {"CPU": Gate(5.0, 10.0), "GPU": Gate(5.0, 10.0)}
        self._odd = Gate(60.0, 120.0)
        self._odd_words = ""
        self._loaded_at: float | None = None
        self.after: _After | None = None
        self.quiet_in: float | None = None

    @property
    def cooling(self) -> Cooling:
        """How the machine cools down, by its CPU and fans."""
        return self._machine.cooling

    @property
    def rest(self) -> Rest:
        """What the machine reads at rest."""
        return self._machine.rest

    @property
    def settled(self) -> bool:
        """Nothing is left of the last load."""
        return not any(part.cooling.watching for part in self._parts)

    @property
    def error(self) -> float | None:
        """How far off the estimates of what cools now were, as a part of the truth."""
        errors = [part.cooling.error for part in self._parts if part.warm]
        known = [error for error in errors if error is not None]
        return max(known) if known and len(known) == len(errors) else None

    def observe(
        self,
        balance: Balance,
        evidence: EvidenceReading,
        *,
        loaded: bool,
        onset: bool,
        start: float,
        now: float,
        wall: float,
        upkeep: Sequence[str] = (),
    ) -> None:
        """Takes one window into account.

        Args:
            balance: who used what in it.
            evidence: what was measured at its end.
            loaded: some resource is used much.
            onset: some resource may be about to be: what is read now is not rest.
            start: monotonic begin of the window.
            now: its end.
            wall: the same moment in seconds since the epoch.
            upkeep: what arrays are doing to themselves, in words.
        """
        self.scale = Scale.of(balance, evidence, self.rest.power or 0.0)
        self.heat.observe(
            balance,
            self.scale,
            seconds=now - start,
            time_constant=self.cooling.time_constant,
        )
        self._judge_hot(evidence, start, now)
        self._machine.body = Body(
            evidence.cpu_temperature_celsius, evidence.fan_speed_rpm, evidence.power_watts
        )
        self._gpu.body = Body(evidence.gpu_temperature_celsius, evidence.gpu_fan_percent)
        self.quiet_in = None
        if loaded:
            for part in self._parts:
                part.cooling.loaded(part.body)
                part.warm = False
            self._loaded_at, self.after = wall, None
            self._odd.update(above=False, below=True, start=start, now=now)
            return
        for part in self._parts:
            part.watch(now)
        if any(part.warm for part in self._parts):
            self._cool(now, wall)
            return
        self.after = None
        if self.settled and not onset:
            for part in self._parts:
                part.rest.observe(part.body, now - start)
        self._wonder(_odd(evidence, upkeep), start, now)

    def clock_was_set(self, step: float) -> None:
        """Dates what was told anew: the time of day jumped by so many seconds."""
        if self._loaded_at is not None:
            self._loaded_at += step
        if self.after is not None:
            self.after.ended += step
            if self.after.quiet_at is not None:
                self.after.quiet_at += step

    @property
    def odd(self) -> str:
        """What fits when the machine is warm or loud without load; empty when it is not."""
        return self._odd_words if self._odd.is_open else ""

    def limit(self, evidence: EvidenceReading) -> float:
        """The temperature from which the CPU counts as hot."""
        own = evidence.cpu_temperature_limit_celsius
        return (
            self._settings.hot_celsius if own is None else own - self._settings.hot_margin_celsius
        )

    @property
    def too_hot(self) -> list[str]:
        """What is near its limit of temperature: ``CPU``, ``GPU``."""
        return [what for what, gate in self.hot.items() if gate.is_open]

    def _judge_hot(self, evidence: EvidenceReading, start: float, now: float) -> None:
        for what, left in (("CPU", self._cpu_left(evidence)), ("GPU", self._gpu_left(evidence))):
            above, below = left <= 0, left > _HOT_HYSTERESIS_CELSIUS
            self.hot[what].update(above=above, below=below, start=start, now=now)

    def _cpu_left(self, evidence: EvidenceReading) -> float:
        """The degrees by which the CPU is short of being hot."""
        temperature = evidence.cpu_temperature_celsius
        return inf if temperature is None else self.limit(evidence) - temperature

    def _gpu_left(self, evidence: EvidenceReading) -> float:
        if evidence.gpu_throttling:
            return 0.0
        if evidence.gpu_headroom_celsius is not None:
            return evidence.gpu_headroom_celsius - self._settings.hot_margin_celsius
        temperature = evidence.gpu_temperature_celsius
        return inf if temperature is None else self._settings.hot_gpu_celsius - temperature

    def _cool(self, now: float, wall: float) -> None:
        estimates = [part.cooling.quiet_in(now) for part in self._parts if part.warm]
        known = [estimate for estimate in estimates if estimate is not None]
        # It is quiet when all of it is.
        self.quiet_in = max(known) if len(known) == len(estimates) else None
        fan = any(part.rest.is_louder(part.body) for part in self._parts if part.warm)
        if self.after is None:
            ended = self._loaded_at if self._loaded_at is not None else wall
            self.after = _After(self.heat.ranked(_SHARE)[:2], ended, fan)
        after = self.after
        after.fan = after.fan and fan
        if self.quiet_in is not None and self.error is not None:
            expected = wall + self.quiet_in
            # Said once, and taken back only when it was clearly wrong.
            said = after.quiet_at
            if said is None or abs(expected - said) > max(90.0, 0.5 * (said - after.ended)):
                after.quiet_at = expected

    def _wonder(self, words: str, start: float, now: float) -> None:
        if words and not self._odd.is_open:
            self._odd_words = words
        self._odd.update(above=bool(words), below=not words, start=start, now=now)


def _odd(evidence: EvidenceReading, upkeep: Sequence[str]) -> str:
    temperature = evidence.cpu_temperature_celsius
    warm = temperature is not None and temperature >= _WARM_CELSIUS
    gpu = evidence.gpu_temperature_celsius
    loud = evidence.fan_duty_percent is not None and evidence.fan_duty_percent >= _LOUD_DUTY
    if evidence.throttling:
        return "but heat or power limits hold the CPU back: its cooling may be failing"
    if upkeep and (warm or loud):
        what = "the CPU is warm" if warm else "the fan runs at full speed"
        return f"but {what}: a {upkeep[0]} is running, which would fit"
    if warm and gpu is not None and gpu >= _GPU_WARM_CELSIUS:
        return "but the machine is warm: the heat of a GPU fits"
    if warm:
        return "but the CPU is warm: dust, a failing fan or a warm room would fit"
    if loud and temperature is not None and temperature < _COOL_CELSIUS:
        return "but the fan runs at full speed: a fixed fan setting or a stuck sensor would fit"
    return ""
