"""All keys, as they are declared where they work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from subscriber_cli.render.cells import padded
from subscriber_cli.render.head import wrap
from subscriber_cli.render.page import Page, heading
from subscriber_cli.tui.base import WatchScreen
from subscriber_cli.tui.lines import LineView

_KEYS = 14  # columns
_WORDS = """\
The sentence on top says why this machine is busy, hot or loud. What has a mark on its left can be
opened: Enter, or a click, tells more. The wheel scrolls; ▼ and ▲ tell how many lines are beyond
the edge. Bars are yellow from 50 % and red from 80 % where full is bad. Small graphs show the last
two minutes, a dot a second where there is room."""


class HelpScreen(WatchScreen):
    """The keys of the screen that it was opened from, and those that hold anywhere."""

    filtering = False

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._subject = about

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield from self.frame(self._body())

    @staticmethod
    def _body() -> ComposeResult:
        yield LineView(id="help")

    def about(self, now: float) -> Text:  # noqa: ARG002
        """What this is."""
        return Text("All keys", style="bold")

    def hints(self) -> list[tuple[str, str, str]]:
        """What matters most here."""
        return [("Esc", "back", "screen.back"), ("q", "quit", "app.quit")]

    def draw_body(self, now: float) -> None:  # noqa: ARG002
        """The keys, by where they work."""
        width = self.lines("help").room
        page = Page()
        page.extend(wrap(_WORDS, width, ""))
        for title, bindings in (
            ("On this screen", _bindings(type(self._subject), WatchScreen)),
            ("In a list", LineView.BINDINGS),
            ("Anywhere", _bindings(type(self.app), App)),
        ):
            page.add(Text())
            page.add(heading(title, width))
            for keys, words in _told(bindings):
                page.add(padded(keys, _KEYS, "bold").append(words))
        self.lines("help").show(page)

    def focus_lines(self) -> None:
        """Gives the keys to the lines."""
        self.lines("help").focus()


def _bindings(cls: type, above: type) -> list[BindingType]:
    """The bindings of a class and of those that it is made from, as far as they are ours."""
    found: list[BindingType] = []
    for each in cls.__mro__:
        if each is not above or each is WatchScreen:
            found += each.__dict__.get("BINDINGS", [])
        if each is above:
            break
    return found


def _told(bindings: Iterable[BindingType]) -> Iterator[tuple[str, str]]:
    for binding in bindings:
        if isinstance(binding, Binding) and binding.description:
            keys = binding.key_display or binding.key.replace(",", " ")
            yield keys, binding.description
