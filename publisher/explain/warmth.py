"""How warm and how loud the machine is, and what that says: hot, still cooling, or not the load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.explain.gates import Gate
from publisher.explain.heat import Cooling, HeatAccounts, Rest
from publisher.explain.notebook import Notebook
from publisher.explain.settings import ExplainSettings
from publisher.ledger.accounts import Account, Balance
from publisher.schema.messages import EvidenceReading

_LOUD_DUTY: Final = 90.0
_COOL_CELSIUS: Final = 60.0
_WARM_CELSIUS: Final = 70.0
_GPU_WARM_CELSIUS: Final = 75.0
_SHARE: Final = 0.25

HINT_CONFIDENCE: Final = 0.4


@dataclass(slots=True)
class _After:
    """What the machine is still warm from; settled when the cooling begins."""

    accounts: list[Account]
    ended: float
    fan: bool
    quiet_at: float | None = None


class Warmth:
    """Temperature, fan and heat accounts, judged together."""

    def __init__(self, settings: ExplainSettings, notebook: Notebook) -> None:
        self._settings = settings
        self._notebook = notebook
        self.heat = HeatAccounts()
        self.rest = Rest(*notebook.rest)
        self.cooling = Cooling(
            settings.cooling_seconds, list(notebook.episodes), list(notebook.errors)
        )
        self.hot = Gate(5.0, 10.0)
        self._odd = Gate(60.0, 120.0)
        self._odd_words = ""
        self._loaded_at: float | None = None
        self.after: _After | None = None
        self.quiet_in: float | None = None

    def observe(
        self,
        balance: Balance,
        evidence: EvidenceReading,
        *,
        loaded: bool,
        start: float,
        now: float,
        wall: float,
    ) -> None:
        """Takes one window into account.

        Args:
            balance: who used what in it.
            evidence: what was measured at its end.
            loaded: some resource is used much, or is about to count as such.
            start: monotonic begin of the window.
            now: its end.
            wall: the same moment in seconds since the epoch.
        """
        power = evidence.power_watts
        above = None if power is None else max(power - (self.rest.power or 0.0), 0.0)
        self.heat.observe(
            balance,
            above,
            seconds=now - start,
            time_constant=self.cooling.time_constant,
        )
        self._judge_hot(evidence, start, now)
        self.quiet_in = None
        if loaded:
            self.cooling.loaded(evidence)
            self._loaded_at, self.after = wall, None
            self._odd.update(above=False, below=True, start=start, now=now)
            return
        if self.cooling.watch(evidence, self.rest, now):
            self._cool(evidence, now, wall)
        else:
            self.after = None
            if not self.cooling.watching:
                self.rest.observe(evidence, now - start)
            self._wonder(evidence, start, now)
        if len(self.cooling.episodes) != len(self._notebook.episodes) or (
            self.cooling.episodes and self.cooling.episodes[-1] != self._notebook.episodes[-1]
        ):
            self._notebook.episodes = list(self.cooling.episodes)
            self._notebook.errors = list(self.cooling.errors)
        self._notebook.rest = (self.rest.temperature, self.rest.speed, self.rest.power)

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

    def _judge_hot(self, evidence: EvidenceReading, start: float, now: float) -> None:
        temperature = evidence.cpu_temperature_celsius
        if temperature is None:
            temperature = 0.0
        limit = self.limit(evidence)
        self.hot.update(
            above=temperature >= limit, below=temperature < limit - 4.0, start=start, now=now
        )

    def _cool(self, evidence: EvidenceReading, now: float, wall: float) -> None:
        self.quiet_in = self.cooling.quiet_in(evidence, now)
        fan = self._fan_is_heard(evidence)
        if self.after is None:
            ended = self._loaded_at if self._loaded_at is not None else wall
            self.after = _After(self.heat.ranked(_SHARE)[:2], ended, fan)
        after = self.after
        after.fan = after.fan and fan
        if self.quiet_in is not None and self.cooling.error is not None:
            expected = wall + self.quiet_in
            # Said once, and taken back only when it was clearly wrong.
            said = after.quiet_at
            if said is None or abs(expected - said) > max(90.0, 0.5 * (said - after.ended)):
                after.quiet_at = expected

    def _fan_is_heard(self, evidence: EvidenceReading) -> bool:
        speed = evidence.fan_speed_rpm
        return bool(speed) and (self.rest.speed is None or (speed or 0) > self.rest.speed * 1.1)

    def _wonder(self, evidence: EvidenceReading, start: float, now: float) -> None:
        words = _odd(evidence)
        if words and not self._odd.is_open:
            self._odd_words = words
        self._odd.update(above=bool(words), below=not words, start=start, now=now)


def _odd(evidence: EvidenceReading) -> str:
    temperature = evidence.cpu_temperature_celsius
    warm = temperature is not None and temperature >= _WARM_CELSIUS
    gpu = evidence.gpu_temperature_celsius
    loud = evidence.fan_duty_percent is not None and evidence.fan_duty_percent >= _LOUD_DUTY
    if evidence.throttling:
        return "but heat or power limits hold the CPU back: its cooling may be failing"
    if warm and gpu is not None and gpu >= _GPU_WARM_CELSIUS:
        return "but the machine is warm: the heat of a GPU fits"
    if warm:
        return "but the CPU is warm: dust, a failing fan or a warm room would fit"
    if loud and temperature is not None and temperature < _COOL_CELSIUS:
        return "but the fan runs at full speed: a fixed fan setting or a stuck sensor would fit"
    return ""
