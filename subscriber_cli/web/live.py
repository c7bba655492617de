"""What hosts said last, kept in memory, and the frames that browsers are sent of it.

All of it lives in one event loop. Messages come from the stream's thread by way of its inbox;
whoever flooded it would wait in the network, and requests are answered in between. What the page
is sent is made once for all browsers, when the first one asks for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from publisher.contract import topics
from publisher.errors import BrokerError
from subscriber_cli.client import Stream
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.budget import MIB
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.journal import Entry
from subscriber_cli.model.ranking import find
from subscriber_cli.model.view import View
from subscriber_cli.watch import apply
from subscriber_cli.web import documents

_AT_ONCE: Final = 0.02  # seconds in which messages are taken before requests have their turn
_BREATH: Final = 0.005
_LOOK_SECONDS: Final = 5.0  # between two looks at who has fallen silent
_MOST_ENTRIES: Final = 100  # events that a page is sent
_SUMMARY: Final = "host"
_ASK_SECONDS: Final = 5.0  # between two requests to one host to say everything again
_MOST_LEAVES: Final = 200
_LARGEST_FRAME: Final = 200_000  # bytes; a host of ours has 30,000 at most
_MADE_BYTES: Final = 8 * MIB
_ANYTHING: Final = ""
_PACES: Final[Mapping[str, float]] = {
    "host": 0.1, "verdict": 0.1, "values": 0.25, "events": 0.25, "users": 3.0,
}  # fmt: skip
"""Seconds between two makings of a frame: a host that floods the broker costs no more than that,
however many browsers look at it."""

Frame = bytes
"""One server-sent event."""


@dataclass(eq=False, slots=True)
class Watch:
    """One browser's view.

    Attributes:
        wanted: the id or name of the host that it looks at; empty: all of them.
        woken: set when there may be something new.
        sent: what it has, by name; the same object where nothing has changed.
    """

    wanted: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    sent: dict[str, Frame] = field(default_factory=dict)


@dataclass(slots=True)
class _Made:
    """A frame, and of which state of things it was made."""

    stamp: object
    frame: Frame
    at: float = float("-inf")


class Live:
    """The fleet, and who looks at it.

    Args:
        stream: where messages come from.
        inbox: of that stream.
        fail: told when the broker will never let us in.
        clock: seconds since the epoch.

    Attributes:
        view: the fleet and how the broker is.
        messages: taken in so far.
        made_bytes: that the kept frames take.
    """

    def __init__(
        self,
        stream: Stream,
        inbox: Inbox,
        fail: Callable[[BrokerError], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.view = View(place=str(stream.endpoint), fleet=Fleet(sparklines=False))
        self.clock = clock
        self.messages = 0
        self._stream = stream
        self._inbox = inbox
        self._fail = fail
        self._watches: set[Watch] = set()
        self._revisions: dict[str, Counter[str]] = {}
        self._made: OrderedDict[tuple[str, str], _Made] = OrderedDict()
        self.made_bytes = 0
        self._looks = 0
        self._asked: dict[str, float] = {}
        self._waiting = False
        self._running = False
        self._behind = False

    # --- messages ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Takes in what comes, until it is cancelled."""
        self._loop = asyncio.get_running_loop()
        self._running = True
        self._inbox.wake = self._wake
        try:
            with self._stream:
                self._take()
                while True:
                    await asyncio.sleep(_LOOK_SECONDS)
                    self._looks += 1
                    self.wake_all()
        finally:
            self._running = False

    def _wake(self) -> None:
        """Something waits; called by the stream's thread."""
        if not self._waiting and self._running:
            self._waiting = True
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._waiting = False
        until = time.monotonic() + _AT_ONCE
        while self._running and (item := self._stream.get(0.0)) is not None:
            try:
                apply(self.view, item, self.clock())
            except BrokerError as error:
                self._fail(error)
                return
            self._note(getattr(item, "prefix", ""), getattr(item, "leaf", ""))
            if time.monotonic() > until:
                self._waiting = True
                self._loop.call_later(_BREATH, self._take)
                break
        self.wake_all()

    def _note(self, prefix: str, leaf: str) -> None:
        if not prefix:
            return
        self.messages += 1
        host = self.view.fleet.get(prefix)
        if host is None:
            return
        found = self._revisions.setdefault(prefix, Counter())
        if len(found) > _MOST_LEAVES:  # of topics that come and go
            for gone in found.keys() - host.latest.keys():
                del found[gone]
        found[_ANYTHING] += 1
        found[leaf] += 1
        if leaf == topics.CATALOGUE:  # by which all is read anew
            found.update(host.latest.keys())

    def wake_all(self) -> None:
        """Has every browser look whether there is news."""
        for watch in self._watches:
            watch.woken.set()

    # --- hosts -------------------------------------------------------------------------------

    @property
    def hosts(self) -> list[KnownHost]:
        """All of them, in the order of their prefixes."""
        return list(self.view.fleet)

    def revision(self, prefix: str, leaf: str) -> int:
        """How often a topic was said, or, with ``_ANYTHING``, anything of a host."""
        found = self._revisions.get(prefix)
        return found[leaf] if found else 0

    def entries(self, host: KnownHost) -> list[Entry]:
        """What happened on a host since we listen, the last first."""
        return list(self.view.journal.of(host.prefix))[::-1]

    def refresh(self, host: KnownHost) -> bool:
        """Asks a host to say everything again; false where it was asked just now."""
        now = self.clock()
        if now - self._asked.get(host.prefix, 0.0) < _ASK_SECONDS:
            return False
        self._asked[host.prefix] = now
        self._stream.command(host.prefix, "refresh")
        return True

    # --- browsers ----------------------------------------------------------------------------

    @property
    def watched(self) -> int:
        """How many browsers look."""
        return len(self._watches)

    def open(self, wanted: str) -> Watch:
        """A browser comes; the host that it wants may speak later."""
        watch = Watch(wanted)
        self._watches.add(watch)
        return watch

    def close(self, watch: Watch) -> None:
        """A browser is gone."""
        self._watches.discard(watch)

    def news(self, watch: Watch) -> bytes:
        """What a browser does not have yet: the latest state, however long it did not read."""
        found: list[Frame] = []
        names = set()
        self._behind = False
        for name, frame in self._frames(watch):
            names.add(name)
            if watch.sent.get(name) is not frame:
                watch.sent[name] = frame
                found.append(frame)
        for name in watch.sent.keys() - names:
            del watch.sent[name]
        if self._behind:  # what was too early is looked at again, though nothing new may come
            watch.woken.set()
        return b"".join(found)

    def beat(self, watch: Watch) -> Frame:
        """The sign of life between news."""
        host = self._watched(watch)
        told = {"now": round(self.clock(), 1), "heard": documents.heard(host) if host else None}
        return _frame("beat", told)

    def _frames(self, watch: Watch) -> Iterator[tuple[str, Frame]]:
        view = self.view
        broker = (view.connected, view.trouble, view.place)
        yield "broker", self._frame("", "broker", broker, lambda: documents.broker(view))
        hosts = self.hosts
        keys = tuple(host.prefix for host in hosts)
        yield (
            "hosts",
            self._frame(
                "", "hosts", keys, lambda: {"hosts": [documents.key_of(host) for host in hosts]}
            ),
        )
        for host in hosts:
            yield f"host {host.prefix}", self.summary(host)
        watched = self._watched(watch)
        if watched is not None:
            yield from self._of(watched)

    def _watched(self, watch: Watch) -> KnownHost | None:
        if not watch.wanted:
            return None
        found = [host for host in self.view.fleet if documents.key_of(host) == watch.wanted]
        return next(iter(found), None) or find(self.view.fleet, watch.wanted)

    def summary(self, host: KnownHost) -> Frame:
        """What a browser is told of a host among others."""
        stamp = (self.revision(host.prefix, _ANYTHING), self._looks)
        return self._frame(
            host.prefix, _SUMMARY, stamp, lambda: documents.summary(host, self.clock())
        )

    def _of(self, host: KnownHost) -> Iterator[tuple[str, Frame]]:
        prefix = host.prefix

        def made(name: str, leaf: str, make: Callable[[float], Any]) -> tuple[str, Frame]:
            stamp = (self.revision(prefix, leaf), name)
            return name, self._frame(prefix, name, stamp, lambda: make(self.clock()))

        shown = documents.panels(host)
        yield made("verdict", topics.EXPLANATION, lambda now: documents.verdict(host, now))
        yield made("panels", _ANYTHING, lambda _: {"leaves": shown})
        for leaf in shown:
            yield made(f"values {leaf}", leaf, partial(documents.values, host, leaf))
        yield made("users", _ANYTHING, lambda now: documents.users(host, now))
        yield made("hidden", topics.INFO, lambda _: {"parts": documents.hidden(host)})
        yield made("events", topics.EVENT, lambda now: self._events(host, now))

    def _events(self, host: KnownHost, now: float) -> Any:
        entries = self.entries(host)[:_MOST_ENTRIES]
        return {"entries": [documents.entry(each, host, now) for each in entries]}

    def _frame(self, prefix: str, name: str, stamp: object, make: Callable[[], Any]) -> Frame:
        made = self._made.pop((prefix, name), None)
        if made is None:
            made = _Made(None, b"")
        kind, _, of = name.partition(" ")
        now = time.monotonic()
        early = now - made.at < _PACES.get(kind, 0.0)
        self._behind = self._behind or (early and made.stamp != stamp)
        if made.stamp != stamp and not early:
            frame = _frame(kind, make())
            if len(frame) > _LARGEST_FRAME:
                frame = _frame(kind, {"leaf": of, "large": True})
            self.made_bytes -= len(made.frame)
            if made.frame != frame:  # else the same object, and nobody is sent it again
                made.frame = frame
            self.made_bytes += len(made.frame)
            made.stamp, made.at = stamp, now
        self._made[prefix, name] = made
        while self.made_bytes > _MADE_BYTES:
            self.made_bytes -= len(self._made.popitem(last=False)[1].frame)
        return made.frame


def _frame(name: str, document: Any) -> Frame:
    # ASCII: what browsers might take for an end of line stands as an escape.
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\ndata: {text}\n\n".encode("ascii")
