"""The verdict of a window as it is published."""

from __future__ import annotations

from publisher.contract.payload import rfc3339
from publisher.contract.readings import (
    CauseReading,
    EnergyReading,
    ExplanationReading,
    RejectedReading,
)
from publisher.explain.host_state import StateSpan
from publisher.explain.thermal.state import ThermalState
from publisher.explain.window import Window


def explanation(
    window: Window,
    thermal: ThermalState,
    state: StateSpan,
    *,
    headline: str,
    causes: tuple[CauseReading, ...],
    rejected: tuple[RejectedReading, ...],
    energy: tuple[EnergyReading, ...] | None,
) -> ExplanationReading:
    """Puts together what the steps before have found."""
    balance = window.balance
    busy = balance.busy_seconds
    error = thermal.error
    # No estimate is told before it is known how good estimates are.
    estimate = thermal.quiet_in if error is not None else None
    return ExplanationReading(
        state=state.state,
        headline=headline,
        cause=causes[0].category if causes else None,
        causes=causes,
        evidence=window.evidence,
        unattributed_percent=100 * balance.unattributed_seconds / busy if busy > 0 else None,
        since=rfc3339(state.since),
        rejected=rejected,
        quiet_in_seconds=estimate,
        quiet_in_error_percent=100 * error if estimate is not None and error else None,
        hint=thermal.hint or None,
        energy=energy,
    )
