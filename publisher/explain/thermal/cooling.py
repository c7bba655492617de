"""Cooling: for how long the machine stays warm after a load, learned from each fall.

The time constant is learned from how the temperature falls after a load; the time until it is
quiet from how long that took before, at the same number of degrees above rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from statistics import median
from typing import Final

_WARM_CELSIUS: Final = 3.0
"""Degrees above rest that a sensor's wobble does not reach."""
_WARM_RPM: Final = 200.0
_WARM_PART: Final = 0.15
"""Part of the rise that the load caused, below which the machine counts as cool again."""
_FAN_RUNS_ON_SECONDS: Final = 120.0
_SMALLEST_DROP: Final = 4.0
_NOISE_CELSIUS: Final = 1.5
_MOST_SAMPLES: Final = 160
_MOST_EPISODES: Final = 7
_LONGEST_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Body:
    """How warm and loud something is now: the CPU with the machine's fans, or a GPU with its own.

    Attributes:
        temperature: in degrees Celsius.
        speed: of its fan: in rpm, a GPU's in percent.
        power: what is measured, in watts.
    """

    temperature: float | None = None
    speed: float | None = None
    power: float | None = None


@dataclass(slots=True)
class Baseline:
    """What a body reads at rest, after long without work; follows the room slowly."""

    temperature: float | None = None
    speed: float | None = None
    power: float | None = None

    def observe(self, body: Body, seconds: float) -> None:
        """Takes one window of rest into account."""
        self.temperature = _settle(self.temperature, body.temperature, seconds)
        self.speed = _settle(self.speed, body.speed, seconds)
        self.power = _settle(self.power, body.power, seconds)

    def is_louder(self, body: Body) -> bool:
        """Whether a fan runs faster than it does at rest."""
        return bool(body.speed) and (self.speed is None or (body.speed or 0) > self.speed * 1.1)


def _settle(known: float | None, value: float | None, seconds: float) -> float | None:
    """Falls fast, since the lowest is nearest to rest, and rises slowly."""
    if value is None:
        return known
    if known is None:
        return float(value)
    time_constant = 20.0 if value < known else 900.0
    return known + (value - known) * (1 - exp(-seconds / time_constant))


@dataclass(frozen=True, slots=True)
class Episode:
    """How the machine once cooled down.

    Attributes:
        time_constant: seconds; ``None`` where the fall was too small or too odd to tell.
        curve: (rise above rest as a multiple of what counts as cool, seconds left), falling.
    """

    time_constant: float | None
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Cooling:
    """Records how a body cools down after each load, and learns from that.

    Attributes:
        default: the time constant before anything is learned.
        episodes: the last ones, the oldest first.
        errors: how far off earlier estimates were, as parts of the truth.
        least_rise: degrees by which a load must have warmed it for that to count.
    """

    default: float
    episodes: list[Episode] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    least_rise: float = 0.0
    _samples: list[tuple[float, float]] = field(default_factory=list)
    _step: float = 1.0
    _rest: float = 0.0
    _peak: float = 0.0
    _peak_speed: float = 0.0
    _began: float | None = None
    _cool_at: float | None = None
    _fan_alone: float | None = None
    _guesses: list[tuple[float, float]] = field(default_factory=list)
    _recent: list[float] = field(default_factory=list)

    @property
    def time_constant(self) -> float:
        """The learned one; the default until there is one."""
        known = [e.time_constant for e in self.episodes if e.time_constant is not None]
        return median(known) if known else self.default

    @property
    def error(self) -> float | None:
        """The median error of the estimates so far, as a part of the truth."""
        return median(self.errors) if self.errors else None

    def loaded(self, body: Body) -> None:
        """A window of load: a fall that was being recorded ends here."""
        if self._began is not None:
            self._finish()
        self._recent = []
        self._peak = max(self._peak, body.temperature or 0.0)
        self._peak_speed = max(self._peak_speed, body.speed or 0.0)

    def watch(self, body: Body, rest: Baseline, now: float) -> bool:
        """A window without load: whether the body is still warm from the last one."""
        temperature = self._smoothed(body.temperature)
        if self._began is None:
            if not self._peak and not self._peak_speed:
                return False
            self._began, self._cool_at, self._fan_alone = now, None, None
            # What it has never been seen at rest with, it cannot be said to be above.
            known = rest.temperature if rest.temperature is not None else temperature
            self._rest = known or 0.0
        if temperature is not None:
            self._record(now, temperature)
        warm = (
            self._is_warm(temperature, body.speed, rest, now) and now - self._began < self._patience
        )
        if self._cool_at is None and not warm:
            self._cool_at = now
        if now - self._began > 1.5 * self._patience:
            self._finish()
            return False
        return self._cool_at is None

    @property
    def recording(self) -> bool:
        """Whether a fall is being recorded."""
        return self._began is not None

    @property
    def _patience(self) -> float:
        return min(max(6 * self.time_constant, 120.0), _LONGEST_SECONDS)

    def _smoothed(self, temperature: float | None) -> float | None:
        """The middle of the last ones: many sensors tell whole degrees, and waver by one."""
        self._recent = [] if temperature is None else [*self._recent[-2:], temperature]
        return median(self._recent) if self._recent else None

    def _is_warm(
        self, temperature: float | None, speed: float | None, rest: Baseline, now: float
    ) -> bool:
        if self._peak - self._rest < self.least_rise:
            return False
        if temperature is not None and temperature > self._rest + self._margin:
            self._fan_alone = None
            return True
        if speed is None or rest.speed is None:
            return False
        loud = speed > rest.speed + max(_WARM_RPM, _WARM_PART * (self._peak_speed - rest.speed))
        if not loud or temperature is None:
            return loud
        if self._fan_alone is None:
            self._fan_alone = now
        # A fan may run on for a while; one that never stops is not what cools.
        return now - self._fan_alone < max(2 * self.time_constant, _FAN_RUNS_ON_SECONDS)

    @property
    def _margin(self) -> float:
        return max(_WARM_CELSIUS, _WARM_PART * (self._peak - self._rest))

    def _record(self, now: float, temperature: float) -> None:
        if self._samples and now - self._samples[-1][0] < self._step:
            return
        self._samples.append((now, temperature))
        if len(self._samples) >= _MOST_SAMPLES:
            self._samples = self._samples[::2]
            self._step *= 2

    def quiet_in(self, now: float) -> float | None:
        """Seconds until it is cool, as it was before; ``None`` before that has been learned."""
        if not self._recent or self._began is None or self._cool_at is not None:
            return None
        curves = [episode.curve for episode in self.episodes if episode.curve]
        if len(curves) < 2:
            return None
        rise = (median(self._recent) - self._rest) / self._margin
        guess = median(_along(curve, rise, self.time_constant) for curve in curves)
        self._guesses.append((now, guess))
        if len(self._guesses) > 64:
            self._guesses = self._guesses[::2]
        return guess

    def _finish(self) -> None:
        """Learns from the fall that was recorded."""
        samples, self._samples, self._step = self._samples, [], 1.0
        guesses, self._guesses = self._guesses, []
        cool_at, self._began = self._cool_at, None
        margin = self._margin
        self._peak = self._peak_speed = 0.0
        if len(samples) < 8 or samples[0][1] - samples[-1][1] < _SMALLEST_DROP:
            return
        curve: tuple[tuple[float, float], ...] = ()
        if cool_at is not None:
            curve = _curve(samples, self._rest, margin, cool_at)
            errors = [
                abs(guess - (cool_at - at)) / (cool_at - at)
                for at, guess in guesses
                if cool_at - at > 10
            ]
            if errors:
                self.errors = [*self.errors, median(errors)][-_MOST_EPISODES:]
        episode = Episode(fit(samples, self._rest), curve)
        if episode.time_constant is not None or curve:
            self.episodes = [*self.episodes, episode][-_MOST_EPISODES:]


