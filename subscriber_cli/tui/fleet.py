"""All hosts, worst first."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult

from subscriber_cli.model.ranking import Ranked, find, worst_first
from subscriber_cli.render.fleet import fleet_page, tally_line
from subscriber_cli.render.head import wrap
from subscriber_cli.render.page import Page
from subscriber_cli.render.verdict import waiting
from subscriber_cli.tui.base import WatchScreen
from subscriber_cli.tui.lines import LineView

_HOSTS = "hosts"
_FEW = 12  # hosts


class FleetScreen(WatchScreen):
    """A line for each host; each opens it."""

    def __init__(self) -> None:
        super().__init__()
        self._ranked: list[Ranked] = []

    @property
    def pace(self) -> float:
        """Seconds between two drawings: of many hosts there is always one with news."""
        return 1.0 if len(self._ranked) <= _FEW else 2.0

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield from self.frame(self._body())

    @staticmethod
    def _body() -> ComposeResult:
        yield LineView(id=_HOSTS)

    def about(self, now: float) -> Text:  # noqa: ARG002  # others tell the time
        """How many hosts are how."""
        line = Text.assemble(("fanwhy ", "bold"))
        return line.append_text(tally_line(self._ranked)) if self._ranked else line

    def hints(self) -> list[tuple[str, str, str]]:
        """What matters most here."""
        return [
            ("q", "quit", "app.quit"),
            ("?", "all keys", "app.help"),
            ("Enter", "open", "screen.open"),
            ("/", "filter", "screen.filter"),
            ("r", "ask all", "app.ask"),
            ("t", "theme", "app.theme"),
        ]

    def look(self, now: float) -> None:
        """Ranks the hosts, which both the first line and the list tell of."""
        self._ranked = worst_first(self.owner.view.fleet, now)

    def draw_body(self, now: float) -> None:
        """The hosts, or what is waited for."""
        view, hosts = self.owner.view, self._ranked
        lines = self.lines(_HOSTS)
        if not hosts:
            page = Page()
            page.extend(waiting(view, lines.room))
        else:
            page = fleet_page(hosts, lines.room, now, wanted=self.wanted)
            if self.owner.wanted and find(view.fleet, self.owner.wanted) is None:
                words = f"No host is called {self.owner.wanted}; these have spoken:"
                page.lines[:0] = missing = wrap(words, lines.room, "yellow")
                page.keys[:0] = [""] * len(missing)
                page.frozen += len(missing)
        lines.show(page)

    def focus_lines(self) -> None:
        """Gives the keys to the list."""
        self.lines(_HOSTS).focus()

    def action_open(self) -> None:
        """Opens the chosen host."""
        self.lines(_HOSTS).action_open()

    def on_line_view_opened(self, message: LineView.Opened) -> None:
        """Shows one host in full."""
        self.owner.open_host(message.key)
