"""One thing, and all that is known of it: a cause, a topic, a row of the ledger."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.app import ComposeResult

from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.render.page import Page
from subscriber_cli.tui.base import WatchScreen
from subscriber_cli.tui.lines import LineView

MakePage = Callable[[KnownHost, int, float], Page]
"""Makes the lines about the thing from a host, the columns there are, and the time."""

_DETAIL = "detail"


class DetailScreen(WatchScreen):
    """Lines about one thing of one host.

    Args:
        prefix: of the host.
        about: what it is, for the first line.
        make: makes the lines, at each drawing.
    """

    filtering = False

    def __init__(self, prefix: str, about: str, make: MakePage) -> None:
        super().__init__()
        self.prefix = prefix
        self._subject = about
        self._make = make

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield from self.frame(self._body())

    @staticmethod
    def _body() -> ComposeResult:
        yield LineView(id=_DETAIL)

    def about(self, now: float) -> Text:  # noqa: ARG002
        """The host, and what of it."""
        host = self.owner.view.fleet.get(self.prefix)
        name = host.name if host is not None else self.prefix
        return Text.assemble((name, "bold"), (f"  {self._subject}", "dim"))

    def hints(self) -> list[tuple[str, str, str]]:
        """What matters most here."""
        return [
            ("Esc", "back", "screen.back"),
            ("q", "quit", "app.quit"),
            ("?", "all keys", "app.help"),
            ("r", "ask again", "app.ask"),
        ]

    def draw_body(self, now: float) -> None:
        """The lines."""
        lines = self.lines(_DETAIL)
        host = self.owner.view.fleet.get(self.prefix)
        if host is not None:
            lines.show(self._make(host, lines.room, now))

    def focus_lines(self) -> None:
        """Gives the keys to the lines."""
        self.lines(_DETAIL).focus()
