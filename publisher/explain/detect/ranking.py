"""The order of causes: the most important first, and never one for another without a reason.

Suspected miners come first of all, which ``publisher.explain.causes`` sees to. Then

1. who takes the memory that others wait for: that stalls the whole machine, and is why its state
   is ``pressure``;
2. who works CPU and GPU, which makes the heat: the one of the two first whose users leave more;
3. who works the disks, waited for or not;
4. who uses the network.

Within a resource, who used the most of it lately comes first (``suspects``). The sentence names
them in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from publisher.explain.detect.resources import LoadKind, MonitoredResource
from publisher.explain.detect.suspects import OVERTAKE, Suspect
from publisher.ledger.accounts import Account

MOST_CAUSES: Final = 5
"""So many causes of one resource are told, and every suspected miner besides."""

_SWAPPED: Final = {LoadKind.CPU: LoadKind.GPU, LoadKind.GPU: LoadKind.CPU}


@dataclass(frozen=True, slots=True)
class Ranked:
    """The suspects to blame in a window.

    Attributes:
        resources: what is used much, the most important first, each with those to blame for it.
        gpu_first: those who work the GPU go before those who work the CPU.
    """

    resources: list[tuple[MonitoredResource, list[Suspect]]]
    gpu_first: bool = False


@dataclass(slots=True)
class Ranking:
    """Puts the resources that are used much in the order of their importance.

    Args:
        heat: the heat that a group left, by its key.
        is_miner: whether an account's work is suspected cryptomining.
        is_spared: whether it is not to be blamed for anything.
    """

    heat: Callable[[str], float]
    is_miner: Callable[[Account], bool]
    is_spared: Callable[[Account], bool] = lambda _: False
    _gpu_first: bool | None = None

    def order(self, resources: Iterable[MonitoredResource]) -> Ranked:
        """Those to blame now.

        Args:
            resources: all that are monitored, the CPU before the GPU, else in the order told above.
        """
        found = {
            resource.kind: (resource, self._told(resource.suspects.culprits()))
            for resource in resources
            if resource.hysteresis.active
        }
        if LoadKind.CPU not in found or LoadKind.GPU not in found:
            self._gpu_first = None
        elif self._is_gpu_first(found[LoadKind.CPU][1], found[LoadKind.GPU][1]):
            swapped = [found[_SWAPPED.get(kind, kind)] for kind in found]
            return Ranked(swapped, gpu_first=True)
        return Ranked(list(found.values()))

    def _told(self, suspects: list[Suspect]) -> list[Suspect]:
        """As many as a person reads; a suspected miner is never cut off."""
        suspects = [one for one in suspects if not self.is_spared(one.account)]
        rest = suspects[MOST_CAUSES:]
        return suspects[:MOST_CAUSES] + [one for one in rest if self.is_miner(one.account)]

    def _is_gpu_first(self, cpu: list[Suspect], gpu: list[Suspect]) -> bool:
        on_cpu, on_gpu = (
            max((self.heat(one.account.group.key) for one in suspects), default=0.0)
            for suspects in (cpu, gpu)
        )
        if self._gpu_first is None:
            self._gpu_first = on_gpu > on_cpu
        elif self._gpu_first:
            self._gpu_first = on_cpu <= OVERTAKE * on_gpu
        else:
            self._gpu_first = on_gpu > OVERTAKE * on_cpu
        return self._gpu_first
