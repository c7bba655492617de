"""When to look at the machine: seldom while it rests, at once when it starts to work.

Between two samples a load probe reads one line, how long all processors idled. A jump of the busy
time pulls the next sample forward; a machine at rest lengthens the period. That is how the
daemon is both faster and cheaper than a fixed clock. For stalls that leave the processors idle,
the kernel's own pressure triggers wake us.
"""

from __future__ import annotations

from dataclasses import dataclass

from publisher.config.setting import setting
from publisher.sources.load_probe import LoadProbe

PROBE_SECONDS = 0.5
# In cores: what an onset or an end moves, and what a resting machine stays below.
_JUMP = 0.3
_REST = 0.1
_REST_AFTER_SECONDS = 20.0
_LEVEL_WEIGHT = 0.1
_STRETCH = 1.25
# Samples before their time, and how many more may be taken each second: a load that flickers would
# else be sampled at every probe.
_EXTRA_SAMPLES = 4.0
_EXTRA_PER_SECOND = 0.25
_SHORTEST_GAP_SECONDS = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How often the machine is looked at."""

    period_seconds: float = setting(
        2.0, "Seconds between two samples while the machine works.", minimum=0.5, maximum=60
    )
    rest_period_seconds: float = setting(
        6.0,
        "Seconds between two samples while it rests; period_seconds where that is longer.",
        minimum=0.5,
        maximum=300,
    )
    pulse: bool = setting(
        True,
        "Look at the processors' busy time twice a second in between (some 20 µs each), so that "
        "an onset is seen at once.",
    )


class Scheduler:
    """Decides when the next sample is due. All times are monotonic seconds."""

    def __init__(self, settings: SamplingSettings, probe: LoadProbe | None, now: float) -> None:
        self.settings = settings
        self.next_sample = now
        self._probe = probe if settings.pulse else None
        self._next_probe = now
        self._last_sample = float("-inf")
        self._period = settings.period_seconds
        self._usual: float | None = None
        self._stirred_at = now
        self._level = 0.0
        self._extra = _EXTRA_SAMPLES

    @property
    def next_wake(self) -> float:
        """When something is to be done next."""
        return min(self.next_sample, self._next_probe) if self._probe else self.next_sample

    def tick(self, now: float) -> None:
        """Probes the load if it is time to, and pulls the next sample forward at a jump."""
        if self._probe is None or now < self._next_probe:
            return
        self._next_probe = now + PROBE_SECONDS
        busy = self._probe.busy_cores(now)
        if busy is None:
            return
        if self._usual is None:
            self._usual = busy
        # What wakes up for a moment now and then is no work worth a closer look.
        self._level += (busy - self._level) * _LEVEL_WEIGHT
        if self._level > _REST:
            self._stirred_at = now
        if abs(busy - self._usual) >= _JUMP:
            self.hurry(now)
        self._usual += (busy - self._usual) / 2

    def hurry(self, now: float) -> None:
        """Something may have begun or ended: sample as soon as is seemly."""
        self._period = self.settings.period_seconds
        self._stirred_at = now
        if self.next_sample <= now:
            return
        # Whoever rested is only back in step.
        in_turn = max(now, self._last_sample + self._period)
        soon = max(now, self._last_sample + _SHORTEST_GAP_SECONDS)
        if soon < in_turn and self._extra >= 1:
            self._extra -= 1
            self.next_sample = soon
        else:
            self.next_sample = min(self.next_sample, in_turn)

    def sampled(self, now: float, *, again_in: float | None = None) -> None:
        """Notes that a sample was taken.

        Args:
            now: when.
            again_in: seconds after which a further sample would settle an open question.
        """
        earned = _EXTRA_PER_SECOND * min(
            now - self._last_sample, _EXTRA_SAMPLES / _EXTRA_PER_SECOND
        )
        self._extra = min(self._extra + earned, _EXTRA_SAMPLES)
        self._last_sample = now
        resting = self._probe is not None and now - self._stirred_at >= _REST_AFTER_SECONDS
        if resting:
            self._period = min(
                self._period * _STRETCH, max(self.settings.rest_period_seconds, self._period)
            )
        else:
            self._period = self.settings.period_seconds
        wait = (
            self._period
            if again_in is None
            else min(max(again_in, _SHORTEST_GAP_SECONDS), self._period)
        )
        # From now, not from when it was due: after a suspend nothing is caught up on.
        self.next_sample = now + wait
