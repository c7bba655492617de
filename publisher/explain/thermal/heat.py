"""Heat: why a fan still runs after the work is over, and for how long.

Every work group has a heat account: the power that it took, fading with the machine's own time
constant. While the machine cools down, the groups with the most heat left are to blame.

The time constant is learned from how the temperature falls after a load; the time until it is
quiet from how long that took before, at the same number of degrees above rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, log
from statistics import median
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.ledger.accounts import Account, Balance

# What a busy core and a busy GPU take where nothing measures them: it only ranks the groups.
_CORE_WATTS: Final = 10.0
_GPU_WATTS: Final = 80.0
# What is measured in a short window may be of another moment than the work: no core takes more.
_MOST_CORE_WATTS: Final = 60.0
_LEAST_CORE_WATTS: Final = 1.0
_LEAST_HEAT: Final = 0.2
_MOST_ACCOUNTS: Final = 24

WARM_CELSIUS: Final = 3.0
"""Degrees above rest that a sensor's wobble does not reach."""
WARM_RPM: Final = 200.0
_FAN_RUNS_ON_SECONDS: Final = 120.0
WARM_PART: Final = 0.15
"""Part of the rise that the load caused, below which the machine counts as cool again."""
_SMALLEST_DROP: Final = 4.0
_NOISE_CELSIUS: Final = 1.5
_MOST_SAMPLES: Final = 160
_MOST_EPISODES: Final = 7
_LONGEST_SECONDS: Final = 3600.0


@dataclass(slots=True)
class _Heat:
    account: Account
    level: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How much power work takes, so that work on CPU and GPU can be told against each other.

    Attributes:
        core_watts: power of one busy core.
        cpu_measured: the measured power holds that of the CPU; likewise ``gpu_measured``.
    """

    core_watts: float = _CORE_WATTS
    cpu_measured: bool = False
    gpu_measured: bool = False

    @classmethod
    def of(cls, balance: Balance, evidence: EvidenceReading, power_at_rest: float) -> Scale:
        """The scale by which the work of a window adds up to the power measured above rest."""
        power, gpu = evidence.power_watts, evidence.gpu_power_watts
        if power is None:
            return cls()
        if gpu is not None and power <= gpu:
            return cls(gpu_measured=True)
        told = sum(account.gpu_power_watts or 0.0 for account in balance.accounts)
        busy = balance.busy_seconds / balance.window_seconds
        watts = (power - power_at_rest - told) / busy if busy > 0 else _CORE_WATTS
        return cls(
            core_watts=min(max(watts, _LEAST_CORE_WATTS), _MOST_CORE_WATTS),
            cpu_measured=True,
            gpu_measured=gpu is not None,
        )

    def cpu_watts(self, cpu_seconds: float, window: float) -> float:
        """What CPU time in a window takes."""
        return self.core_watts * cpu_seconds / window

    def watts(self, account: Account, window: float) -> float:
        """What the work of a group takes."""
        return self.cpu_watts(account.cpu_seconds, window) + gpu_watts(account)

    def measured(self, account: Account, window: float) -> float | None:
        """What of that the measured power holds; ``None`` where it says nothing of such work."""
        parts = []
        if self.cpu_measured:
            parts.append(self.cpu_watts(account.cpu_seconds, window))
        if self.gpu_measured and account.gpu_percent is not None:
            parts.append(gpu_watts(account))
        return sum(parts) if parts else None


def gpu_watts(account: Account) -> float:
    """What a group's work on GPUs takes: what their drivers tell, else an estimate."""
    if account.gpu_power_watts is not None:
        return account.gpu_power_watts
    return _GPU_WATTS * (account.gpu_percent or 0.0) / 100


class HeatAccounts:
    """The heat that each work group left in the machine, in watts."""

    def __init__(self) -> None:
        self._all: dict[str, _Heat] = {}

    def observe(
        self, balance: Balance, scale: Scale, *, seconds: float, time_constant: float
    ) -> None:
        """Takes one window into account.

        Args:
            balance: who used what in it.
            scale: how much power that took.
            seconds: length of the window.
            time_constant: in how many seconds heat fades to 37 %.
        """
        kept = exp(-seconds / time_constant)
        for known in self._all.values():
            known.level *= kept
        for account in balance.accounts:
            power = scale.watts(account, balance.window_seconds)
            if power < _LEAST_HEAT or account.group.own:
                continue
            heat = self._all.get(account.group.key)
            if heat is None:
                heat = self._all[account.group.key] = _Heat(account)
            heat.account = account
            heat.level += power * (1 - kept)
        if self._all:
            self._forget()

    def _forget(self) -> None:
        ranked = sorted(self._all, key=lambda key: -self._all[key].level)
        for place, key in enumerate(ranked):
            if place >= _MOST_ACCOUNTS or self._all[key].level < _LEAST_HEAT / 4:
                del self._all[key]

    def ranked(self, share: float) -> list[Account]:
        """The groups that left at least ``share`` of all heat, the hottest first."""
        total = sum(heat.level for heat in self._all.values())
        hot = [heat for heat in self._all.values() if total and heat.level >= share * total]
        return [heat.account for heat in sorted(hot, key=lambda heat: -heat.level)]

    def level(self, key: str) -> float:
        """The heat that a group left, by its key; 0 when it is long gone."""
        heat = self._all.get(key)
        return heat.level if heat else 0.0


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
class Rest:
    """What a body reads when it has long had nothing to do; follows the room slowly."""

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
    """Watches a body cool down after a load, and learns from it.

    Attributes:
        default: the time constant before anything is learned.
        episodes: the last ones, the oldest first.
        errors: how far off earlier estimates were, as parts of the truth.
        least_rise: degrees by which a load must have warmed it for its warmth to count.
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
        """A window of load: what was being watched ends here."""
        if self._began is not None:
            self._finish()
        self._recent = []
        self._peak = max(self._peak, body.temperature or 0.0)
        self._peak_speed = max(self._peak_speed, body.speed or 0.0)

    def watch(self, body: Body, rest: Rest, now: float) -> bool:
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
    def watching(self) -> bool:
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
        self, temperature: float | None, speed: float | None, rest: Rest, now: float
    ) -> bool:
        if self._peak - self._rest < self.least_rise:
            return False
        if temperature is not None and temperature > self._rest + self._margin:
            self._fan_alone = None
            return True
        if speed is None or rest.speed is None:
            return False
        loud = speed > rest.speed + max(WARM_RPM, WARM_PART * (self._peak_speed - rest.speed))
        if not loud or temperature is None:
            return loud
        if self._fan_alone is None:
            self._fan_alone = now
        # A fan may run on for a while; one that never stops is not what cools.
        return now - self._fan_alone < max(2 * self.time_constant, _FAN_RUNS_ON_SECONDS)

    @property
    def _margin(self) -> float:
        return max(WARM_CELSIUS, WARM_PART * (self._peak - self._rest))

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
        """Learns from the fall that was watched."""
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
    machine. Where the fall was watched to its end, the temperature that it tends to is fitted
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