def _curve(
    samples: Sequence[tuple[float, float]], rest: float, margin: float, cool_at: float
) -> tuple[tuple[float, float], ...]:
    falling = [((value - rest) / margin, cool_at - at) for at, value in samples if at <= cool_at]
    step = max(1, len(falling) // 12)
    return tuple((round(rise, 2), round(left, 1)) for rise, left in falling[::step])


def _along(curve: Sequence[tuple[float, float]], rise: float, time_constant: float) -> float:
    """The seconds that were left at this rise, between the nearest known points."""
    before = curve[0]
    if rise >= before[0]:
        return before[1] + time_constant * log(max(rise, 0.1) / max(before[0], 0.1))
    for point in curve[1:]:
        if rise >= point[0]:
            part = (rise - point[0]) / max(before[0] - point[0], 0.01)
            return point[1] + part * (before[1] - point[1])
        before = point
    return 0.0


def fit(samples: Sequence[tuple[float, float]], rest: float) -> float | None:
    """The time constant of a fall; ``None`` where it does not look like one.

    The first part is left out: there the die cools into its heat sink, which is quicker than the
    machine. Where the fall was recorded to its end, the temperature that it tends to is fitted
    with it; else it is what the machine had at rest.
    """
    drop = samples[0][1] - rest
    begin = next((n for n, (_, value) in enumerate(samples) if value - rest <= 0.7 * drop), None)
    tail = samples[begin:]
    if begin is None or len(tail) < 6 or drop < _SMALLEST_DROP:
        return None
    start = tail[0][0]
    points = [(at - start, value) for at, value in tail]
    span = points[-1][0]
    if span <= 0:
        return None
    # One sample is as much noise as temperature.
    end = median(value for _, value in tail[-max(3, len(tail) // 6) :])
    complete = end - rest <= max(0.12 * drop, _NOISE_CELSIUS)
    best, best_error = None, inf
    steps = 60
    for step in range(steps + 1):
        candidate = span / 20 * (40.0 ** (step / steps))
        error = _misfit(points, candidate, None if complete else rest)
        if error < best_error:
            best, best_error = candidate, error
    if best is None or best in (span / 20, span * 2):
        return None
    spread = sum((value - rest) ** 2 for _, value in points)
    return best if best_error <= 0.1 * spread else None


def _misfit(points: Sequence[tuple[float, float]], constant: float, rest: float | None) -> float:
    """The squared error of the best ``a + b·exp(-t/constant)``; ``a`` may be given."""
    fades = [exp(-at / constant) for at, _ in points]
    values = [value for _, value in points]
    count = len(points)
    if rest is not None:
        square = sum(fade * fade for fade in fades)
        slope = sum(f * (v - rest) for f, v in zip(fades, values, strict=True)) / square
        return sum((rest + slope * f - v) ** 2 for f, v in zip(fades, values, strict=True))
    mean_fade, mean = sum(fades) / count, sum(values) / count
    square = sum((fade - mean_fade) ** 2 for fade in fades)
    if square < 1e-12:
        return inf
    slope = sum((f - mean_fade) * (v - mean) for f, v in zip(fades, values, strict=True)) / square
    return sum(
        (mean + slope * (f - mean_fade) - v) ** 2 for f, v in zip(fades, values, strict=True)
    )
