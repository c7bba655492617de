"""Whoever else publishes under our prefix: another machine, an earlier run, a stranger.

Anyone who may write to the broker can say that the prefix is his. So at the very start, before our
first word, whoever was the last to use it is asked to say so again: a machine that lives does, and
then it is his. Who does not answer, or comes later, is told of and put right.

Another daemon of this very machine, in a container beside a service, say, has the same identity,
but is another run of fanwhy. Of two that live the one that began later ends, in its first minute.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from publisher.contract import topics
from publisher.contract.messages import Message, Request
from publisher.contract.printable import printable
from publisher.contract.topics import TopicAddresses
from publisher.errors import MALFORMED

log = logging.getLogger(__name__)

_LISTEN_SECONDS: Final = 1.0
"""How long to listen for another machine under our prefix before the first word."""
_ANSWER_SECONDS: Final = 2.0
"""How long a machine that lives may take to answer."""
_RIGHT_SECONDS: Final = 60.0
"""Between two times that what we are is put right, or two machines would go on for ever."""
_YOUNG_SECONDS: Final = 60.0
"""For so long after its first connection a daemon gives way to an older one of its machine."""
_TOLD: Final = 20
_SHOWN: Final = 80


class Gate(Protocol):
    """What goes out is held back until it is known that the prefix is free."""

    @property
    def held(self) -> bool:
        """Whether it is."""

    def release(self) -> None:
        """Lets it go."""

    def put(self, message: Message) -> None:
        """Leaves a message; a question goes out though the rest is held."""


class Landlord(Protocol):
    """Whose prefix it is."""

    def prefix_taken(self, name: str) -> None:
        """Another machine, of that name, lives under our prefix."""

    def prefix_shared(self, name: str) -> None:
        """Something of that name was published where we say who we are: say it again."""

    def twin_lives(self, since: str) -> None:
        """A daemon watches this machine that has begun before us, at that time."""

    def twin_came(self) -> None:
        """One has begun after us: say again that we are there."""


class Neighbours:
    """Listens before the first word, and looks after our name from then on.

    Called from one thread, but for ``connected``.

    Args:
        landlord: does what follows.
        gate: holds back what goes out.
        of: our topics.
        machine_id: ours.
        run: names this run of the daemon; later ones sort behind it.
        first: nothing was published yet in the life of this process.
        recall: takes what an earlier run of ours has left, before the first word.
    """

    def __init__(
        self,
        landlord: Landlord,
        gate: Gate,
        *,
        of: TopicAddresses,
        machine_id: str | None,
        run: str,
        first: bool,
        recall: Callable[[Mapping[str, object]], None] = lambda _: None,
    ) -> None:
        self._recall = recall
        self._landlord = landlord
        self._gate = gate
        self._info = of.of(topics.INFO)
        self._command = of.of(topics.COMMAND)
        self._machine_id = machine_id
        self._run = run
        self._first = first
        self._listen_until: float | None = None
        self._young_until = 0.0
        self._asked = ""
        self._told: set[str] = set()
        self._right_at = 0.0

    @property
    def topic(self) -> str:
        """The topic whose messages are to be handed to ``take``."""
        return self._info

    @property
    def due(self) -> float | None:
        """When ``tick`` has something to do, in monotonic seconds."""
        return self._listen_until if self._gate.held else None

    def connected(self, now: float) -> None:
        """A connection was made; for any thread."""
        if self._listen_until is None:
            self._listen_until = now + _LISTEN_SECONDS
            self._young_until = now + _YOUNG_SECONDS

    def take(self, request: Request, now: float) -> None:
        """Takes in what was said on ``topic``."""
        try:
            info = json.loads(request.payload)
            machine_id, name = str(info["machine_id"]), printable(str(info["host"])[:_SHOWN])
        except MALFORMED:
            return  # nobody's, or withdrawn
        if machine_id == self._machine_id:
            run = str(info.get("run", self._run))
            if run != self._run and not request.retain:
                self._meet(run, printable(str(info.get("started"))[:_SHOWN]), now)
                return
            if self._gate.held:
                self._recall(info)
            self._gate.release()
        elif not self._gate.held:
            self._put_right(name, now)
        elif not self._asked:
            self._ask(name, now)
        elif self._first and not request.retain:
            self._landlord.prefix_taken(name)

    def tick(self, now: float) -> None:
        """Lets go what was held back, if nobody has answered meanwhile."""
        if not self._gate.held or self._listen_until is None or now < self._listen_until:
            return
        self._gate.release()
        if self._asked:
            self._put_right(self._asked, now)

    def _meet(self, run: str, since: str, now: float) -> None:
        """Another run of this machine's daemon lives: one of the two is too many."""
        if (len(run), run) < (len(self._run), self._run):
            if self._first and now < self._young_until:
                self._landlord.twin_lives(since)
        elif now >= self._right_at:
            self._right_at = now + _RIGHT_SECONDS
            log.warning(
                "another fanwhy has begun to watch this machine (%s); it is told to end: is there "
                "one in a container, and one as a service?",
                since,
            )
            self._landlord.twin_came()

    def _ask(self, name: str, now: float) -> None:
        self._asked = name
        self._listen_until = now + _ANSWER_SECONDS
        # Whoever lives publishes all anew, and so what was retained comes once more, and is not.
        self._gate.put(Message(topic=self._command, payload=b"refresh"))

    def _put_right(self, name: str, now: float) -> None:
        if name not in self._told and len(self._told) < _TOLD:
            self._told.add(name)
            log.warning(
                "something that calls itself %s publishes on %s as well; if it is another machine "
                "that runs fanwhy, set prefix = 'host/{hostname}' (or FANWHY_PREFIX) on both, else "
                "see who may write there (fanwhy-pub doctor)",
                name,
                self._info,
            )
        if now >= self._right_at:
            self._right_at = now + _RIGHT_SECONDS
            self._landlord.prefix_shared(name)
