"""All hosts, a line each: those that somebody should look at first come first."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from publisher.contract.units import Unit, duration
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import OFFLINE, STALE, Ranked, tally
from subscriber_cli.model.row import Cell
from subscriber_cli.render import theme
from subscriber_cli.render.cells import cell_text, padded
from subscriber_cli.render.head import wrap
from subscriber_cli.render.page import Page

_SHOWN_UNITS = ((Unit.CELSIUS, 8), (Unit.RPM, 10), (Unit.WATTS, 7))
"""What the body of a machine tells, and the columns that it takes."""
_STATE = 10
_AGE = 10
_FRESH = 60.0  # seconds


def tally_line(hosts: list[Ranked]) -> Text:
    """``1 hot, 7 busy, 2 offline of 60``."""
    line = Text()
    for word, count in tally(hosts):
        if word != "quiet":
            line.append(", " if line else "")
            line.append(f"{count} {word or 'without a word'}", style=f"bold {theme.of_state(word)}")
    if not line:
        line.append("all quiet", style=f"bold {theme.of_state('quiet')}")
    return line.append(f" of {len(hosts)}")


def fleet_page(hosts: list[Ranked], width: int, now: float, *, wanted: str = "") -> Page:
    """A line for each host whose name, state or sentence holds ``wanted``; a key is a prefix."""
    page = Page(frozen=1)
    shown = [each for each in hosts if not wanted or _holds(each, wanted)]
    names = [each.host.name for each in hosts]
    name_width = min(max(map(len, names), default=4), max(width // 5, 8), 32)
    units = [
        (unit, room) for unit, room in _SHOWN_UNITS if any(_body(each.host, unit) for each in hosts)
    ]
    page.add(_heading(name_width, units))
    often = Counter(names)
    for each in shown:
        host = each.host
        name = f"{host.name} {host.prefix}" if often[host.name] > 1 else host.name
        line = padded(name, name_width, theme.NAME).append("  ")
        line.append_text(_told(each, units, now)).append("  ")
        style = "dim" if each.standing in (OFFLINE, STALE) else ""
        line.append(_why(host, width - line.cell_len), style=style)
        line.truncate(width, overflow="ellipsis")
        page.add(line, host.prefix)
    if not shown:
        page.extend(wrap(f"No host answers to {wanted}." if wanted else "", width, "dim"))
    return page


def _heading(name_width: int, units: list[tuple[Unit, int]]) -> Text:
    line = Text.assemble("Host".ljust(name_width), "  ", "State".ljust(_STATE + 2))
    for unit, room in units:
        line.append(unit.rjust(room))
    line.append("age".rjust(_AGE)).append("  Why")
    line.stylize("dim")
    return line


def _told(ranked: Ranked, units: list[tuple[Unit, int]], now: float) -> Text:
    """What is told of a host behind its name."""
    host, word = ranked.host, ranked.standing
    style = theme.of_state(word)
    gone = word in (OFFLINE, STALE)
    line = Text("○ " if gone else "● ", style=style)
    line.append_text(padded(word or "no word", _STATE, style))
    for unit, room in units:
        cell = _body(host, unit)
        line.append(cell_text(cell, now).rjust(room) if cell and not host.offline else " " * room)
    heard = host.last_heard
    line.append(f"{'' if heard is None else _age(now - heard):>{_AGE}}", style="dim")
    if gone:
        line.stylize("dim")
    return line


def _why(host: KnownHost, room: int) -> str:
    """The sentence; where it has no room, the names in it, which matter most."""
    explanation = host.explanation
    if len(explanation.headline) <= room:
        return explanation.headline
    names = ", ".join(
        filter(None, (cause.told or cause.label for cause in explanation.causes if cause.active))
    )
    return names or explanation.headline.rpartition(": ")[2]


def _age(seconds: float) -> str:
    """Minutes and more: with seconds every line would be drawn again at each of them."""
    return duration(seconds) if seconds >= _FRESH else "< 1 min"


def _body(host: KnownHost, unit: Unit) -> Cell | None:
    """The first thing that the verdict's evidence has in a unit: of heat, that of the CPU."""
    cells = host.explanation.evidence.cells
    return next((cell for cell in cells if cell.column.unit == unit and cell.number), None)


def _holds(ranked: Ranked, wanted: str) -> bool:
    host = ranked.host
    words = f"{host.name} {host.prefix} {ranked.standing} {host.explanation.headline}"
    return wanted.casefold() in words.casefold()
