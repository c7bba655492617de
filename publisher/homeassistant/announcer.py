"""When Home Assistant is told what: after our start, after its own, and when the machine changes.

Home Assistant loses components when a second payload of a device comes while it still sets up
the first, so there are seconds between any two. It forgets a component only when that was named
once as empty before it is left out. After its birth it wants the discovery first and then, once
it listens, every state: not all brokers hand it what was retained.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from publisher.contract.messages import Message, Request
from publisher.contract.metric import Reading
from publisher.contract.payload import encode
from publisher.homeassistant.discovery import Discovery, Entity, Host
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings

log = logging.getLogger(__name__)

# Between two discovery messages, and from the last one to the states.
SPACING_SECONDS = 3.0
# What an earlier run left behind is heard in this time after a connection was made.
_RECALL_SECONDS = 2.0
# Home Assistant greets many of us at once.
_JITTER_SECONDS = 2.0
# Between two births that are answered: Home Assistant takes longer to start.
_BIRTH_SECONDS = 10.0
# How often we look whether the machine is still made of the same parts.
_LOOK_SECONDS = 10.0
# A part must be gone for this long: some come back, under another name, a moment later.
_GONE_SECONDS = 15.0
_NEVER = float("inf")
# What others may leave where our own would stand, in the life of the daemon: single entities of an
# older discovery, and devices. More was never ours.
_MOST_ENTITIES = 500
_MOST_DEVICES = 16


class MessageSink(Protocol):
    """Where messages are left to be sent."""

    def put(self, message: Message) -> None:
        """Leaves one message."""

    def repeat(self, *, without: Collection[str]) -> None:
        """Has every retained state sent again, besides those of some topics."""


class Announcer:
    """Keeps Home Assistant's picture of this host right.

    Called from one thread; ``tick`` is to be called at ``due`` or soon after.

    Args:
        host: who is announced.
        discovery: what there is to announce.
        settings: whether, and where.
        outbox: takes the messages.
        reachable: whether a message that is put into the outbox goes out now.
        jitter: from 0 to 1.
    """

    def __init__(
        self,
        host: Host,
        discovery: Discovery,
        settings: HomeAssistantSettings,
        outbox: MessageSink,
        *,
        reachable: Callable[[], bool],
        jitter: Callable[[], float] = lambda: os.urandom(1)[0] / 255,
    ) -> None:
        self._discovery = discovery
        self._settings = settings
        self._outbox = outbox
        self._reachable = reachable
        self._jitter = jitter
        self._own = f"{settings.discovery_prefix}/device/{host.node_id}/config"
        self._below = f"{settings.discovery_prefix}/+/{host.node_id}/+/config"
        self._node_id = host.node_id
        self._known: dict[str, dict[str, str]] = {}  # by topic: platform of each component there
        self._sent: dict[str, bytes] = {}
        self._foreign: dict[str, bool] = {}  # topics of single entities; true: told to migrate
        self._met = 0  # of those, ever
        self._met_devices = 0
        self._left_over: dict[str, dict[str, Any]] = {}  # from an earlier run, by key
        self._entities: dict[str, Entity] = {}
        self._gone_since: dict[str, float] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        self._shape: tuple[int, frozenset[str]] | None = None
        self._look_at = 0.0
        self._speak_at = _NEVER
        self._states_wanted = False
        self._again_at = -_NEVER
        self._heard_until: float | None = None

    @property
    def subscriptions(self) -> Sequence[str]:
        """What is to be handed to ``heard``.

        The exact topic, too: RabbitMQ gives nothing retained to those who ask for a pattern.
        """
        return (self._settings.status_topic, self._own, self._below)

    @property
    def topics(self) -> Collection[str]:
        """The discovery topics that are in use."""
        return self._known.keys()

    @property
    def due(self) -> float:
        """When there is something to do, in monotonic seconds."""
        if self._heard_until is None or not self._reachable():
            return _NEVER  # until it can be done: to wait for that is not to ask all the time
        return max(self._speak_at, self._heard_until)

    def heard(self, request: Request, now: float) -> bool:
        """Takes a message in; whether it was one for us."""
        if request.topic == self._settings.status_topic:
            if request.payload == b"online" and not request.retain and self._settings.enabled:
                soon = now + self._jitter() * _JITTER_SECONDS
                self.again(max(soon, self._again_at + _BIRTH_SECONDS))
            return True
        parts = request.topic.removeprefix(f"{self._settings.discovery_prefix}/").split("/")
        if parts[-1] != "config" or self._node_id not in parts[1:-1]:
            return False
        if request.topic in self._sent:
            return True  # our own words
        if parts[0] == "device":
            self._recall(request)
        elif request.payload and request.topic not in self._foreign and self._is_room():
            self._foreign[request.topic] = False
        self._shape = None
        return True

    def again(self, when: float) -> None:
        """Says everything again from ``when`` on: the discovery, and then all states."""
        if self._states_wanted:
            return  # about to
        self._sent.clear()
        self._states_wanted = True
        self._again_at = when
        self._speak_at = max(when, self._speak_at if self._speak_at != _NEVER else when)

    def update(self, readings: Mapping[str, Reading], absent: Collection[str], now: float) -> None:
        """Looks, now and then, what the machine is made of.

        Args:
            readings: the newest one of each topic.
            absent: subsystems that this machine does not have.
            now: monotonic seconds.
        """
        if not self._reachable() or now < self._look_at:
            return
        if self._heard_until is None:
            self._heard_until = now + _RECALL_SECONDS
        if now < self._heard_until:
            return
        self._look_at = now + _LOOK_SECONDS
        shape = (self._discovery.shape(readings), frozenset(absent))
        if shape == self._shape and not self._gone_since:
            return
        first = self._shape is None and not self._entities
        self._shape = shape
        self._choose(readings, absent, now)
        if first and self._settings.enabled:
            self._states_wanted = True
        if self._speak_at == _NEVER:
            self._speak_at = now

    def tick(self, now: float) -> None:
        """Sends what is due: one discovery message at most, or the states."""
        if now < self._speak_at or not self._reachable():
            return
        if self._heard_until is None or now < self._heard_until:
            return
        self._speak_at = now + SPACING_SECONDS
        if self._migrate() or self._speak():
            return
        if self._states_wanted:
            self._states_wanted = False
            self._outbox.repeat(without=self._known.keys())
        self._speak_at = _NEVER

    # -- inside ---------------------------------------------------------------------------------

    def _is_room(self) -> bool:
        """Whether one more single entity may be one of ours."""
        self._met += 1
        if self._met == _MOST_ENTITIES + 1:
            log.warning(
                "more than %d single entities of ours stand below %s: whoever puts them there, the "
                "rest is left alone",
                _MOST_ENTITIES,
                self._below,
            )
        return self._met <= _MOST_ENTITIES

    def _recall(self, request: Request) -> None:
        """Takes in what an earlier run left, so that what is gone can be withdrawn."""
        if request.topic != self._own and request.topic not in self._known:
            self._met_devices += 1
            if self._met_devices > _MOST_DEVICES:
                return
        try:
            document = json.loads(request.payload)
            platforms = {
                str(key): str(component["p"]) for key, component in _components(document).items()
            }
            encode(document)  # NaN and what exceeds a float can be read, and not be said again
            self._left_over |= _components(document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if not request.payload:
                return
            platforms = {}  # whatever it is, it stands on our topic
        self._known.setdefault(request.topic, {}).update(platforms)

    def _choose(self, readings: Mapping[str, Reading], absent: Collection[str], now: float) -> None:
        """Which entities to show. One that was readable once stays while its device is there."""
        if not self._settings.enabled:
            self._documents = {}
            return
        possible = {entity.key: entity for entity in self._discovery.entities(readings)}
        known = {key for keys in self._known.values() for key in keys}
        chosen = {
            key: entity
            for key, entity in possible.items()
            if entity.readable or key in self._entities or key in known
        }
        silent = {
            leaf for leaf in self._discovery.leaves if leaf not in readings and leaf not in absent
        }
        for key, entity in self._entities.items():
            if key in chosen:
                self._gone_since.pop(key, None)
            elif (entity.home or entity.leaf) in silent:
                chosen[key] = entity  # its subsystem fails; the device may well be there
            elif now - self._gone_since.setdefault(key, now) < _GONE_SECONDS:
                chosen[key] = entity
            else:
                del self._gone_since[key]
        chosen = dict(sorted(chosen.items()))  # another order would be another payload
        self._entities = chosen
        self._documents = self._discovery.documents(chosen.values())
        for key, component in self._left_over.items():
            if key not in chosen and key.partition("_")[0] in silent:
                self._documents[self._own]["cmps"].setdefault(key, component)

    def _speak(self) -> bool:
        """Sends the first message that brings Home Assistant nearer to what is; if there is any."""
        for topic, document in self._documents.items():
            platforms = {key: item["p"] for key, item in _components(document).items()}
            gone = {
                key: {"p": platform}
                for key, platform in self._known.get(topic, {}).items()
                if key not in platforms
            }
            if gone:
                document = {**document, "cmps": document["cmps"] | gone}  # noqa: PLW2901
            payload = encode(document)
            if self._sent.get(topic) == payload:
                continue
            self._known[topic] = platforms
            self._sent[topic] = payload
            self._outbox.put(self._discovery.message(topic, document))
            return True
        for topic in self._known.keys() - self._documents.keys():
            del self._known[topic]
            self._sent.pop(topic, None)
            self._outbox.put(self._discovery.message(topic, None))
            return True
        return self._finish_migration()

    def _migrate(self) -> bool:
        """Tells Home Assistant that single entities are about to become parts of a device."""
        new = [topic for topic, told in self._foreign.items() if not told]
        for topic in new:
            self._foreign[topic] = True
            if self._settings.enabled:
                payload = b'{"migrate_discovery":true}'
                self._outbox.put(Message(topic=topic, payload=payload, qos=1, retain=True))
        return bool(new) and self._settings.enabled

    def _finish_migration(self) -> bool:
        done = list(self._foreign)
        for topic in done:
            del self._foreign[topic]
            self._outbox.put(Message(topic=topic, payload=b"", qos=1, retain=True))
        return bool(done)


def _components(document: Mapping[str, Any]) -> dict[str, Any]:
    """All components of a discovery payload, those of devices below it included."""
    found = dict(document.get("cmps") or document.get("components") or {})
    for child in document.get("child_devices") or ():
        found |= child.get("cmps") or child.get("components") or {}
    return found
