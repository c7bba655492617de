"""One look at this machine, as ``once``, ``doctor`` and ``homeassistant`` take it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from publisher.contract.metric import Reading
from publisher.ledger.accounts import Balance
from publisher.pipeline import Pipeline, PipelineSettings
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.runner import Health
from publisher.subsystems.selection import KINDS

_WINDOW_SECONDS = 1.0
_TIMED_SAMPLES = 5
_TIMED_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the subsystems said.

    Attributes:
        readings: the newest one by topic.
        health: of every subsystem and its parts, by name.
        devices: what each device that can be ignored or chosen goes by, by kind, those that are
            ignored included.
        balance: who did what meanwhile, where that was looked at.
        microseconds: CPU time of one read by subsystem, the median of several; empty unless
            asked for.
    """

    readings: Mapping[str, Reading]
    health: Mapping[str, Health]
    microseconds: Mapping[str, float]
    devices: Mapping[str, Sequence[tuple[str, ...]]]
    balance: Balance | None = None


def look(
    settings: PipelineSettings,
    names: Sequence[str] = (),
    *,
    ledger: bool = False,
    timings: bool = False,
) -> Look:
    """Samples over a window of a second, so that there are rates.

    Args:
        settings: where to look, what to leave alone and how to look at the rest.
        names: the subsystems wanted; all when empty.
        ledger: look at the processes, too.
        timings: take some more samples to see what they cost.
    """
    chosen = [cls for cls in SUBSYSTEMS if not names or cls.name in names]
    pipeline = Pipeline.of(settings, subsystems=chosen, ledger=ledger, patient=True)
    with closing(pipeline):
        sample = pipeline.sample()
        if sample.readings:
            time.sleep(_WINDOW_SECONDS)
            sample = pipeline.sample()
        costs: dict[str, list[float]] = {}
        for _ in range(_TIMED_SAMPLES if timings else 0):
            time.sleep(_TIMED_PAUSE_SECONDS)
            pipeline.sample()
            for name, cost in pipeline.timings.items():
                if name in sample.readings or name not in pipeline.subsystems:
                    costs.setdefault(name, []).append(cost)
        return Look(
            readings={
                cls.name: sample.readings[cls.name] for cls in chosen if cls.name in sample.readings
            },
            health=dict(pipeline.health),
            devices={kind: pipeline.selection.names(kind) for kind in KINDS},
            balance=sample.balance,
            microseconds={name: statistics.median(found) for name, found in costs.items()},
        )
