"""The headline of a window: from what was judged to the sentence that is published."""

from __future__ import annotations

import time
from typing import Final

from publisher.explain.causes import Cause, Culprits
from publisher.explain.detect.detector import Load
from publisher.explain.detect.resources import LoadKind
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.naming.named import Named
from publisher.explain.report.cause_readings import Classify
from publisher.explain.report.headline import HeadlineInputs, headline
from publisher.explain.report.stability import HeadlineStability
from publisher.explain.thermal.state import ThermalState
from publisher.explain.window import Window
from publisher.ledger.accounts import Balance

# Part of a spread load that cannot be named, from which on it counts as such, and below which it
# no longer does.
_UNNAMED: Final = 0.5
_UNNAMED_BELOW: Final = 0.35
_DAY_SECONDS: Final = 86400


class HeadlineWriter:
    """Words the headline, and remembers what keeps it from wavering."""

    def __init__(self, settings: ExplainSettings, classify: Classify) -> None:
        self._settings = settings
        self._classify = classify
        self._stability = HeadlineStability()
        self._unnamed = False

    def write(self, window: Window, load: Load, thermal: ThermalState, culprits: Culprits) -> str:
        """The headline of a window."""
        if load.loaded:
            inputs = self._loaded(window, load, thermal, culprits)
        else:
            inputs = self._unloaded(thermal)
        causes = culprits.causes
        about = (*(str(cause.named) for cause in causes), *thermal.hot) if causes else ()
        return self._stability.settle(headline(inputs), frozenset(about), window.now)

    def _loaded(
        self, window: Window, load: Load, thermal: ThermalState, culprits: Culprits
    ) -> HeadlineInputs:
        names = {
            kind: [cause.named for cause in causes] for kind, causes in culprits.by_kind.items()
        }
        first = next(iter(culprits.causes), None)
        upkeep = window.signs.upkeep
        return HeadlineInputs(
            cpu=names.get(LoadKind.CPU),
            memory=names.get(LoadKind.MEMORY),
            io=names.get(LoadKind.IO),
            disk=names.get(LoadKind.DISK),
            network=names.get(LoadKind.NETWORK),
            gpu=names.get(LoadKind.GPU),
            gpu_first=culprits.gpu_first,
            high=load.cpu_high,
            hot=thermal.hot,
            spread=self._spread(window.balance),
            upkeep=upkeep[0] if upkeep else "",
            since=self._long_since(first, window.wall) if first else "",
            usual=first.habit.words() if first else "",
        )

    def _unloaded(self, thermal: ThermalState) -> HeadlineInputs:
        after = thermal.after
        if after is None:
            return HeadlineInputs(hot=thermal.hot, hint=thermal.hint)
        return HeadlineInputs(
            hot=thermal.hot,
            cooling=[Named.of(account, self._classify(account)) for account in after.accounts],
            ended=_clock(after.ended - self._settings.leave_seconds),
            quiet_at=_clock(after.quiet_at) if after.quiet_at else "",
            fan=after.fan,
            hint=thermal.hint,
        )

    def _spread(self, balance: Balance) -> str:
        """Where the work comes from when no group has much of it; does not waver."""
        part = balance.unattributed_seconds / balance.busy_seconds if balance.busy_seconds else 0.0
        self._unnamed = part > (_UNNAMED_BELOW if self._unnamed else _UNNAMED)
        if self._unnamed:
            return "mostly from processes that cannot be named"
        return "spread over many programs"

    def _long_since(self, cause: Cause, wall: float) -> str:
        """When a cause began, once it has lasted for long."""
        if wall - cause.wall < self._settings.say_since_after_seconds:
            return ""
        if wall - cause.wall > _DAY_SECONDS:
            return f"since {time.strftime('%d %b %H:%M', time.localtime(cause.wall))}"
        return f"since {_clock(cause.wall)}"


def _clock(wall: float) -> str:
    return time.strftime("%H:%M", time.localtime(wall))
