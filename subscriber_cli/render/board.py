"""The whole screen as lines: the sentence, the other hosts, a block for each topic, the keys."""

from __future__ import annotations

from rich.text import Text

from publisher.contract.units import duration
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.view import View
from subscriber_cli.render import theme
from subscriber_cli.render.head import fleet_line, head, wrap
from subscriber_cli.render.panels import Panel, panels

_GAP = 3  # columns between two blocks beside each other
_NARROWEST = 36  # columns in which a block still says something


def compose(view: View, width: int, height: int, now: float) -> list[Text]:
    """Exactly ``height`` lines of at most ``width`` columns."""
    host = view.host
    lines = (
        _waiting(view, width, now) if host is None else _host(view, host, width, height - 1, now)
    )
    lines = lines[: max(height - 1, 0)]
    lines += [Text()] * (height - 1 - len(lines))
    lines.append(_foot(view, width, now))
    for line in lines:
        line.truncate(width)  # what no block could foresee, in windows of a few columns
    return lines[-height:]


def _host(view: View, host: KnownHost, width: int, height: int, now: float) -> list[Text]:
    lines: list[Text] = []
    if view.trouble:
        lines += [*_trouble(view, width, now), Text()]
    hosts = list(view.fleet)
    # Those to blame get a line each on a small screen, and a reason each on a larger one.
    lines += head(host, width, min(4 + height // 6, max(height - len(lines), 0)), now)
    if len(hosts) > 1:
        lines += [Text(), *_hosts(hosts, host, width, max(height // 6, 2))]
    room = height - len(lines) - 1
    if room > 0:
        lines += [Text(), *_grid(host, width, room, now)]
    return lines


def _hosts(hosts: list[KnownHost], chosen: KnownHost, width: int, room: int) -> list[Text]:
    """A window of the list of hosts around the chosen one."""
    at = next(index for index, host in enumerate(hosts) if host is chosen)
    start = min(max(at - room // 2, 0), max(len(hosts) - room, 0))
    name_width = min(max(len(host.name) for host in hosts), 20)
    return [
        fleet_line(host, width, chosen=host is chosen, name_width=name_width)
        for host in hosts[start : start + room]
    ]


def _grid(host: KnownHost, width: int, room: int, now: float) -> list[Text]:
    count = max(min((width + _GAP) // (_NARROWEST + _GAP), 1 + width // 70), 1)
    each = (width - (count - 1) * _GAP) // count
    blocks = panels(host, each, room, now)
    columns = [_column(part, room) for part in _parts(blocks, count)]
    lines: list[Text] = []
    for row in range(max(map(len, columns), default=0)):
        line = Text()
        for index, column in enumerate(columns):
            line.pad_right(max(index * (each + _GAP) - line.cell_len, 0))
            if row < len(column):
                line.append_text(column[row])
        lines.append(line)
    return lines


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
    return [part for part in parts if part]


def _column(blocks: list[Panel], room: int) -> list[Text]:
    """Blocks below each other: all the titles, then a line for each in turn while there is room."""
    blocks = blocks[:room]
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
    lines: list[Text] = []
    for index, (block, height) in enumerate(zip(blocks, heights, strict=True)):
        if index and gap:
            lines.append(Text())
        lines += block.lines[:height]
    return lines


def _waiting(view: View, width: int, now: float) -> list[Text]:
    if view.trouble:
        return _trouble(view, width, now)
    if not view.connected:
        return wrap(f"Connecting to {view.place}", width, "bold")
    return [
        *wrap("No machine has spoken yet.", width, "bold"),
        *wrap(f"Listening on {view.place}. Is fanwhy-pub running?", width, "dim"),
    ]


def _trouble(view: View, width: int, now: float) -> list[Text]:
    wait = max(view.retry_at - now, 0.0)
    again = f"trying again in {duration(wait)}" if wait >= 1 else "trying again now"
    return wrap(f"No connection: {view.trouble} ({again})", width, theme.TROUBLE)


def _foot(view: View, width: int, now: float) -> Text:
    if view.notice and now < view.notice_until:
        line = Text(view.notice, style="yellow")
    else:
        line = Text.assemble(("q", "bold"), (" quit   ", "dim"), ("r", "bold"), (" refresh", "dim"))
        if len(list(view.fleet)) > 1:
            line.append("   ").append("n p", style="bold").append(
                " next, previous host", style="dim"
            )
        right = Text(f"sparklines: last 2 min   {view.place}", style="dim")
        if line.cell_len + right.cell_len + 3 <= width:
            line.pad_right(width - line.cell_len - right.cell_len)
            line.append_text(right)
    line.truncate(width, overflow="ellipsis")
    return line
