"""How much power work takes: measured where it can be, else estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.ledger.accounts import Account, Balance

# What a busy core and a busy GPU take where nothing measures them: it only ranks the groups.
_CORE_WATTS: Final = 10.0
_GPU_WATTS: Final = 80.0
# What is measured in a short window may be of another moment than the work: no core takes more.
_MOST_CORE_WATTS: Final = 60.0
_LEAST_CORE_WATTS: Final = 1.0


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Watts for work, so that work on CPU and on GPU can be told against each other.

    Attributes:
        core_watts: power of one busy core.
        cpu_measured: the measured power includes the CPU's; likewise ``gpu_measured``.
    """

    core_watts: float = _CORE_WATTS
    cpu_measured: bool = False
    gpu_measured: bool = False

    @classmethod
    def of(cls, balance: Balance, evidence: EvidenceReading, power_at_rest: float) -> PowerModel:
        """The model by which the work of a window adds up to the power measured above rest."""
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
        """What CPU time takes, spread over a window of so many seconds."""
        return self.core_watts * cpu_seconds / window

    def watts(self, account: Account, window: float) -> float:
        """What the work of a group takes, on CPU and GPU."""
        # Not by cpu_watts: this runs for every account of every window.
        return self.core_watts * account.cpu_seconds / window + gpu_watts(account)

    def measured(self, account: Account, window: float) -> float | None:
        """What of that the measured power includes; ``None`` where it says nothing of such work."""
        watts: float | None = None
        if self.cpu_measured:
            watts = self.core_watts * account.cpu_seconds / window
        if self.gpu_measured and account.gpu_percent is not None:
            watts = (watts or 0.0) + gpu_watts(account)
        return watts


def gpu_watts(account: Account) -> float:
    """What a group's work on GPUs takes: what their drivers tell, else an estimate."""
    if account.gpu_power_watts is not None:
        return account.gpu_power_watts
    return _GPU_WATTS * (account.gpu_percent or 0.0) / 100
