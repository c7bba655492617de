"""The ledger of processes that somebody describes: the daemon's own code, without a machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from publisher.ledger.accounts import Account
from publisher.ledger.cpu.machine import MachineWindow
from publisher.ledger.ledger import BalancedLedger, namer_of
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.sources import Sources
from publisher.sources.cgroups import Cgroups
from publisher.sources.containers import Container
from publisher.sources.described import NOWHERE, DescribedProcess, DescribedProcesses
from publisher.sources.files import KernelFiles
from publisher.sources.processes import Census


class DescribedLedger:
    """Opens books for one set of processes after another; none knows of those before it.

    Args:
        settings: whose programs names are found through.
    """

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = replace(settings, attribution="light")
        self.namer = namer_of(settings)
        files = KernelFiles(NOWHERE)
        self._sources = Sources(files=files)
        self._cgroups = Cgroups(files)

    def account(
        self, processes: Iterable[DescribedProcess], worker: int, container: Container | None = None
    ) -> Account | None:
        """The account of the group of one process that works, while the others sleep.

        Args:
            processes: all there are, parents before their children.
            worker: the one that works, by number.
            container: what runtimes tell of the container that it is in.
        """
        ledger = BalancedLedger(
            self._sources,
            self._settings,
            DescribedProcesses(processes),
            self._cgroups,
            _AtRest(),
            own=0,
            look_up=lambda _: container,
            namer=self.namer,
        )
        ledger.sample()
        return ledger.account_of_worker(worker)


class _AtRest:
    """A machine that has done nothing yet."""

    tick = 0.01

    def census(self) -> Census:
        return Census(0, 0)

    def window(self) -> MachineWindow | None:
        return None

    def epoch(self, wall: float) -> float:
        del wall
        return 0.0
