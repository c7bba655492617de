"""Which GPUs' own counters are believed.

Some stand at 100 for ever: on Vega and Raven (drm/amd issue 1932), on the BC-250, on an Intel GPU
whose RC6 is switched off. One that nobody's engine time explains, although everybody can be seen,
is not believed: what its users did is then the use.
"""

from __future__ import annotations

from publisher.errors import AbsentError, SourceError
from publisher.sources import gpu_use as gpu
from publisher.sources.drm_cards import Card
from publisher.sources.drm_clients import Clients
from publisher.sources.files import KernelFiles
from publisher.sources.gpu_use import GpuLook
from publisher.sources.remedies import privilege

# From here on a counter may be stuck; less than half of it explained, it is.
_FULL = 95.0
# So long a contradiction is worth words: bursts of work are none.
_STUCK_SECONDS = 10.0
# A stuck GPU at its lowest clock, of which its users told less than this, is asked for later.
_LITTLE = 5.0
_CALM_SECONDS = 29.0
# Without a view of all users, a GPU that says 100 % at its lowest clock for so long is stuck.
_RESTED_SECONDS = 30.0

_STUCK = AbsentError(
    "its own counter stands at 100 %, which nobody's engine time explains: what its users tell is "
    "taken instead"
)


class Doubts:
    """What is held against the counters of all cards.

    Args:
        files: kernel files.
        clients: who uses the cards.
    """

    def __init__(self, files: KernelFiles, clients: Clients) -> None:
        self._files = files
        self._clients = clients
        self._stuck: dict[str, float] = {}
        self._rested: dict[str, float] = {}
        self._opens: dict[str, int] = {}
        self._told: dict[str, GpuLook] = {}
        self._asked_at = float("-inf")
        self._came_at = float("-inf")

    def expected(self, card: Card, usage: float | None, now: float) -> float | None:
        """How much work the users should explain: as much as the counter says, if it is believed.

        Users of one that is not are looked for when somebody opens the driver.
        """
        opens = gpu.opens(self._files, card.driver) if card.name in self._stuck else None
        if opens is None:
            return usage
        if self._opens.get(card.driver) != opens:
            self._opens[card.driver] = opens
            self._came_at = now
            self._clients.search()
        return 0.0

    def doubt(
        self,
        card: Card,
        known_as: str,
        explained: float,
        usage: float | None,
        now: float,
    ) -> SourceError | None:
        """Why a card's own counter is not believed, if it is not.

        Args:
            card: whose counter it is.
            known_as: what its clients call it.
            explained: what its users did, in percent.
            usage: what its counter says.
            now: monotonic seconds.
        """
        computing = self._clients.computing and card.driver == "amdgpu"
        if usage is None or usage < _FULL or computing:
            self._stuck.pop(card.name, None)
            self._rested.pop(card.name, None)
            return None
        if not self._clients.complete:
            self._stuck.pop(card.name, None)
            return self._rests(card, explained, usage, now)
        if card.name not in self._stuck and (
            explained >= usage / 2 or not self._clients.certain(known_as, card.nodes, now)
        ):
            return None
        self._stuck.setdefault(card.name, now)
        return _STUCK

    def reason(self, card: Card, doubt: SourceError, now: float) -> SourceError | None:
        """A doubt, once it has lasted."""
        since = self._stuck.get(card.name, float("-inf"))
        return doubt if now - since >= _STUCK_SECONDS else None

    def keep(self, card: Card, look: GpuLook, now: float) -> None:
        """Remembers what a card's users told."""
        self._told[card.name] = look
        self._asked_at = now
        card.calm = card.name in self._stuck and self._little(card)

    def calm(self, card: Card, usage: float | None, now: float) -> bool:
        """Whether a card whose counter is stuck goes on doing nothing: so say clock and opens."""
        if card.name not in self._stuck or usage is None or usage < _FULL:
            return False
        if now - self._asked_at >= _CALM_SECONDS or now - self._came_at < _STUCK_SECONDS:
            return False
        opens = gpu.opens(self._files, card.driver)
        known = opens is not None and self._opens.get(card.driver) == opens
        return known and self._little(card) and card.slowest()

    def as_before(self, card: Card, look: GpuLook, now: float) -> GpuLook:
        """A calm card's look, with what its users told the last time."""
        told = self._told[card.name]
        facts = look.facts | {
            name: told.facts[name]
            for name in ("usage_percent", "process_count")
            if name in told.facts
        }
        failure = look.failure or self.reason(card, _STUCK, now)
        return GpuLook(facts, told.users, failure=failure)

    def forget(self, card: Card) -> None:
        """A card has gone."""
        for known in (self._stuck, self._rested, self._told):
            known.pop(card.name, None)

    def _little(self, card: Card) -> bool:
        told = self._told.get(card.name)
        return told is not None and (told.facts.get("usage_percent") or 0.0) < _LITTLE

    def _rests(self, card: Card, explained: float, usage: float, now: float) -> SourceError | None:
        """As seen by somebody who may not look into all processes."""
        if explained >= usage / 2 or not card.slowest():
            self._rested.pop(card.name, None)
            return None
        if now - self._rested.setdefault(card.name, now) < _RESTED_SECONDS:
            return None
        return AbsentError(
            f"its own counter stands at {usage:.0f} % while its clock stands at its lowest",
            remedy=f"{privilege('CAP_SYS_PTRACE')}: it then asks the GPU's users",
        )
