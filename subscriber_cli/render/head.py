"""The top of the screen: the sentence first, then who is to blame and what speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from publisher.contract.metric import Kind
from publisher.contract.topics import EXPLANATION
from publisher.contract.units import duration
from subscriber_cli.model.catalogue import Column, present
from subscriber_cli.model.fleet import Host
from subscriber_cli.model.values import items, mapping, number, words
from subscriber_cli.render import theme
from subscriber_cli.render.bars import bar
from subscriber_cli.render.show import cell, pairs, value_text

EDGE = "▌ "
_INSTEAD_OF_CPU = ("disk_bytes_per_second", "memory_bytes", "power_watts")


def head(host: Host, width: int, room: int, now: float) -> list[Text]:
    """The block about one host's verdict; the sentence is whole whatever ``room`` says."""
    inner = width - len(EDGE)
    style = theme.of_state(host.state)
    lines = [*_sentence(host, inner, style), _condition(host, inner, style, now)]
    more = [line for line in (_evidence(host, inner, now),) if line]
    causes = _causes(host, inner, max(room - len(lines) - len(more), 0), now)
    if causes and len(lines) + len(causes) + len(more) < room:
        lines.append(Text())
    lines += causes
    if len(lines) + len(more) <= room:
        lines += more
    return [Text.assemble((EDGE, style), line) for line in lines]


def fleet_line(host: Host, width: int, *, chosen: bool, name_width: int) -> Text:
    """One host among several: its state and its sentence, as much as fits."""
    style = theme.of_state(host.state)
    line = Text.assemble(
        ("▸ " if chosen else "  ", "bold"),
        (host.name.ljust(name_width)[:name_width], "bold" if chosen else ""),
        "  ",
        ("● ", style),
        (f"{host.state or 'no word yet':<9}", style),
        (words(host.explanation, "headline"), "dim" if host.offline else ""),
    )
    line.truncate(width, overflow="ellipsis")
    return line


def _sentence(host: Host, width: int, style: str) -> list[Text]:
    headline = words(host.explanation, "headline")
    if host.offline:
        lines = wrap(f"{host.name} is offline", width, f"bold {style}")
        return lines + (wrap(f"Its last word: {headline}", width, "dim") if headline else [])
    if not headline:
        return wrap(f"{host.name} has not said yet why", width, "bold")
    return wrap(headline, width, f"bold {style}")


def _condition(host: Host, width: int, style: str, now: float) -> Text:
    explanation = host.explanation
    line = Text()
    if state := host.state:
        line.append(state.upper(), style=f"bold {style}")
    since = None if host.offline else host.since(explanation.get("since"), now)
    if since is not None:
        line.append(f" for {duration(since)}")
    parts = [host.name]
    if host.last_heard is not None:
        parts.append(f"heard {duration(now - host.last_heard)} ago")
    unattributed = number(explanation.get("unattributed_percent"))
    if unattributed and not host.offline:
        parts.append(f"{unattributed:.0f} % of the work unnamed")
    line.append((" · " if line else "") + " · ".join(parts), style="dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _causes(host: Host, width: int, room: int, now: float) -> list[Text]:
    causes = items(host.explanation, "causes")
    if not causes or room <= 0 or host.offline:
        return []
    declared = _declared(host, "causes")
    names = [words(cause, "label") or "?" for cause in causes]
    name_width = min(max(map(len, names)), max(width // 4, 12))
    # Reasons only when every cause has its line already.
    with_reasons = room >= 2 * len(causes)
    lines: list[Text] = []
    for cause, name in zip(causes, names, strict=True):
        if len(lines) >= room:
            break
        rest = _cause(host, declared, cause, width - name_width, now)
        lines.append(cell(name, name_width, theme.NAME).append_text(rest))
        if with_reasons and (reason := words(cause, "reason")):
            line = Text(f"  {reason}", style="dim")
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
    hidden = len(causes) - sum(1 for line in lines if not line.plain.startswith("  "))
    if hidden > 0 and lines:
        lines[-1].append(f"   +{hidden} more", style="dim")
        lines[-1].truncate(width, overflow="ellipsis")
    return lines


def _cause(
    host: Host,
    declared: tuple[Column, ...],
    cause: Mapping[str, Any],
    width: int,
    now: float,
) -> Text:
    line = Text.assemble("  ", (words(cause, "category").ljust(15)[:15], "dim"))
    share = number(cause.get("share_percent"))
    resource = words(cause, "resource")[:7]
    if share is not None:
        length = 10 if width < 90 else 20
        full, empty = bar(share / 100, length)
        line.append(full, style=theme.BAR).append(empty, style=theme.TRACK)
        line.append(f" {share:3.0f} % {resource:<7}")
    elif resource:
        line.append(resource)
    details = [] if cause.get("active") is not False else ["ended"]
    known = {column.name: column for column in present(declared, cause)}
    keys = ("cpu_percent",) if resource in ("", "cpu", "gpu") else _INSTEAD_OF_CPU
    for key in keys:
        if key in known and (text := value_text(known[key], cause[key], now)):
            details.append(_cores(text, cause[key]) if key == "cpu_percent" else text)
            break
    if (since := host.since(cause.get("since"), now)) is not None:
        details.append(duration(since))
    count = number(cause.get("process_count"))
    if count and count > 1:
        details.append(f"{count:.0f} processes")
    group = words(cause, "group")
    if group.casefold() not in words(cause, "label").casefold():
        details.append(group)
    for index, detail in enumerate(details):
        piece = Text(f"{' · ' if index else '  '}{detail}", style="dim")
        if line.cell_len + piece.cell_len > width:
            break  # half a number is no number
        line.append_text(piece)
    return line


def _cores(text: str, percent: float) -> str:
    """Percent of one core: beyond the first, people count cores."""
    return f"{percent / 100:.1f} cores" if percent >= 100 else f"{text} of a core"


def _evidence(host: Host, width: int, now: float) -> Text | None:
    evidence = mapping(host.explanation, "evidence")
    if not evidence or host.offline:
        return None
    columns = present(_declared(host, "evidence"), evidence)
    # The machine's body first: the fan is what the question was about.
    physical = [column for column in columns if column.unit in ("rpm", "°C", "W")]
    others = [column for column in columns if column not in physical]
    line = Text()
    for title, text in pairs([*physical, *others], evidence, now):
        pair = Text.assemble("   " if line else "", (title, "dim"), " ", text)
        if line.cell_len + pair.cell_len > width:
            break
        line.append_text(pair)
    return line


def _declared(host: Host, field: str) -> tuple[Column, ...]:
    for column in host.catalogue.topics.get(EXPLANATION, ()):
        if column.name == field and column.kind in (Kind.RECORDS, Kind.GROUP):
            return column.of
    return ()


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
