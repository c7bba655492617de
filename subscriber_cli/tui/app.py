"""What all screens share: the broker's messages, the clock, themes, keys that hold anywhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.console import RenderableType
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key, MouseDown
from textual.filter import LineFilter, Monochrome, NoColor

from publisher.errors import BrokerError
from subscriber_cli.client import Item
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import find
from subscriber_cli.model.view import View
from subscriber_cli.tui.base import WatchScreen
from subscriber_cli.tui.fleet import FleetScreen
from subscriber_cli.tui.help import HelpScreen
from subscriber_cli.tui.host import HostScreen
from subscriber_cli.tui.leaving import Leaving
from subscriber_cli.tui.memory import give_back
from subscriber_cli.tui.plain import AsciiFilter
from subscriber_cli.tui.source import Source

THEMES = ("ansi-dark", "ansi-light", "textual-dark", "textual-light", "nord", "gruvbox",
          "solarized-light", "dracula")  # fmt: skip
"""The terminal's own colours first; then those that bring theirs."""

_AT_ONCE = 0.05  # seconds for messages before a key is looked at
_SHARE = 4.0  # as long as a drawing took, so much longer is none
_BREATH = 0.005  # seconds for keys, then
_SETTLING = 5.0  # seconds after the first host in which others may still be on their way
INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class WatchApp(App[None]):
    """The whole screen.

    Args:
        source: the broker's messages.
        view: what they are kept in.
        wanted: the host to show in full, by name or prefix; empty for whichever there is.
        take: takes an item of the source into the view.
        ascii_only: the terminal shows no more than that.
        clock: seconds since the epoch.
    """

    TITLE = "fanwhy"
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    CSS = """
    Screen { layout: vertical; background: $background; color: $foreground; }
    Input { height: 1; border: none; padding: 0; background: $background; display: none; }
    Input.shown { display: block; }
    #top, #keys, #causes-title, #tabs, #side-log-title, #side-who-title { height: 1; }
    #trouble, #causes, #hour { height: 0; }
    #verdict { height: 3; }
    #side { width: 40%; margin-left: 2; }
    .hidden { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "interrupt", "Quit", priority=True, show=False, system=True),
        Binding("ctrl+z", "suspend_process", "Back to the shell for a while", system=True),
        Binding("question_mark,f1", "help", "All keys", key_display="?"),
        Binding("r", "ask", "Have the host say everything again"),
        Binding("t", "theme", "Next theme"),
        Binding("tab", "app.focus_next", "Next part of the screen", show=False),
        Binding("shift+tab", "app.focus_previous", "Previous part of the screen", show=False),
    ]

    def __init__(
        self,
        source: Source,
        view: View,
        take: Callable[[View, Item, float], None],
        *,
        wanted: str = "",
        ascii_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.source = source
        self.view = view
        self.wanted = wanted
        self.clock = clock
        self.failure: BrokerError | None = None
        self._take = take
        self._filters_more: list[LineFilter] = [AsciiFilter()] if ascii_only else []
        self._next_at = 0.0  # when it may be drawn again, by the clock of the loop
        self._woken = False
        self._leaving = False
        self._told_to_leave = Leaving(lambda: self._reactor.call_soon_threadsafe(self.exit))
        self._news: set[str] = set()  # the hosts that said something since the last drawing
        self._touched = False
        self._first_host_at: float | None = None

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of what is drawn."""
        found = [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]
        # Greys in the place of colours would be a colour, and of the terminal's own ones black.
        return [*found, *([NoColor()] if self.no_color else []), *self._filters_more]

    def get_default_screen(self) -> WatchScreen:
        """The fleet, which lies below all else."""
        return FleetScreen()

    def on_mount(self) -> None:
        """Begins to listen."""
        self.theme = THEMES[0]
        self._reactor = asyncio.get_running_loop()
        if not self.is_headless:
            # Not by the loop's own way: a terminal that takes nothing holds the loop up.
            self._told_to_leave.watch()
        self.set_interval(1.0, self.tick)
        self.set_timer(_SETTLING, give_back)
        self.take_in()

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Ends it, whatever waits: who floods the broker keeps nobody here."""
        self._leaving = True
        super().exit(result, return_code, message)

    # --- messages ----------------------------------------------------------------------------

    def wake(self) -> None:
        """Something waits in the source; may be called by any thread."""
        if not self._woken and self.is_running and not self._leaving:
            self._woken = True
            self._reactor.call_soon_threadsafe(self._soon)

    def _soon(self) -> None:
        wait = self._next_at - self._reactor.time()
        # By way of the application's own queue: a callback of the loop belongs to no application.
        self._reactor.call_later(max(wait, 0.0), self.call_later, self.take_in)

    def take_in(self) -> None:
        """Takes what waits in the source, and draws what came of it."""
        if not self.is_running or self._leaving:
            return
        self._woken = False
        until = time.monotonic() + _AT_ONCE
        while (item := self.source.get(0.0)) is not None:
            self._news.add(getattr(item, "prefix", ""))
            try:
                self._take(self.view, item, self.clock())
            except BrokerError as error:
                self.failure = error
                self.exit()
                return
            if time.monotonic() > until:
                self._woken = True
                self._reactor.call_later(_BREATH, self.call_later, self.take_in)
                break
        if not self._woken:
            self._open_the_only_one()
        late = self._reactor.time() >= self._next_at
        if self._news and (late or not self._woken):
            began = self._reactor.time()
            self._draw_news()
            ended = self._reactor.time()
            # Whatever is sent, most of the time is left for keys and for what else runs here.
            self._next_at = max(began + self._pace, ended + _SHARE * (ended - began))

    @property
    def _pace(self) -> float:
        return self.screen.pace if isinstance(self.screen, WatchScreen) else 1.0

    def _draw_news(self) -> None:
        news, self._news = self._news, set()
        screen = self.screen
        if isinstance(screen, WatchScreen) and (
            not screen.prefix or screen.prefix in news or "" in news
        ):
            self.draw()

    def tick(self) -> None:
        """Shows that a second has passed."""
        self.draw(fresh=False)

    def draw(self, *, fresh: bool = True) -> None:
        """Shows what is known now on the uppermost screen; ``fresh`` when something is new."""
        if isinstance(self.screen, WatchScreen) and self.screen.is_mounted:
            self.screen.draw(self.clock(), fresh=fresh)

    def _open_the_only_one(self) -> None:
        """One host needs no list; of several the list comes first, unless one was asked for."""
        hosts = list(self.view.fleet)
        if self._touched or not hosts:
            return
        base = len(self.screen_stack) == 1
        if self.wanted:
            host = find(hosts, self.wanted)
            if host is not None and base:
                self._touched = True
                self.open_host(host.prefix)
            return
        if len(hosts) == 1 and base:
            self._first_host_at = self._reactor.time()
            self.open_host(hosts[0].prefix)
        elif len(hosts) > 1 and not base and self._first_host_at is not None:
            self._touched = True
            if self._reactor.time() - self._first_host_at < _SETTLING:
                self.pop_screen()

    # --- what keys do ------------------------------------------------------------------------

    def host(self) -> KnownHost | None:
        """The host that the screens are about now."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, WatchScreen) and screen.prefix:
                return self.view.fleet.get(screen.prefix)
        return None

    def open_host(self, prefix: str) -> None:
        """Shows one host in full."""
        self.push_screen(HostScreen(prefix))

    async def on_event(self, event: Event) -> None:
        """Whoever uses keys or the mouse is not led elsewhere any more."""
        if isinstance(event, Key | MouseDown):
            self._touched = True
        await super().on_event(event)

    def action_interrupt(self) -> None:
        """Ctrl-C."""
        self.exit(return_code=INTERRUPTED)

    def action_help(self) -> None:
        """All keys, in the place where they are asked for."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_theme(self) -> None:
        """The next theme."""
        at = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(at + 1) % len(THEMES)]
        self.view.notify(f"theme: {self.theme}", self.clock())
        self.draw()

    def action_ask(self) -> None:
        """Asks the host that is shown, or all, to say everything again."""
        host = self.host()
        hosts = [host] if host is not None else list(self.view.fleet)
        for each in hosts:
            self.source.command(each.prefix, "refresh")
        names = hosts[0].name if len(hosts) == 1 else f"{len(hosts)} hosts"
        self.view.notify(f"asked {names} to say everything again", self.clock())
        self.draw()
