"""The widget that all screens are made of: lines that are scrolled, chosen from and clicked.

Only lines that differ are drawn again, which a machine at rest and SSH are glad of. A line is a
``Text`` from ``render``: nothing in it is ever taken for markup.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from subscriber_cli.render.page import Page

_WHEEL = 3  # lines at a turn of the wheel
_CHOSEN = Style(reverse=True, bold=True)
_MARK = Style(reverse=True, dim=True)


class LineView(Widget, can_focus=True):
    """Some lines of a page, as many as fit; one of those that open something is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next line", key_display="j ↓"),
        Binding("k,up", "move(-1)", "Previous line", key_display="k ↑"),
        Binding("pagedown,space", "page(1)", "Next page", key_display="PgDn Space"),
        Binding("pageup,b", "page(-1)", "Previous page", key_display="PgUp b"),
        Binding("home,g", "edge(-1)", "First line", key_display="Home g"),
        Binding("end,G", "edge(1)", "Last line", key_display="End G"),
        Binding("enter", "open", "Tell more about the chosen line", key_display="Enter"),
    ]
    DEFAULT_CSS = "LineView { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False

    class Opened(Message):
        """Somebody wants to know more about a line."""

        def __init__(self, view: LineView, key: str) -> None:
            super().__init__()
            self.view = view
            self.key = key

    class Resized(Message):
        """There is more room now, or less: a page for it is wanted."""

    class HeadingClicked(Message):
        """Somebody clicked one of the frozen lines."""

        def __init__(self, view: LineView, x: int, y: int) -> None:
            super().__init__()
            self.view = view
            self.x = x
            self.y = y

    def __init__(self, *, id: str, choosing: bool = True) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.can_focus = choosing
        self.chosen = ""
        self._gutter = 2 if choosing else 0
        self._page = Page()
        self._top = 0
        self._moved = False  # whether somebody has chosen a line
        self._strips: dict[int, Strip] = {}

    @property
    def room(self) -> int:
        """Columns of a line."""
        return max(self.size.width - self._gutter, 1)

    @property
    def keys(self) -> list[str]:
        """What the lines open, in their order."""
        return [key for key in self._page.keys if key]

    def show(self, page: Page) -> None:
        """Shows a page in the place of the one before, at the same place."""
        before = self._page
        self._page = page
        if len(before.lines) != len(page.lines) or before.frozen != page.frozen:
            self._strips.clear()
            self._keep_inside()
            self.refresh()
            return
        moved = before.keys != page.keys
        for index, (old, new) in enumerate(zip(before.lines, page.lines, strict=True)):
            if moved or old != new or old.style != new.style:
                self._strips.pop(index, None)
                self._draw_again(index)
        if moved:
            self._keep_inside()

    def show_lines(self, lines: list[Text]) -> None:
        """Shows lines that open nothing."""
        self.show(Page(lines, [""] * len(lines)))

    # --- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The line of the page that is at row ``y`` of the widget."""
        base, width = self.rich_style, self.size.width
        frozen = self._page.frozen
        index = y if y < frozen else y + self._top
        if index >= len(self._page.lines):
            return Strip.blank(width, base)
        strip = self._strips.get(index)
        if strip is None:
            text = self._page.lines[index].copy()
            text.truncate(self.room)
            text.stylize_before(text.style)  # which Rich leaves out where there is no other
            segments = [part for part in text.render(self.app.console) if part.text != "\n"]
            strip = self._strips[index] = Strip(segments)
        if self._gutter:
            mark = "▸ " if self._is_chosen(index) else "  "
            strip = Strip.join([Strip([Segment(mark)], self._gutter), strip])
        strip = strip.adjust_cell_length(width)
        if self._is_chosen(index) and self.has_focus:
            # Colours turned round would make blocks of thin bars.
            strip = Strip([Segment(strip.text, _CHOSEN)], width)
        if hidden := self._hidden(y):
            mark = f" {hidden} "
            cut = strip.crop(0, max(width - len(mark), 0))
            strip = Strip.join([cut, Strip([Segment(mark, _MARK)], len(mark))])
        return strip.adjust_cell_length(width).apply_style(base)

    def _hidden(self, y: int) -> str:
        """What a row says of the lines beyond it; only the first and the last have to."""
        below = len(self._page.lines) - self._top - self.size.height
        if y == self.size.height - 1 and below > 0:
            return f"▼ {below} more"
        if y == self._page.frozen and self._top > 0:
            return f"▲ {self._top} more"
        return ""

    def _is_chosen(self, index: int) -> bool:
        key = self._page.keys[index]
        return bool(key) and key == self.chosen

    def _draw_again(self, index: int) -> None:
        row = index if index < self._page.frozen else index - self._top
        if 0 <= row < self.size.height:
            self.refresh(Region(0, row, self.size.width, 1))

    # --- moving ------------------------------------------------------------------------------

    def _keep_inside(self) -> None:
        self._top = min(self._top, self._lowest)
        keys = self._page.keys
        if not self._moved or self.chosen not in keys or not self.chosen:
            # Whoever has chosen nothing looks at what comes first, whatever that is.
            self.chosen = next(filter(None, keys), "")

    @property
    def _lowest(self) -> int:
        return max(len(self._page.lines) - self.size.height, 0)

    def _scroll(self, by: int) -> bool:
        top = min(max(self._top + by, 0), self._lowest)
        moved = top != self._top
        if moved:
            self._top = top
            self.refresh()
        return moved

    def _reveal(self, index: int) -> None:
        frozen, height = self._page.frozen, max(self.size.height, 1)
        if index < frozen:
            return
        first, last = self._top + frozen, self._top + height - 1
        # The last and the first row carry the marks of what is beyond them.
        if index < first + (self._top > 0):
            self._scroll(index - first - 1)
        elif index > last - (self._top < self._lowest):
            self._scroll(index - last + 1)

    def _choose(self, key: str) -> None:
        self.chosen, self._moved = key, True
        self.refresh()

    def action_move(self, by: int) -> None:
        """Chooses the next line, or the one before; scrolls where none opens anything."""
        keys = self._page.keys
        at = keys.index(self.chosen) if self.chosen in keys else -1
        beyond = range(at + by, len(keys) if by > 0 else -1, by)
        index = next((index for index in beyond if keys[index]), None)
        far = self.size.height
        if index is None or (at >= 0 and abs(index - at) > far and self._scroll(by)):
            self._scroll(by)
            return
        self._choose(keys[index])
        self._reveal(index)

    def action_page(self, by: int) -> None:
        """Goes on, or back, by as many lines as are shown."""
        step = max(self.size.height - self._page.frozen - 1, 1)
        keys = self._page.keys
        self._scroll(by * step)
        at = keys.index(self.chosen) if self.chosen in keys else 0
        near = min(max(at + by * step, 0), len(keys) - 1) if keys else 0
        order = sorted(range(len(keys)), key=lambda index: abs(index - near))
        index = next((index for index in order if keys[index]), None)
        if index is not None:
            self._choose(keys[index])

    def action_edge(self, side: int) -> None:
        """Goes to the first line, or to the last."""
        self._scroll(side * len(self._page.lines))
        if keys := self.keys:
            self._choose(keys[0] if side < 0 else keys[-1])
            self._moved = side > 0

    def action_open(self) -> None:
        """Asks for more about the chosen line."""
        if self.chosen:
            self.post_message(self.Opened(self, self.chosen))

    # --- the mouse ---------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Opens what is under the mouse."""
        if event.style.meta.get("@click"):
            return
        if event.y < self._page.frozen:
            self.post_message(self.HeadingClicked(self, event.x - self._gutter, event.y))
            return
        if (
            self._hidden(event.y)
            and event.x > self.size.width // 2
            and self._page.frozen != event.y
        ):
            self.action_page(1)
            return
        index = event.y + self._top
        key = self._page.keys[index] if index < len(self._page.keys) else ""
        if key:
            self._choose(key)
            self.post_message(self.Opened(self, key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Goes on."""
        event.stop()
        self._scroll(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Goes back."""
        event.stop()
        self._scroll(-_WHEEL)

    def on_resize(self) -> None:
        """Whatever was drawn for another width is drawn again."""
        self._strips.clear()
        self._keep_inside()
        self.post_message(self.Resized())

    def on_focus(self) -> None:
        """The chosen line shows that keys go there."""
        self.refresh()

    def on_blur(self) -> None:
        """And that they go elsewhere."""
        self.refresh()
