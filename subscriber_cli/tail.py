"""``fanwhy-sub tail``: one line a message, for people or, with ``--json``, for programs."""

from __future__ import annotations

import difflib
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from publisher.contract import topics
from publisher.contract.printable import printable
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.model.catalogue import Column
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.model.fleet import Fleet, Host
from subscriber_cli.model.values import moment, words
from subscriber_cli.render import theme
from subscriber_cli.render.show import summary
from subscriber_cli.terminal_settings import TerminalSettings

LEAVES = (
    topics.STATUS, topics.CATALOGUE, topics.INFO, topics.OVERVIEW, topics.EXPLANATION,
    topics.EVENT, topics.SELF,
)  # fmt: skip
"""Topics that every host may have, whatever its catalogue says."""
# Seconds after connecting in which the broker sends what it keeps, and after the first word of a
# host in which it says its name.
_CATALOGUES = 0.3
_ALL_RETAINED = 2.0  # the same, with every doubt, before calling a name unknown
_PASSING_SECONDS = 3.0
_IDENTITY = ("operating_system", "kernel", "cpu_model", "virtualization", "fanwhy_version")
_MOST_NAMES = 1000  # that anyone who may publish can make us remember


class Tail:
    """Prints messages as they come; ``run`` ends when enough have or the time is up."""

    def __init__(
        self,
        settings: TerminalSettings,
        console: Console,
        wanted: Sequence[str] = (),
        *,
        as_json: bool = False,
        count: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self._stream = Stream(settings.broker, settings.prefix)
        self._console = console
        self._wanted = frozenset(wanted)
        self._as_json = as_json
        self._count = count
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._fleet = Fleet()
        self._seen: set[str] = set()
        self._check_at: float | None = None
        self._checked = not wanted
        self._said: dict[str, Any] = {}
        self._held: list[tuple[Received, Host | None]] = []
        self._hold_until: float | None = None
        self._trouble = ""
        self._complain_at: float | None = None
        self._printed = 0

    def run(self) -> None:
        """Prints.

        Raises:
            BrokerError: the broker will never let us in, or was not reached in the time given.
            ConfigError: no host knows a topic of the name asked for.
        """
        with self._stream:
            while not self._over():
                self._take(self._stream.get(self._patience()))
                self._complain()
                self._release()
                self._check()
        if self._trouble and not self._printed:
            raise BrokerError(self._trouble)

    def _patience(self) -> float | None:
        waits = (self._ends, self._check_at, self._hold_until, self._complain_at)
        ends = [at for at in waits if at is not None]
        return max(min(ends) - time.monotonic(), 0.0) if ends else None

    def _over(self) -> bool:
        enough = self._count is not None and self._printed >= self._count
        return enough or (self._ends is not None and time.monotonic() >= self._ends)

    def _take(self, item: Any) -> None:
        if isinstance(item, Trouble):
            if item.final:
                raise BrokerError(item.text)
            if item.text != self._trouble:
                self._trouble = item.text
                if self._complain_at is None:
                    self._complain_at = time.monotonic() + _PASSING_SECONDS
        elif isinstance(item, Connected):
            if self._trouble and self._complain_at is None:
                _aside(f"{item.endpoint}: connected")
            self._trouble, self._complain_at = "", None
            if not self._as_json and self._hold_until is None:
                self._hold_until = time.monotonic() + _CATALOGUES
        elif isinstance(item, Notice):
            _aside(item.text)
        elif isinstance(item, Received):
            self._receive(item)

    def _complain(self) -> None:
        """Says what is wrong, unless it was over in a moment: a broker may be about to start."""
        if self._complain_at is not None and time.monotonic() >= self._complain_at:
            self._complain_at = None
            again = " Trying" if self._trouble.endswith("?") else "; trying"
            _aside(f"{self._trouble}{again} again until it works")

    def _receive(self, message: Received) -> None:
        host = self._fleet.apply(message, time.time())
        if len(self._seen) < _MOST_NAMES:
            self._seen.add(message.leaf)
        if message.leaf == topics.CATALOGUE and not self._checked and self._check_at is None:
            self._check_at = time.monotonic() + _ALL_RETAINED
        if self._wanted and message.leaf not in self._wanted:
            return
        if self._as_json:
            print(json_line(message), flush=True)
            self._printed += 1
        elif not self._is_repeated(message):
            self._held.append((message, host))
            if host is not None and not host.named and self._hold_until is None:
                self._hold_until = time.monotonic() + _CATALOGUES

    def _is_repeated(self, message: Received) -> bool:
        """Whether it was said before in the same words: a host repeats itself for newcomers."""
        if self._said.get(message.topic, "") == message.content:
            return True
        if message.topic in self._said or len(self._said) < _MOST_NAMES:
            self._said[message.topic] = message.content
        return False

    def _release(self) -> None:
        """Prints what was held until the catalogues, which name its fields, must have come."""
        if self._hold_until is not None:
            if time.monotonic() < self._hold_until:
                return
            self._hold_until = None
        for message, host in self._held:
            if self._over():
                break
            text = line(message, host, time.time())
            if self._console.is_terminal:
                self._console.print(text, no_wrap=True, overflow="ellipsis")
            else:
                print(text.plain, flush=True)
            self._printed += 1
        self._held.clear()

    def _check(self) -> None:
        """Complains about names that no host has, once every catalogue must have come."""
        if self._check_at is None or time.monotonic() < self._check_at:
            return
        self._check_at, self._checked = None, True
        known = {*LEAVES, *self._seen}
        for host in self._fleet:
            known.update(host.catalogue.topics)
        for name in sorted(self._wanted - known):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigError(f"no host has a topic {printable(name)!r}; {printable(hint)}")


def line(message: Received, host: Host | None, now: float) -> Text:
    """One message for people: when, who, what about, and the few numbers that say it."""
    content = message.content
    at = moment(content.get("time")) if isinstance(content, dict) else None
    clock = datetime.fromtimestamp(now if at is None else at, UTC).astimezone()
    text = Text.assemble(
        (f"{clock:%H:%M:%S} ", "dim"),
        (f"{host.name if host else message.prefix} ", ""),
        (f"{printable(message.leaf):<11} ", "bold"),
    )
    if content is None:
        return text.append("withdrawn", style="dim")
    if isinstance(content, str):
        return text.append(content, style="" if content == "online" else theme.of_state(content))
    if message.leaf == topics.EXPLANATION:
        state = words(content, "state")
        text.append(f"{state.upper()} ", style=f"bold {theme.of_state(state)}")
        return text.append(words(content, "headline"))
    if message.leaf == topics.EVENT and (said := words(content, "message")):
        return text.append(said, style=theme.of_severity(words(content, "severity")))
    if message.leaf == topics.CATALOGUE:
        names = ", ".join(host.catalogue.topics) if host else ""
        return text.append(f"describes {names}", style="dim")
    columns = host.columns(message.leaf) if host else ()
    if message.leaf == topics.INFO:
        columns = tuple(column for column in columns if column.name in _IDENTITY)
    elif message.leaf == topics.OVERVIEW and host:
        columns = tuple(_of_topic(column, host.catalogue.topics) for column in columns)
    return text.append(summary(columns, content, now))


def _of_topic(column: Column, known: Iterable[str]) -> Column:
    """A field of the overview, whose title speaks of the topic that it was taken from."""
    leaf = next((leaf for leaf in known if column.name.startswith(f"{leaf}_")), "")
    return replace(column, title=f"{leaf} {column.title.lower()}") if leaf else column


def json_line(message: Received) -> str:
    """One message for programs, on one line, with nothing that would upset a terminal."""
    document = {"topic": message.topic, "payload": message.content}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    if text.isprintable():
        return text
    # Whatever is not printable stands inside a string, where JSON has an escape for it.
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _aside(text: str) -> None:
    print(f"fanwhy-sub: {text}", file=sys.stderr, flush=True)
