"""The measured power of a window, shared out by work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from publisher.explain.naming.classifier import Classification
from publisher.explain.thermal.power_model import PowerModel, gpu_watts
from publisher.explain.thermal.state import ThermalState
from publisher.explain.window import Window
from publisher.ledger.accounts import Account

# Work below this many cores, or watts on a GPU, is not worth a look into the rules to book its
# energy.
_NAMED_CORES: Final = 0.05
_NAMED_GPU_WATTS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerShares:
    """What of the measured power each work took.

    Attributes:
        watts: what was measured.
        idle_watts: what of that the machine takes at rest.
        seconds: for how long.
        work: label and watts of each group that is worth a row, by the model.
        kinds: likewise, with the kind of work in the label's place.
        total: the same of all work, named or not.
        model: how much power work takes.
        window_seconds: the length of the ledger's window.
    """

    watts: float
    idle_watts: float
    seconds: float
    work: list[tuple[str, float]]
    kinds: list[tuple[str, float]]
    total: float
    model: PowerModel
    window_seconds: float

    @property
    def active_watts(self) -> float:
        """The power above rest."""
        return self.watts - self.idle_watts

    def of(self, account: Account) -> float | None:
        """What the work of a group takes; ``None`` where what is measured says nothing of it."""
        return self.model.measured(account, self.window_seconds)


def share_out(
    window: Window, thermal: ThermalState, classify: Callable[[Account], Classification]
) -> PowerShares | None:
    """The shares of a window; ``None`` where power is not measured.

    Args:
        window: what is known of it.
        thermal: how much power work took.
        classify: tells what kind of work an account's group does.
    """
    watts, balance, model = window.evidence.power_watts, window.balance, thermal.power
    if watts is None or window.seconds <= 0:
        return None
    length = balance.window_seconds
    work: list[tuple[str, float]] = []
    kinds: list[tuple[str, float]] = []
    total, unnamed = 0.0, balance.busy_seconds
    for account in balance.accounts:
        amount = model.measured(account, length) or 0.0
        total += amount
        unnamed -= account.cpu_seconds
        if amount > 0 and (
            account.cpu_seconds >= _NAMED_CORES * length or gpu_watts(account) >= _NAMED_GPU_WATTS
        ):
            found = classify(account)
            work.append((found.label, amount))
            kinds.append((found.category, amount))
    if model.cpu_measured:
        total += model.cpu_watts(max(unnamed, 0.0), length)
    return PowerShares(
        watts=watts,
        idle_watts=min(thermal.power_at_rest or 0.0, watts),
        seconds=window.seconds,
        work=work,
        kinds=kinds,
        total=total,
        model=model,
        window_seconds=length,
    )
