"""What others send us: commands, words of Home Assistant, and whoever else lives under our prefix.

Anyone who may write to the broker chooses what arrives here, so nothing of it may end the daemon.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from publisher.contract import topics
from publisher.contract.messages import Request
from publisher.contract.printable import printable
from publisher.contract.topics import TopicAddresses
from publisher.homeassistant.discovery import HomeAssistantSettings

log = logging.getLogger(__name__)

_COMMAND_BYTES = 1024
_SHOWN = 80
_MOST_REMARKS = 100


class Owner(Protocol):
    """Does what is asked for."""

    def refresh(self) -> None:
        """Publishes everything anew."""

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        """Says the verdict on a topic."""

    def prefix_is_ours(self) -> None:
        """The prefix is ours: an earlier run of this machine was the last to use it."""

    def prefix_taken(self, name: str) -> None:
        """Another machine, of that name, publishes under our prefix."""


class CommandHandler:
    """Takes in every message, in the main thread.

    Args:
        of: our topics.
        machine_id: ours.
        homeassistant: whose topics are not to be forged.
        leaves: the last levels of every topic that daemons publish on.
        announce: takes what concerns discovery; whether it did.
        recall: takes what an earlier run of this machine has left in ``info``.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        of: TopicAddresses,
        machine_id: str | None,
        homeassistant: HomeAssistantSettings,
        leaves: Collection[str],
        announce: Callable[[Request], bool],
        recall: Callable[[Mapping[str, object]], None] = lambda _: None,
    ) -> None:
        self._owner = owner
        self._topics = of
        self._machine_id = machine_id
        self._homeassistant = homeassistant
        self._leaves = frozenset(leaves)
        self._announce = announce
        self._recall = recall
        self._remarked: set[str] = set()

    @property
    def subscriptions(self) -> list[str]:
        """The topics that are meant for us."""
        return [self._topics.of(topics.COMMAND), self._topics.of(topics.INFO)]

    def take(self, request: Request) -> None:
        """Does what a message asks for; one that cannot be handled is reported once."""
        try:
            self._take(request)
        except Exception as error:  # whatever somebody made up, we go on
            log.debug("%s", request.topic, exc_info=True)
            words = f"{type(error).__name__} over a message on {printable(request.topic[:_SHOWN])}"
            if words not in self._remarked and len(self._remarked) < _MOST_REMARKS:
                self._remarked.add(words)
                log.warning("%s: it is passed over", words)

    def _take(self, request: Request) -> None:
        if request.topic == self._topics.of(topics.INFO):
            self._look_at_neighbour(request)
        elif self._announce(request) or request.retain:
            return  # a command left behind is not meant for now
        else:
            self._obey(request)

    def _obey(self, request: Request) -> None:
        command = request.payload[:_COMMAND_BYTES].decode("utf-8", "replace").strip()
        if command == "refresh":
            self._owner.refresh()
        elif command == "why":
            topic = request.response_topic
            if topic and self._may_answer(topic):
                self._owner.answer_why(topic, request.correlation_data)
        else:
            log.warning("unknown command %s; known are refresh and why", printable(command[:40]))

    def _may_answer(self, topic: str) -> bool:
        """Whoever asks chooses where the answer goes; what others live by is not to be forged.

        Neither is what another host says, under whatever prefix.
        """
        home = self._homeassistant
        return (
            topics.split(topic)[1] not in self._leaves
            and not topic.startswith(("$", f"{home.discovery_prefix}/"))
            and topic != home.status_topic
        )

    def _look_at_neighbour(self, request: Request) -> None:
        """Two machines cannot share a prefix."""
        try:
            info = json.loads(request.payload)
            machine_id, host = str(info["machine_id"]), str(info["host"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return  # not ours, or withdrawn
        if machine_id == self._machine_id:
            self._recall(info)
            self._owner.prefix_is_ours()
        else:
            self._owner.prefix_taken(printable(host[:_SHOWN]))
