"""The top of the screen: the sentence first, then who is to blame and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from publisher.contract.units import Unit, duration
from subscriber_cli.model.explanation import ExplanationCause
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.render import theme
from subscriber_cli.render.bars import bar
from subscriber_cli.render.cells import cell_text, padded, pairs

EDGE = "▌ "
_INSTEAD_OF_CPU = ("disk_bytes_per_second", "memory_bytes", "power_watts")
# The machine's body comes first in the evidence: the fan is what the question was about.
_PHYSICAL = frozenset({Unit.RPM, Unit.CELSIUS, Unit.WATTS})


def head(host: KnownHost, width: int, room: int, now: float) -> list[Text]:
    """The block about one host's verdict; the sentence is whole whatever ``room`` says."""
    inner = width - len(EDGE)
    style = theme.of_state(host.state)
    lines = [*sentence(host, inner, style), _condition(host, inner, style, now)]
    more = [line for line in (evidence(host, inner, now),) if line]
    causes = _causes(host, inner, max(room - len(lines) - len(more), 0), now)
    if causes and len(lines) + len(causes) + len(more) < room:
        lines.append(Text())
    lines += causes
    if len(lines) + len(more) <= room:
        lines += more
    return [Text.assemble((EDGE, style), line) for line in lines]


def sentence(host: KnownHost, width: int, style: str) -> list[Text]:
    """The verdict in words, or why there is none."""
    headline = host.explanation.headline
    if host.offline:
        lines = wrap(f"{host.name} is offline", width, f"bold {style}")
        return lines + (wrap(f"Its last word: {headline}", width, "dim") if headline else [])
    if not headline:
        return wrap(f"{host.name} has not said yet why", width, "bold")
    return wrap(headline, width, f"bold {style}")


def _condition(host: KnownHost, width: int, style: str, now: float) -> Text:
    explanation = host.explanation
    line = Text()
    if state := host.state:
        line.append(state.upper(), style=f"bold {style}")
    if explanation.since is not None and not host.offline:
        line.append(f" for {duration(host.seconds_since(explanation.since, now))}")
    parts = [host.name]
    if host.last_heard is not None:
        parts.append(f"heard {duration(now - host.last_heard)} ago")
    unattributed = explanation.unattributed_percent
    if unattributed and not host.offline:
        parts.append(f"{unattributed:.0f} % of the work unnamed")
    line.append((" · " if line else "") + " · ".join(parts), style="dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _causes(host: KnownHost, width: int, room: int, now: float) -> list[Text]:
    causes = host.explanation.causes
    if not causes or room <= 0 or host.offline:
        return []
    names = [cause.told or cause.label or "?" for cause in causes]
    name_width = min(max(map(len, names)), max(width // 4, 12))
    # Reasons only when every cause has its line already.
    with_reasons = room >= 2 * len(causes)
    lines: list[Text] = []
    for cause, name in zip(causes, names, strict=True):
        if len(lines) >= room:
            break
        rest = cause_line(host, cause, width - name_width, now)
        lines.append(padded(name, name_width, theme.NAME).append_text(rest))
        if with_reasons and cause.reason:
            line = Text(f"  {cause.reason}", style="dim")
            hint = f" · to stop: {cause.to_stop}" if cause.to_stop else ""
            if line.cell_len + cell_len(hint) <= width:
                line.append(hint)  # half a command would be another
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
    hidden = len(causes) - sum(1 for line in lines if not line.plain.startswith("  "))
    if hidden > 0 and lines:
        lines[-1].append(f"   +{hidden} more", style="dim")
        lines[-1].truncate(width, overflow="ellipsis")
    return lines


def cause_line(host: KnownHost, cause: ExplanationCause, width: int, now: float) -> Text:
    """What is told of a cause behind its name: kind of work, share, and as many details as fit."""
    line = Text.assemble("  ", (cause.category.ljust(15)[:15], "dim"))
    share, resource = cause.share_percent, cause.resource[:7]
    if share is not None:
        length = 10 if width < 90 else 20
        full, empty = bar(share / 100, length)
        line.append(full, style=theme.of_level(share)).append(empty, style=theme.TRACK)
        line.append(f" {share:3.0f} % {resource:<7}")
    elif resource:
        line.append(resource)
    for index, detail in enumerate(_details(host, cause, now)):
        piece = Text(f"{' · ' if index else '  '}{detail}", style="dim")
        if line.cell_len + piece.cell_len > width:
            break  # half a number is no number
        line.append_text(piece)
    return line


def _details(host: KnownHost, cause: ExplanationCause, now: float) -> Iterator[str]:
    """What is told of a cause besides its share, the most important first."""
    if not cause.active:
        yield "ended"
    if cause.on_behalf_of:
        yield f"for {cause.on_behalf_of}"
    if used := _used(cause, now):
        yield used
    if cause.since is not None:
        yield duration(host.seconds_since(cause.since, now))
    if cause.process_count and cause.process_count > 1:
        yield f"{cause.process_count:.0f} processes"
    if cause.group.casefold() not in f"{cause.label} {cause.told}".casefold():
        yield cause.group


def _used(cause: ExplanationCause, now: float) -> str:
    """The one amount that says most of what a cause uses."""
    if cause.resource in ("", "cpu", "gpu"):
        cell = cause.row.cell("cpu_percent")
        text = cell_text(cell, now) if cell else ""
        percent = cell.number if cell else None
        return text if percent is None else _cores(text, percent)
    cells = filter(None, map(cause.row.cell, _INSTEAD_OF_CPU))
    return next(filter(None, (cell_text(cell, now) for cell in cells)), "")


def _cores(text: str, percent: float) -> str:
    """Percent of one core: beyond the first, people count cores."""
    return f"{percent / 100:.1f} cores" if percent >= 100 else f"{text} of a core"


def evidence(host: KnownHost, width: int, now: float) -> Text | None:
    """What was measured when the verdict was made, fans and heat first, as much as fits."""
    cells = host.explanation.evidence.cells
    if not cells or host.offline:
        return None
    first = sorted(cells, key=lambda cell: cell.column.unit not in _PHYSICAL)
    line = Text()
    for title, text in pairs(first, now):
        pair = Text.assemble("   " if line else "", (title, "dim"), " ", text)
        if line.cell_len + pair.cell_len > width:
            break
        line.append_text(pair)
    return line


def wrap(text: str, width: int, style: str) -> list[Text]:
    """A sentence on as many lines as it takes; words longer than a line are cut across lines."""
    width = max(width, 1)
    lines: list[Text] = [Text(style=style)]
    for word in text.split():
        piece = Text(word, style=style)
        while lines[-1].cell_len + bool(lines[-1]) + piece.cell_len > width:
            if not lines[-1]:
                head_part = piece.copy()
                head_part.truncate(width)
                cut = max(len(head_part.plain.rstrip()), 1)
                lines[-1].append(piece.plain[:cut])
                piece = Text(piece.plain[cut:], style=style)
            lines.append(Text(style=style))
        lines[-1].append((" " if lines[-1] else "") + piece.plain)
    return lines
