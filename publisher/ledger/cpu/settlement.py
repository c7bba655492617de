"""Settles credits against debits: what reapers were given, less what was booked of their dead."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Generic

from publisher.ledger.cpu.process import Attribution, M, Process
from publisher.ledger.cpu.tree import Dead, depth
from publisher.sources.processes import ProcessSource

OWED_LIMIT_NS = 20_000_000
"""What a living reaper may owe: its user and system time are each cut to 10 ms when shown."""


class Settlement(Generic[M]):
    """Weighs up one pass after another, and remembers which processes still owe.

    Args:
        source: tells which processes ignore SIGCHLD.
        attribution: is told what the unseen used.
    """

    def __init__(self, source: ProcessSource, attribution: Attribution[M]) -> None:
        self._source = source
        self._attribution = attribution
        self._owing: set[Process[M]] = set()

    def settle(
        self, dead: Dead[M], credit: Mapping[Process[M], int], recent: Mapping[Process[M], int]
    ) -> None:
        """Books what is left of every credit, the deepest process first; deficits float up.

        Args:
            dead: those found dead in this pass.
            credit: nanoseconds by which ``children_ns`` of each grew.
            recent: nanoseconds that each had used in the ticks before it died.
        """
        waiting = set(credit) | set(dead) | self._owing
        depths: dict[Process[M], int] = {}
        heap = [(-depth(process, depths), process) for process in waiting]
        heapq.heapify(heap)
        debit: dict[Process[M], int] = {}
        below: dict[Process[M], dict[Process[M], int]] = {}
        while heap:
            _, process = heapq.heappop(heap)
            died = below.pop(process, {})
            net = credit.get(process, 0) - debit.pop(process, 0) - process.owed_ns
            if net > 0:
                self._attribution.book_unseen(process, net, died)
            push = self._owe(process, max(-net, 0))
            if net >= 0:
                died = {}
            if not process.alive:
                died[process] = recent.get(process, 0)
                if not self._lost(process, credit):
                    push += process.total_ns
            parent = process.parent
            if parent is None or not (push or died):
                continue
            debit[parent] = debit.get(parent, 0) + push
            if beside := below.get(parent):
                died, beside = sorted((died, beside), key=len)  # a long line is not copied
                beside.update(died)
                below[parent] = beside
            else:
                below[parent] = died
            if parent not in waiting:
                waiting.add(parent)
                heapq.heappush(heap, (-depth(parent, depths), parent))

    def _owe(self, process: Process[M], deficit: int) -> int:
        """Has a process owe what rounding may have hidden; the rest is its parent's to pay."""
        process.owed_ns = 0
        if process.alive:
            process.owed_ns = deficit if process.pid == 1 else min(deficit, OWED_LIMIT_NS)
        if process.owed_ns:
            self._owing.add(process)
        else:
            self._owing.discard(process)
        return deficit - process.owed_ns

    def _lost(self, process: Process[M], credit: Mapping[Process[M], int]) -> bool:
        """Whether no process was credited with a dead one, since its parent ignored SIGCHLD."""
        parent = process.parent
        return (
            parent is not None
            and parent.alive
            and process.total_ns > OWED_LIMIT_NS
            and credit.get(parent, 0) < process.total_ns - OWED_LIMIT_NS
            and self._source.ignores_children(parent.pid)
        )

    def forget(self, process: Process[M]) -> None:
        """A dead process owes nothing."""
        self._owing.discard(process)
