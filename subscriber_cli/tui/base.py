"""What every screen has: a line on top, a line of keys below, a filter, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from subscriber_cli.render.cells import padded
from subscriber_cli.render.verdict import broker_lines
from subscriber_cli.tui.lines import LineView

if TYPE_CHECKING:
    from subscriber_cli.tui.app import WatchApp

_TYPING = [
    ("", "type what to look for:", ""),
    ("Enter", "takes it", ""),
    ("Esc", "ends it", "screen.back"),
]
KEYS = "keys"
TOP = "top"
_SLOWEST = 5.0  # seconds until graphs and ages are drawn again though nothing came


class WatchScreen(Screen[None]):
    """A screen of lines.

    Attributes:
        prefix: of the host that it is about; empty where it is about all.
    """

    prefix = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "Back", key_display="Esc"),
        Binding("slash", "filter", "Filter", key_display="/"),
    ]
    AUTO_FOCUS = None
    filtering = True  # whether a filter makes sense here
    _body_at = 0.0
    _to_draw = False

    @property
    def pace(self) -> float:
        """Seconds between two drawings, however much comes in."""
        return 0.5

    @property
    def owner(self) -> WatchApp:
        """The application."""
        return cast("WatchApp", self.app)

    def frame(self, body: ComposeResult) -> ComposeResult:
        """The widgets of a screen around its own."""
        yield LineView(id=TOP, choosing=False)
        yield LineView(id="trouble", choosing=False)
        yield from body
        yield Input(id="filter", placeholder="type to filter, Enter keeps it, Esc ends it")
        yield LineView(id=KEYS, choosing=False)

    def lines(self, name: str) -> LineView:
        """One of the widgets, by its name."""
        return self.query_one(f"#{name}", LineView)

    # --- what is drawn -----------------------------------------------------------------------

    def draw(self, now: float, *, fresh: bool = True) -> None:
        """Shows what is known now; where nothing is new, only what shows each second."""
        view = self.owner.view
        width = self.size.width
        if not width or not (self.query(f"#{TOP}") and self.query(f"#{KEYS}")):
            return  # it comes, or goes
        fresh = fresh or not 0 <= now - self._body_at < _SLOWEST
        if fresh:
            self.look(now)
        self.lines(TOP).show_lines([self._top(width, now)])
        trouble = broker_lines(view, width, now)
        self.resize(self.lines("trouble"), len(trouble))
        self.lines("trouble").show_lines(trouble)
        self.lines(KEYS).show_lines([self._keys(width, now)])
        if fresh:
            self._body_at = now
            self.draw_body(now)
        else:
            self.draw_ages(now)

    def look(self, now: float) -> None:
        """Finds out what more than one part of the screen tells."""

    def draw_body(self, now: float) -> None:
        """Shows what is this screen's own."""
        raise NotImplementedError

    def draw_ages(self, now: float) -> None:
        """Shows how much older it is than a second ago."""

    def about(self, now: float) -> Text:
        """What the screen is about, on its first line."""
        raise NotImplementedError

    def hints(self) -> list[tuple[str, str, str]]:
        """(key, word, action) of what matters most here, for the last line."""
        raise NotImplementedError

    @staticmethod
    def resize(view: LineView, height: int) -> None:
        """Gives a widget so many lines; a layout is dear, and only done where that changes."""
        if view.styles.height is None or view.styles.height.value != height:
            view.styles.height = height

    def _top(self, width: int, now: float) -> Text:
        view = self.owner.view
        if view.connected:
            word, style = "●", "green"
        else:
            word, style = "○ not connected", "red"
        clock = f"{datetime.fromtimestamp(now, UTC).astimezone():%H:%M:%S}"
        right = Text.assemble((word, style), f" {clock}")
        line = self.about(now)
        room = max(width - right.cell_len - 1, 0)
        line.truncate(room, overflow="ellipsis", pad=True)
        return line.append(" ").append_text(right)

    def _keys(self, width: int, now: float) -> Text:
        view = self.owner.view
        if view.notice and now < view.notice_until:
            return padded(view.notice, width, "yellow")
        line = Text()
        typing = isinstance(self.focused, Input)
        for key, word, action in _TYPING if typing else self.hints():
            piece = Text.assemble((f" {key}", "bold"), (f" {word} ", "dim"))
            if action:
                piece.stylize(Style(meta={"@click": action}))
            if line.cell_len + piece.cell_len > width:
                break
            line.append_text(piece)
        return line

    # --- the filter --------------------------------------------------------------------------

    @property
    def wanted(self) -> str:
        """What the filter lets through; everything where it is empty."""
        return self.query_one("#filter", Input).value

    def action_filter(self) -> None:
        """Opens the filter."""
        if self.filtering:
            field = self.query_one("#filter", Input)
            self.ask(field)

    def ask(self, field: Input) -> None:
        """Has something typed into a field."""
        field.add_class("shown")
        field.focus()
        self.call_after_refresh(self.owner.draw)

    def on_input_changed(self) -> None:
        """Filters while it is typed."""
        self.draw(self.owner.clock())

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Takes what was typed, and goes back to what was left for it."""
        if message.input.id == "filter":
            message.input.set_class(bool(self.wanted), "shown")
        else:
            self.answer(message.value)
            message.input.value = ""
            message.input.remove_class("shown")
        self.focus_lines()

    def answer(self, text: str) -> None:
        """Takes what was typed into a field other than the filter."""

    def action_back(self) -> None:
        """Ends what is typed; where nothing is, goes to the screen before."""
        fields = [field for field in self.query(Input) if field.has_class("shown")]
        for field in fields:
            field.value = ""
            field.remove_class("shown")
        if fields:
            self.focus_lines()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def focus_lines(self) -> None:
        """Gives the keys to the part of the screen that has most to choose from."""
        raise NotImplementedError

    # --- what happens ------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Gives the keys to where they are wanted first."""
        self.focus_lines()

    def on_screen_resume(self) -> None:
        """Draws what came while another screen was above."""
        self.owner.view.fleet.shown = self.prefix
        self.draw(self.owner.clock())

    def on_line_view_resized(self) -> None:
        """Draws for the new size, once every part knows its own."""
        if not self._to_draw:
            self._to_draw = True
            self.call_after_refresh(self._draw_resized)

    def _draw_resized(self) -> None:
        self._to_draw = False
        self.draw(self.owner.clock())
