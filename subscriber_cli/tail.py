"""``fanwhy-sub tail``: one line a message, for people or, with ``--json``, for programs."""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated

import typer
from rich.console import Console

from publisher.contract import topics
from publisher.contract.printable import printable
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import Connected, Item, Stream, Trouble
from subscriber_cli.model.budget import HELD_BYTES
from subscriber_cli.model.decode import Notice, OnlineStatus, Packed, Received
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.leaves import STANDARD, SUGGESTED
from subscriber_cli.render.lines import message_line

# Seconds after connecting in which the broker sends what it keeps, and after the first word of a
# host in which it says its name.
_CATALOGUES = 0.3
_ALL_RETAINED = 2.0  # the same, with every doubt, before calling a name unknown
_PASSING_SECONDS = 3.0  # of a trouble that goes unsaid
_MOST_NAMES = 1000  # of topics remembered, whatever is published
_LONGEST_NAME = 64  # characters of a topic that somebody may have meant
_MOST_SKIPPED = 20  # of messages that are left out, told one by one


def tail(
    *,
    subsystem: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBSYSTEM]…",
            help="Only these, such as cpu, explanation or event.",
            autocompletion=lambda incomplete: [n for n in SUGGESTED if n.startswith(incomplete)],
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: topic and payload.")
    ] = False,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", metavar="N", min=1, help="End after so many messages."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", "-s", metavar="SECONDS", min=0.1, help="End after so long."),
    ] = None,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Every message as it comes, one a line; first the newest that the broker keeps."""
    settings = load_settings(broker, prefix, config)
    stream = Stream(settings.broker, settings.prefix)
    ends = None if seconds is None else time.monotonic() + seconds
    lines = Tail(make_console(), subsystem or (), as_json=as_json, count=count, ends=ends)
    follow(stream, lines)


def follow(stream: Stream, lines: Tail) -> None:
    """Prints what the stream brings until it is enough.

    Raises:
        BrokerError: the broker will never let us in, or was not reached in the time given.
        ConfigError: no host knows a topic of the name asked for.
    """
    with stream:
        while not lines.over(now := time.monotonic()):
            due = lines.due
            item = stream.get(None if due is None else max(due - now, 0.0))
            if item is not None:
                lines.take(item, time.monotonic())
            lines.settle(time.monotonic())
    lines.close()


class Tail:
    """Messages on their way to the output; all times are of the monotonic clock, in seconds.

    Lines for people are held for a moment after connecting, until the catalogues, which name
    their fields and their hosts, must have come.

    Args:
        wanted: leaves of the topics that are printed; all when empty.
        count: how many messages are enough.
        ends: when it is enough, however few.
    """

    def __init__(
        self,
        console: Console,
        wanted: Sequence[str] = (),
        *,
        as_json: bool = False,
        count: int | None = None,
        ends: float | None = None,
    ) -> None:
        self._console = console
        self._wanted = frozenset(wanted)
        self._as_json = as_json
        self._count = count
        self._ends = ends
        self._fleet = Fleet(sparklines=False)
        self._seen: set[str] = set()
        self._check_at: float | None = None
        self._checked = not wanted
        self._said: dict[str, object] = {}
        self._skipped: set[str] = set()
        self._held: list[tuple[Packed, KnownHost | None]] = []
        self._held_bytes = 0
        self._hold_until: float | None = None
        self._trouble = ""
        self._complain_at: float | None = None
        self._printed = 0

    @property
    def due(self) -> float | None:
        """When ``settle`` has something to do, or it is over, if no item comes before."""
        times = (self._ends, self._check_at, self._hold_until, self._complain_at)
        return min((at for at in times if at is not None), default=None)

    def over(self, now: float) -> bool:
        """Whether enough was printed, or the time is up."""
        enough = self._count is not None and self._printed >= self._count
        return enough or (self._ends is not None and now >= self._ends)

    def take(self, item: Item, now: float) -> None:
        """Takes in what the stream found.

        Raises:
            BrokerError: the broker will never let us in.
        """
        if isinstance(item, Trouble):
            if item.final:
                raise BrokerError(item.text)
            if item.text != self._trouble:
                self._trouble = item.text
                if self._complain_at is None:
                    self._complain_at = now + _PASSING_SECONDS
        elif isinstance(item, Connected):
            if self._trouble and self._complain_at is None:
                _aside(f"{item.endpoint}: connected")
            self._trouble, self._complain_at = "", None
            if not self._as_json and self._hold_until is None:
                self._hold_until = now + _CATALOGUES
        elif isinstance(item, Notice):
            self._tell_skipped(item.text)
        else:
            self._receive(item, now)

    def settle(self, now: float) -> None:
        """Does what has become due.

        Raises:
            ConfigError: no host knows a topic of the name asked for.
        """
        self._complain(now)
        self._release(now)
        self._check(now)

    def close(self) -> None:
        """Ends it.

        Raises:
            BrokerError: nothing was printed, since the broker was not reached.
        """
        if self._trouble and not self._printed:
            raise BrokerError(self._trouble)

    def _complain(self, now: float) -> None:
        """Prints what is wrong, unless it was over in a moment: a broker may be about to start."""
        if self._complain_at is not None and now >= self._complain_at:
            self._complain_at = None
            again = " Trying" if self._trouble.endswith("?") else "; trying"
            _aside(f"{self._trouble}{again} again until it works")

    def _tell_skipped(self, text: str) -> None:
        """Tells once what is left out; there may be more of it than anybody wants to read."""
        if text in self._skipped or len(self._skipped) > _MOST_SKIPPED:
            return
        self._skipped.add(text)
        told = len(self._skipped) <= _MOST_SKIPPED
        _aside(text if told else "more is skipped; that is not told any more")

    def _receive(self, message: Received, now: float) -> None:
        host = self._fleet.apply(message, time.time())
        if skipped := self._fleet.complaint():
            self._tell_skipped(skipped)
        if len(self._seen) < _MOST_NAMES and len(message.leaf) <= _LONGEST_NAME:
            self._seen.add(message.leaf)
        if message.leaf == topics.CATALOGUE and not self._checked and self._check_at is None:
            self._check_at = now + _ALL_RETAINED
        if self._wanted and message.leaf not in self._wanted:
            return
        if self._as_json:
            print(message.json_line(), flush=True)
            self._printed += 1
        elif not self._is_repeated(message):
            packed = Packed.of(message)
            self._held.append((packed, host))
            self._held_bytes += packed.size
            if self._held_bytes > HELD_BYTES:
                self._hold_until = now
            elif host is not None and not host.named and self._hold_until is None:
                self._hold_until = now + _CATALOGUES

    def _is_repeated(self, message: Received) -> bool:
        """Whether it was said before in the same words: a host repeats itself for newcomers.

        That something is not there any more is no news of what never was.
        """
        content = message.content
        said: object = content
        if content is not None and not isinstance(content, OnlineStatus):
            said = blake2b(json.dumps(content).encode(), digest_size=16).digest()
        if self._said.get(message.topic) == said:
            return True
        if message.topic in self._said or len(self._said) < _MOST_NAMES:
            self._said[message.topic] = said
        return False

    def _release(self, now: float) -> None:
        if self._hold_until is not None:
            if now < self._hold_until:
                return
            self._hold_until = None
        for packed, host in self._held:
            if self.over(now):
                break
            message = packed.open()
            text = message_line(message, host, time.time())
            if self._console.is_terminal:
                self._console.print(text, no_wrap=True, overflow="ellipsis")
            else:
                print(text.plain, flush=True)
            self._printed += 1
        self._held.clear()
        self._held_bytes = 0

    def _check(self, now: float) -> None:
        """Complains about names that no host has, once every catalogue must have come."""
        if self._check_at is None or now < self._check_at:
            return
        self._check_at, self._checked = None, True
        known = {*STANDARD, *self._seen}
        for host in self._fleet:
            if len(known) < _MOST_NAMES:
                known.update(name for name in host.catalogue.topics if len(name) <= _LONGEST_NAME)
        for name in sorted(self._wanted - known):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigError(f"no host has a topic {printable(name)!r}; {printable(hint)}")


def _aside(text: str) -> None:
    print(f"fanwhy-sub: {text}", file=sys.stderr, flush=True)
