"""One host: the verdict on top, who is to blame, and below it one of several looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from publisher.contract import topics
from publisher.contract.timeline import TimelineReading
from publisher.contract.when import parse
from publisher.errors import ConfigError
from subscriber_cli.model.fleet import KnownHost, Latest
from subscriber_cli.model.info import identity
from subscriber_cli.model.ledger import ledger
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.ranking import standing, worst_first
from subscriber_cli.model.values import clean
from subscriber_cli.render import theme
from subscriber_cli.render.board import board, column_count, topic_page
from subscriber_cli.render.cells import pairs
from subscriber_cli.render.head import EDGE, wrap
from subscriber_cli.render.logbook import entries_of, log_page
from subscriber_cli.render.page import Page, heading
from subscriber_cli.render.past import SPANS, PastState, past_page, state_bar
from subscriber_cli.render.tables import TableState, ledger_page, row_page
from subscriber_cli.render.verdict import cause_page, causes, verdict
from subscriber_cli.tui.base import WatchScreen
from subscriber_cli.tui.detail import DetailScreen, MakePage
from subscriber_cli.tui.lines import LineView

_TABS = (("now", "Now"), ("who", "Who uses what"), ("log", "Log"), ("past", "Past"))
_MORE = ("Enter", "more", "screen.open")
_HINTS = {
    "now": [_MORE, ("Tab", "next part", "app.focus_next")],
    "who": [_MORE, ("s", "sort", "screen.sort(1)"), ("/", "filter", "screen.filter")],
    "log": [("Enter", "go there", "screen.open"), ("/", "search", "screen.filter")],
    "past": [
        ("←", "event before", "screen.side(-1)"),
        ("→", "next", "screen.side(1)"),
        ("@", "go to", "screen.jump"),
        ("0", "now", "screen.now"),
        ("-", "more time", "screen.zoom(1)"),
        ("+", "less", "screen.zoom(-1)"),
    ],
}
"""(key, word, action) of what matters most in each look, for the last line."""
_COLUMNS = 3
_SPACE = 1  # between a block and the mark of the one beside it
_WIDE, _HIGH = 150, 36  # columns and lines from which log and ledger stand beside the rest
_MOST_CAUSES = 4  # part of the screen's lines that they may take
_STEADY = 15.0  # seconds


class HostScreen(WatchScreen):
    """One host in full.

    Args:
        prefix: of the host.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "tab('now')", "What is measured now"),
        Binding("2", "tab('who')", "Who uses what: a table that sorts and filters"),
        Binding("3", "tab('log')", "The log: events and alerts"),
        Binding("4", "tab('past')", "The past: who was to blame when"),
        Binding("s", "sort(1)", "Sort the table by the next column"),
        Binding("S", "turn", "Turn the order of the table round"),
        Binding("left", "side(-1)", "Look before; in the past: the event before", key_display="←"),
        Binding("right", "side(1)", "Next look; in the past: the next event", key_display="→"),
        Binding("minus,z", "zoom(1)", "In the past: more time on the bar", key_display="-"),
        Binding("plus,equals_sign", "zoom(-1)", "In the past: less time", key_display="+"),
        Binding("at", "jump", "Go to a moment: 03:12, yesterday 3am, 2 h ago", key_display="@"),
        Binding("0", "now", "In the past: back to now"),
        Binding("n", "host(1)", "Next host"),
        Binding("p", "host(-1)", "Previous host"),
    ]

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self._tab = "now"
        self._table, self._side_table = TableState(), TableState()
        self._past = PastState()
        self._order: list[str] = []
        self._held = 0, 0.0  # rows of the causes, and when there were as many last
        self._timeline: tuple[Latest, TimelineReading] | None = None
        self._led = False  # whether the keys went to the causes that there are

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield from self.frame(self._body())

    @staticmethod
    def _body() -> ComposeResult:
        yield LineView(id="verdict", choosing=False)
        yield LineView(id="hour", choosing=False)
        yield LineView(id="causes-title", choosing=False)
        yield LineView(id="causes")
        yield LineView(id="tabs", choosing=False)
        with Horizontal(id="body"):
            for index in range(_COLUMNS):
                yield LineView(id=f"now-{index}")
            yield LineView(id="who")
            yield LineView(id="log")
            yield LineView(id="past")
            with Vertical(id="side"):
                yield LineView(id="side-log-title", choosing=False)
                yield LineView(id="side-log")
                yield LineView(id="side-who-title", choosing=False)
                yield LineView(id="side-who")
        yield Input(id="jump", placeholder="when? 03:12, yesterday 3am, 2 h ago; Esc ends it")

    @property
    def known(self) -> KnownHost | None:
        """The host, unless nothing is known of it any more."""
        return self.owner.view.fleet.get(self.prefix)

    def look(self, now: float) -> None:
        """Ranks the hosts, of which this is one."""
        self._order = [each.host.prefix for each in worst_first(self.owner.view.fleet, now)]

    def about(self, now: float) -> Text:
        """Which machine it is, and which of how many."""
        host = self.known
        line = Text.assemble((host.name if host else self.prefix, "bold"))
        order = self._order
        if len(order) > 1 and self.prefix in order:
            line.append(f"  {order.index(self.prefix) + 1} of {len(order)} hosts", style="dim")
        if host is not None:
            words = [text for _, text in pairs(identity(host.row(topics.INFO)).cells, now)]
            line.append("  " + " · ".join(words), style="dim")
        return line

    def hints(self) -> list[tuple[str, str, str]]:
        """What matters most here."""
        several = len(list(self.owner.view.fleet)) > 1
        found = [("q", "quit", "app.quit"), ("?", "all keys", "app.help")]
        if several:
            found.append(("Esc", "all hosts", "screen.back"))
        found += _HINTS[self._tab]
        if several:
            found.append(("n p", "other host", "screen.host(1)"))
        return [*found, ("r", "ask again", "app.ask"), ("t", "theme", "app.theme")]

    # --- what is drawn -----------------------------------------------------------------------

    def draw_body(self, now: float) -> None:
        """Verdict, causes, and the look that was chosen."""
        host = self.known
        if host is None:
            return
        self._draw_verdict(host, now)
        self._draw_causes(host, now)
        self.lines("tabs").show_lines([self._tab_line(self.size.width)])
        self._arrange()
        if self._tab == "now":
            self._draw_board(host, now)
        elif self._tab == "who":
            self._draw_ledger(host, "who", self._table, now)
        elif self._tab == "log":
            self._draw_log(host, "log", now)
        else:
            self._draw_past(host, now)
        if self._is_wide:
            width = self.lines("side-log").size.width
            self.lines("side-log-title").show_lines([heading("Log", width)])
            self.lines("side-who-title").show_lines([heading("Who uses what", width)])
            self._draw_log(host, "side-log", now)
            self._draw_ledger(host, "side-who", self._side_table, now)

    def draw_ages(self, now: float) -> None:
        """The verdict alone: it tells to the second how old it is."""
        if (host := self.known) is not None:
            self._draw_verdict(host, now)

    def _draw_verdict(self, host: KnownHost, now: float) -> None:
        said = verdict(host, self.size.width, now)
        self.resize(self.lines("verdict"), len(said))
        self.lines("verdict").show_lines(said)
        timeline = self.timeline(host)
        hour = [] if timeline is None or self._tab == "past" else [self._hour(timeline, host, now)]
        self.resize(self.lines("hour"), len(hour))
        self.lines("hour").show_lines(hour)

    def _steady(self, rows: int, now: float) -> int:
        """Rows for the causes: no fewer for a while, or what is below would flee from the mouse."""
        held, at = self._held
        if not rows or rows >= held or not 0 <= now - at < _STEADY:
            self._held = rows, now
            return rows
        return held

    def _draw_causes(self, host: KnownHost, now: float) -> None:
        width, height = self.size.width, self.size.height
        to_blame = causes(host, self.lines("causes").room, now)
        # In the past others are to blame.
        count = 0 if self._tab == "past" else len(to_blame.lines)
        rows = self._steady(min(count, max(height // _MOST_CAUSES, 2)), now)
        self.resize(self.lines("causes"), rows)
        self.resize(self.lines("causes-title"), 1 if count else 0)
        note = "Enter tells more" if width >= 60 else ""
        self.lines("causes-title").show_lines([heading("Who is to blame", width, note)])
        self.lines("causes").show(to_blame)
        # The keys go to the causes when there are some, and on when there are none any more.
        below, above = self.lines("now-0"), self.lines("causes")
        if self._tab == "now" and self.focused is (above if not count else below):
            if not count or not self._led:
                self.focus_lines()
            self._led = count > 0

    def _hour(self, timeline: TimelineReading, host: KnownHost, now: float) -> Text:
        there = host.there(now)
        line = Text.assemble((EDGE, theme.of_state(standing(host, now))), ("last hour ", "dim"))
        room = max(self.size.width - line.cell_len - len(" now"), 1)
        begin = there - SPANS[1]
        bar = state_bar(timeline, begin, there, room, there, live=not host.offline)
        line.append_text(bar).append(" now", style="dim")
        line.stylize(Style(meta={"@click": "screen.tab('past')"}))
        return line

    def _draw_past(self, host: KnownHost, now: float) -> None:
        lines = self.lines("past")
        timeline = self.timeline(host)
        if timeline is None:
            page = Page()
            words = (
                "This host has not told what it remembers. The fanwhy-pub there may be an old one."
            )
            page.extend(wrap(words, lines.room, "dim"))
        else:
            page = past_page(
                host.name, timeline, self._past, lines.room, host.there(now), live=not host.offline
            )
        lines.show(page)

    def _draw_board(self, host: KnownHost, now: float) -> None:
        room = self.lines("now-0").size.height
        count = self._column_count
        widths = [self.lines(f"now-{index}").room for index in range(count)]
        pages = board(host, min(widths) - _SPACE, count, room, now)
        for index, page in enumerate(pages):
            self.lines(f"now-{index}").show(page)

    def _draw_ledger(self, host: KnownHost, name: str, state: TableState, now: float) -> None:
        lines = self.lines(name)
        state.wanted = self.wanted if name == self._tab else ""
        lines.show(ledger_page(ledger(host), state, lines.room, now))

    def _draw_log(self, host: KnownHost, name: str, now: float) -> None:
        lines = self.lines(name)
        live = list(self.owner.view.journal.of(self.prefix))
        entries = entries_of(self.prefix, live, self.timeline(host))
        wanted = self.wanted if name == self._tab else ""
        lines.show(log_page(entries, lines.room, now, wanted=wanted))

    def timeline(self, host: KnownHost) -> TimelineReading | None:
        """What the host remembers, read once for each time that it says so."""
        latest = host.latest.get(topics.TIMELINE)
        if latest is None:
            return None
        if self._timeline is None or self._timeline[0] is not latest:
            content = latest.message.open().content
            self._timeline = latest, timeline_of(content if isinstance(content, Mapping) else {})
        return self._timeline[1]

    def _tab_line(self, width: int) -> Text:
        line = Text("─ ", style="dim")
        for number, (name, title) in enumerate(_TABS, start=1):
            style = "bold reverse" if name == self._tab else ""
            piece = Text.assemble((f" {number} {title} ", style))
            piece.stylize(Style(meta={"@click": f"screen.tab('{name}')"}))
            line.append_text(piece).append(" ")
        return line.append("─" * max(width - line.cell_len, 0), style="dim")

    # --- where things stand ------------------------------------------------------------------

    @property
    def _is_wide(self) -> bool:
        return self._tab == "now" and self.size.width >= _WIDE and self.size.height >= _HIGH

    @property
    def _column_count(self) -> int:
        share = 0.6 if self._is_wide else 1.0
        return min(column_count(int(self.size.width * share)), _COLUMNS)

    def _arrange(self) -> None:
        count = self._column_count
        for index in range(_COLUMNS):
            shown = self._tab == "now" and index < count
            self.lines(f"now-{index}").set_class(not shown, "hidden")
        for name in ("who", "log", "past"):
            self.lines(name).set_class(self._tab != name, "hidden")
        self.query_one("#side").set_class(not self._is_wide, "hidden")

    # --- what keys do ------------------------------------------------------------------------

    def action_tab(self, name: str) -> None:
        """Looks at the host in another way."""
        if name != self._tab:
            self.query_one("#filter", Input).value = ""
            self._tab = name
        self.draw(self.owner.clock())
        self.focus_lines()

    def action_filter(self) -> None:
        """Filters what can be filtered: the table, unless the log is shown."""
        if self._tab == "now":
            self.action_tab("who")
        super().action_filter()

    def action_side(self, by: int) -> None:
        """The next look, or in the past the next event; or the one before."""
        if self._tab != "past":
            names = [name for name, _ in _TABS]
            self.action_tab(names[(names.index(self._tab) + by) % len(names)])
            return
        host = self.known
        timeline = self.timeline(host) if host is not None else None
        if host is not None and timeline is not None:
            self._past.step(timeline, host.there(self.owner.clock()), by)
            self.draw(self.owner.clock())

    def action_zoom(self, by: int) -> None:
        """More time on the bar, or less."""
        self._past.zoom(by)
        self.draw(self.owner.clock())

    def action_span(self, seconds: float) -> None:
        """As much time on the bar."""
        self._past.span = seconds
        self.draw(self.owner.clock())

    def action_now(self) -> None:
        """Back to now."""
        self._past.moment = None
        self.draw(self.owner.clock())

    def action_jump(self) -> None:
        """Asks for a moment to go to."""
        self.action_tab("past")
        self.ask(self.query_one("#jump", Input))

    def answer(self, text: str) -> None:
        """Goes to the moment that was asked for."""
        host = self.known
        now = self.owner.clock()
        if host is None or not text.strip():
            return
        try:
            self._go_to(parse(text, host.there(now), option=text[:20]).begin)
        except ConfigError as error:
            self.owner.view.notify(clean(str(error)), now)
            self.draw(now)

    def _go_to(self, at: float) -> None:
        self._past.moment = at
        self.action_tab("past")

    def action_sort(self, by: int) -> None:
        """Sorts the table by another column."""
        self._shown_table.step(by)
        self.draw(self.owner.clock())

    def action_turn(self) -> None:
        """Sorts it the other way round."""
        self._shown_table.ascending = not self._shown_table.ascending
        self.draw(self.owner.clock())

    @property
    def _shown_table(self) -> TableState:
        return self._table if self._tab == "who" else self._side_table

    def action_host(self, by: int) -> None:
        """Shows the next host, or the one before, in the order of the list."""
        hosts = worst_first(self.owner.view.fleet, self.owner.clock())
        prefixes = [each.host.prefix for each in hosts]
        if len(prefixes) > 1 and self.prefix in prefixes:
            self.prefix = prefixes[(prefixes.index(self.prefix) + by) % len(prefixes)]
            self.owner.view.fleet.shown = self.prefix
            self._timeline = None
            self.draw(self.owner.clock())

    def action_open(self) -> None:
        """Tells more about the chosen line of the part that has the keys."""
        if isinstance(self.focused, LineView):
            self.focused.action_open()

    def focus_lines(self) -> None:
        """Gives the keys to the causes, or to what is below them."""
        if self._tab == "now":
            name = "causes" if self.lines("causes").keys else "now-0"
        else:
            name = self._tab
        self.lines(name).focus()

    def on_line_view_opened(self, message: LineView.Opened) -> None:
        """Tells more about a line."""
        name, key = message.view.id or "", message.key
        if name == "causes":
            self._detail("who is to blame", lambda *at: cause_page(at[0], key, at[1], at[2]))
        elif name.startswith("now-"):
            self._detail(key, lambda *at: topic_page(at[0], key, at[1], at[2]))
        elif name.endswith("log"):
            self._go_to(float(key))
        elif name.endswith("who"):
            self._detail("who uses what", lambda *at: _row(at[0], key, at[1], at[2]))

    def on_line_view_heading_clicked(self, message: LineView.HeadingClicked) -> None:
        """Sorts by the column that was clicked; in the past, goes to the moment."""
        host = self.known
        if message.view.id == "past" and host is not None:
            self._past.point(message.x, message.view.room, host.there(self.owner.clock()))
            self.draw(self.owner.clock())
            return
        state = self._table if message.view.id == "who" else self._side_table
        if name := state.at(message.x):
            state.choose(name)
            self.draw(self.owner.clock())

    def _detail(self, about: str, make: MakePage) -> None:
        self.app.push_screen(DetailScreen(self.prefix, about, make))


def _row(host: KnownHost, key: str, width: int, now: float) -> Page:
    found = next((row for row in ledger(host).rows if row.key == key), None)
    return row_page(found, width, now)
