"""Everything about one host that is measured: a block for each topic, in columns."""

from __future__ import annotations

from rich.text import Text

from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.render.page import Page
from subscriber_cli.render.panels import Panel, chart, panel, panels

_GAP = 3  # columns between two blocks beside each other
_NARROWEST = 36  # columns in which a block still says something
_LONGEST = 200  # lines of one block, where it has the screen to itself
_COUNTED = 10  # lines without room that are told by their number; each has to be made for that
_CHART_ROWS = 4


def column_count(width: int) -> int:
    """How many blocks stand beside each other in so many columns of a terminal."""
    return max(min((width + _GAP) // (_NARROWEST + _GAP), 1 + width // 70), 1)


def board(host: KnownHost, width: int, count: int, room: int, now: float) -> list[Page]:
    """The blocks of all topics in ``count`` columns of ``width``: a page a column.

    All titles come first, then as many lines of each as ``room`` lines hold; a title tells how
    many more there are, and its key is the topic.
    """
    most = room + _COUNTED
    blocks = panels(host, width, most, now)
    return [_column(part, width, room, most) for part in _parts(blocks, count)]


def topic_page(host: KnownHost, leaf: str, width: int, now: float) -> Page:
    """All lines about one topic, its last minutes on top."""
    page = Page()
    if leaf not in host.latest:
        page.add(Text("Nothing is said of this any more.", style="dim"))
        return page
    page.extend(chart(host, leaf, width, _CHART_ROWS, now))
    page.extend(panel(host, leaf, width, _LONGEST, now).lines)
    return page


def _parts(blocks: list[Panel], count: int) -> list[list[Panel]]:
    """The blocks in reading order down the columns, cut where the columns come out most even."""
    parts: list[list[Panel]] = []
    rest = list(blocks)
    for left in range(count, 0, -1):
        # What a block could use beyond a handful of lines says little about its weight.
        weights = [min(len(block.lines), 8) + 1 for block in rest]
        share, taken, weight = sum(weights) / left, 0, 0.0
        while taken < len(rest) and (not taken or weight + weights[taken] / 2 <= share):
            weight += weights[taken]
            taken += 1
        if left == 1:
            taken = len(rest)
        parts.append(rest[:taken])
        rest = rest[taken:]
    return parts


def _column(blocks: list[Panel], width: int, room: int, most: int) -> Page:
    """Blocks below each other: all the titles, then a line for each in turn while there is room."""
    gap = 1 if len(blocks) * 3 - 1 <= room else 0
    heights = [1] * len(blocks)
    spare = room - len(blocks) - gap * (len(blocks) - 1)
    growing = True
    while spare > 0 and growing:
        growing = False
        for index, block in enumerate(blocks):
            if spare > 0 and heights[index] < len(block.lines):
                heights[index] += 1
                spare -= 1
                growing = True
    page = Page()
    for index, (block, height) in enumerate(zip(blocks, heights, strict=True)):
        if index and gap:
            page.add(Text())
        title, *details = block.lines[:height]
        hidden = len(block.lines) - height
        mark = "…" if len(block.lines) >= most else str(hidden)
        page.add(_marked(title, width, f" +{mark}") if hidden else title, block.leaf)
        page.extend(details)
    return page


def _marked(title: Text, width: int, mark: str) -> Text:
    """A block's title, and at its end how many of its lines are not shown."""
    title.truncate(max(width - len(mark), 0), pad=True)
    return title.append(mark, style="dim")
