"""What others send us: commands, words of Home Assistant, and whoever else lives under our prefix.

Anyone who may write to the broker chooses what arrives here, and how much of it: nothing may end
the daemon, and nothing makes it work or write without limit.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, Protocol

from publisher.contract import topics
from publisher.contract.messages import Request
from publisher.contract.printable import printable
from publisher.contract.topics import TopicAddresses
from publisher.daemon.neighbours import Neighbours
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings

log = logging.getLogger(__name__)

_COMMAND_BYTES = 1024
_SHOWN = 80
_SHOWN_COMMAND = 40
_MOST_REMARKS = 100
_REFRESH_SECONDS: Final = 5.0
"""Between two refreshes; what is asked for meanwhile is done once, at the end."""
_ANSWERS: Final = 20
_ANSWERS_SECONDS: Final = 10.0
"""So many questions are answered in so long a time."""
_LONGEST_TOPIC: Final = 256
_MOST_LEVELS: Final = 32
"""Of topics for answers; brokers end the connection over longer and deeper ones."""


class Owner(Protocol):
    """Does what is asked for."""

    def refresh(self) -> None:
        """Publishes everything anew."""

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        """Says the verdict on a topic."""


class CommandHandler:
    """Takes in every message, in the main thread.

    Args:
        of: our topics.
        neighbours: take in what others say on our topics.
        homeassistant: whose topics are not to be forged.
        leaves: the last levels of every topic that daemons publish on.
        announce: takes what concerns discovery; whether it did.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        of: TopicAddresses,
        neighbours: Neighbours,
        homeassistant: HomeAssistantSettings,
        leaves: Collection[str],
        announce: Callable[[Request], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = owner
        self._topics = of
        self._neighbours = neighbours
        self._homeassistant = homeassistant
        self._leaves = frozenset(leaves)
        self._announce = announce
        self._clock = clock
        self._remarked: set[str] = set()
        self._refreshed: float | None = None
        self._refresh_asked = False
        self._answered: deque[float] = deque(maxlen=_ANSWERS)

    @property
    def subscriptions(self) -> list[str]:
        """The topics that are meant for us."""
        return [self._topics.of(topics.COMMAND), self._neighbours.topic]

    @property
    def due(self) -> float | None:
        """When ``tick`` has something to do, in monotonic seconds."""
        if self._refresh_asked and self._refreshed is not None:
            return self._refreshed + _REFRESH_SECONDS
        return None

    def tick(self, now: float) -> None:
        """Does what was asked for too soon."""
        if self.due is not None and now >= self.due:
            self._refresh(now)

    def take(self, request: Request) -> None:
        """Does what a message asks for; one that cannot be handled is reported once."""
        try:
            self._take(request)
        except Exception as error:  # whatever somebody made up, we go on
            log.debug("%s", request.topic, exc_info=True)
            words = f"{type(error).__name__} over a message on {printable(request.topic[:_SHOWN])}"
            self._remark(f"{words}: it is passed over")

    def _remark(self, words: str) -> None:
        """Says a thing once, and no more than so many things."""
        if words in self._remarked or len(self._remarked) > _MOST_REMARKS:
            return
        self._remarked.add(words)
        last = len(self._remarked) > _MOST_REMARKS
        log.warning("%s", "more such messages are passed over in silence" if last else words)

    def _take(self, request: Request) -> None:
        if request.topic == self._neighbours.topic:
            self._neighbours.take(request, self._clock())
            return
        if self._announce(request) or request.retain:
            return  # a command left behind is not meant for now
        self._obey(request)

    def _obey(self, request: Request) -> None:
        command = request.payload[:_COMMAND_BYTES].decode("utf-8", "replace").strip()
        if command == "refresh":
            self._refresh_asked = True
            now = self._clock()
            if self._refreshed is None or now >= self._refreshed + _REFRESH_SECONDS:
                self._refresh(now)
        elif command == "why":
            topic = request.response_topic
            if topic and self._may_answer(topic) and self._has_time():
                self._owner.answer_why(topic, request.correlation_data)
        else:
            told = printable(command[:_SHOWN_COMMAND])
            self._remark(f"unknown command {told}; known are refresh and why")

    def _refresh(self, now: float) -> None:
        self._refreshed, self._refresh_asked = now, False
        self._owner.refresh()

    def _has_time(self) -> bool:
        """Whether one more answer is no flood."""
        now = self._clock()
        if len(self._answered) == _ANSWERS and now < self._answered[0] + _ANSWERS_SECONDS:
            self._remark(
                f"more than {_ANSWERS} questions in {_ANSWERS_SECONDS:.0f} s: not answered"
            )
            return False
        self._answered.append(now)
        return True

    def _may_answer(self, topic: str) -> bool:
        """Whoever asks chooses where the answer goes; what others live by is not to be forged.

        Neither is what another host says, under whatever prefix; nor is our connection to be ended
        by a topic that a broker takes for a fault.
        """
        home = self._homeassistant
        if len(topic) > _LONGEST_TOPIC or not topic.isprintable() or set(topic) & set("+#"):
            return False
        return topic.count("/") < _MOST_LEVELS and (
            topics.split(topic)[1] not in self._leaves
            and not topic.startswith(("$", f"{home.discovery_prefix}/"))
            and topic != home.status_topic
        )
