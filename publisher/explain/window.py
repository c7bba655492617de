"""One window of time, as every step of the verdict is handed it."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.contract.readings import EvidenceReading
from publisher.explain.inputs import Signs
from publisher.ledger.accounts import Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is known of a stretch of time that ends now.

    Attributes:
        balance: what each work group used; its length is that of the ledger's window.
        evidence: what was measured at the end.
        signs: what else the verdict goes by.
        start: monotonic seconds at which it began, and never before the window judged last ended.
        now: monotonic seconds at its end.
        wall: the same moment in seconds since the epoch.
        day: the local day that it falls on, counted from 1970.
    """

    balance: Balance
    evidence: EvidenceReading
    signs: Signs
    start: float
    now: float
    wall: float
    day: int

    @property
    def seconds(self) -> float:
        """How much later than the window judged last it ends, at most its own length."""
        return self.now - self.start
