"""Whether the CPU or a GPU is near its limit of temperature."""

from __future__ import annotations

from math import inf
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.window import Window

_ENTER_SECONDS: Final = 5.0
_LEAVE_SECONDS: Final = 10.0
_HYSTERESIS_CELSIUS: Final = 4.0


class HotProcessors:
    """What of ``CPU`` and ``GPU`` is hot."""

    def __init__(self, settings: ExplainSettings) -> None:
        self._settings = settings
        self._hot = {what: Hysteresis(_ENTER_SECONDS, _LEAVE_SECONDS) for what in ("CPU", "GPU")}

    def observe(self, window: Window) -> tuple[str, ...]:
        """What is hot in a window."""
        evidence = window.evidence
        for what, left in (("CPU", self._cpu_left(evidence)), ("GPU", self._gpu_left(evidence))):
            self._hot[what].update(
                above=left <= 0,
                below=left > _HYSTERESIS_CELSIUS,
                start=window.start,
                now=window.now,
            )
        return tuple(what for what, hysteresis in self._hot.items() if hysteresis.active)

    def _cpu_left(self, evidence: EvidenceReading) -> float:
        """The degrees by which the CPU is short of being hot."""
        temperature = evidence.cpu_temperature_celsius
        if temperature is None:
            return inf
        settings, own = self._settings, evidence.cpu_temperature_limit_celsius
        limit = settings.hot_celsius if own is None else own - settings.hot_margin_celsius
        return limit - temperature

    def _gpu_left(self, evidence: EvidenceReading) -> float:
        if evidence.gpu_throttling:
            return 0.0
        if evidence.gpu_headroom_celsius is not None:
            return evidence.gpu_headroom_celsius - self._settings.hot_margin_celsius
        temperature = evidence.gpu_temperature_celsius
        return inf if temperature is None else self._settings.hot_gpu_celsius - temperature
