"""The hint: what would fit when the machine is warm or loud and nothing works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.window import Window

_ENTER_SECONDS: Final = 60.0
_LEAVE_SECONDS: Final = 120.0
_LOUD_DUTY: Final = 90.0
_COOL_CELSIUS: Final = 60.0
_WARM_CELSIUS: Final = 70.0
_GPU_WARM_CELSIUS: Final = 75.0


class Hint:
    """The words of the hint, while there is one."""

    def __init__(self) -> None:
        self._words = ""
        self._odd = Hysteresis(_ENTER_SECONDS, _LEAVE_SECONDS)

    @property
    def words(self) -> str:
        """What fits; empty when there is nothing odd."""
        return self._words if self._odd.active else ""

    def observe(self, window: Window) -> None:
        """Takes a window of rest into account."""
        words = _odd(window.evidence, window.signs.upkeep)
        if words and not self._odd.active:
            self._words = words
        self._odd.update(above=bool(words), below=not words, start=window.start, now=window.now)

    def loaded(self, window: Window) -> None:
        """Takes a window of load into account: warmth and noise have a reason."""
        self._odd.update(above=False, below=True, start=window.start, now=window.now)


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
