"""The verdict as people keep it open: the sentence, since when, who is to blame, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from publisher.contract.units import duration
from publisher.contract.when import clock
from subscriber_cli.model.explanation import Explanation, ExplanationCause
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import OFFLINE, STALE, standing
from subscriber_cli.model.view import View
from subscriber_cli.render import theme
from subscriber_cli.render.bars import bar
from subscriber_cli.render.cells import padded, pairs
from subscriber_cli.render.head import EDGE, cause_line, evidence, sentence, wrap
from subscriber_cli.render.page import Page, heading

_MOST_LINES = 6  # of one sentence; a daemon's is of 255 characters
_SHARE = 41  # columns of what stands behind a name at least
_ROOMY = 100  # columns from which a cause has its whole name
_TITLE = 13  # columns of what stands left of a fact
# Told in words above the table of a cause's other fields, or without a use for people.
_TOLD = frozenset(
    {"label", "name", "category", "kind", "group", "on_behalf_of", "since", "active", "confidence",
     "usual", "reason", "to_stop", "share_percent", "resource"}
)  # fmt: skip


def verdict(host: KnownHost, width: int, now: float) -> list[Text]:
    """The sentence, whole; the state and since when; what was measured."""
    inner = width - len(EDGE)
    style = theme.of_state(standing(host, now))
    lines = [*sentence(host, inner, style)[:_MOST_LINES], _condition(host, inner, now)]
    if measured := evidence(host, inner, now):
        lines.append(measured)
    if (hint := host.explanation.hint) and not host.offline:
        lines += wrap(hint, inner, "yellow")[:2]
    return [Text.assemble((EDGE, style), line) for line in lines]


def _condition(host: KnownHost, width: int, now: float) -> Text:
    explanation, word = host.explanation, standing(host, now)
    line = Text()
    if word:
        line.append(f" {word.upper()} ", style=f"bold reverse {theme.of_state(word)}")
    found = list(_times(host, explanation, word, now))
    line.append(" " + " · ".join(found) if found else "")
    line.truncate(width, overflow="ellipsis")
    return line


def _times(host: KnownHost, explanation: Explanation, word: str, now: float) -> Iterator[str]:
    """Since when, until when, and how old that is."""
    if explanation.since is not None and word not in (OFFLINE, STALE):
        lasted = host.seconds_since(explanation.since, now)
        yield f"since {clock(now - lasted, now)} ({duration(lasted)})"
    if explanation.quiet_in_seconds and word not in (OFFLINE, STALE):
        yield f"quiet again in about {duration(explanation.quiet_in_seconds)}"
    if explanation.unattributed_percent and word != OFFLINE:
        yield f"{explanation.unattributed_percent:.0f} % of the work unnamed"
    if host.last_heard is not None:
        yield f"heard {duration(now - host.last_heard)} ago"


def causes(host: KnownHost, width: int, now: float) -> Page:
    """Those to blame, a line each, the largest share first."""
    page = Page()
    found = ordered(host)
    if not found or host.offline:
        return page
    # On a small screen the group stands behind, as far as there is room.
    names = [
        (cause.name if width >= _ROOMY else cause.told or cause.label) or "?" for cause in found
    ]
    most = width // 3 if width >= _ROOMY else width - _SHARE
    name_width = min(max(map(len, names)), max(most, 12))
    for cause, name in zip(found, names, strict=True):
        rest = cause_line(host, cause, width - name_width, now)
        page.add(padded(name, name_width, theme.NAME).append_text(rest), cause_key(cause))
    return page


def ordered(host: KnownHost) -> list[ExplanationCause]:
    """The causes by their share, those at work before those whose heat is left."""
    return sorted(
        host.explanation.causes,
        key=lambda cause: (not cause.active, -(cause.share_percent or 0.0)),
    )


def cause_key(cause: ExplanationCause) -> str:
    """By what a cause is known from one verdict to the next."""
    pid = cause.row.number("pid") or 0
    return f"{cause.group}\0{cause.label}\0{cause.resource}\0{pid:.0f}"


def cause_page(host: KnownHost, key: str, width: int, now: float) -> Page:
    """All that is known of one cause, and what somebody can do about it."""
    page = Page()
    found = next((cause for cause in host.explanation.causes if cause_key(cause) == key), None)
    if found is None:
        page.extend(wrap("It is over: nobody is blamed for that any more.", width, "dim"))
    else:
        page.extend(_cause(host, found, width, now))
    page.add(Text())
    page.add(heading("Who else was looked at", width))
    cleared = host.explanation.cleared
    for other in cleared:
        page.extend(_fact(other.label or "?", other.reason, width, name=24))
    if not cleared:
        page.add(Text("Nobody else did enough to be asked about.", style="dim"))
    if cells := host.explanation.evidence.cells:
        page.add(Text())
        page.add(heading("Measured on the machine", width))
        page.extend(_table(pairs(cells, now), width))
    return page


def _cause(host: KnownHost, cause: ExplanationCause, width: int, now: float) -> Iterator[Text]:
    name = cause.name or "?"
    yield from wrap(name, width, "bold")
    if cause.share_percent is not None:
        full, empty = bar(cause.share_percent / 100, max(min(width - 24, 60), 4))
        line = Text.assemble((full, theme.of_level(cause.share_percent)), (empty, theme.TRACK))
        yield line.append(f" {cause.share_percent:3.0f} % of {cause.resource or 'the load'}")
    yield Text()
    sure = cause.row.number("confidence")
    kind = cause.row.cell("kind")
    words = [cause.category, str(kind.value) if kind is not None else ""]
    words.append(f"{100 * sure:.0f} % sure" if sure is not None else "")
    yield from _fact("Why", cause.reason, width)
    yield from _fact("Kind", " · ".join(filter(None, words)), width)
    yield from _fact("Works for", cause.on_behalf_of, width)
    if cause.since is not None:
        lasted = host.seconds_since(cause.since, now)
        yield from _fact("Since", f"{clock(now - lasted, now)} ({duration(lasted)})", width)
    if not cause.active:
        yield from _fact("Over", "its work has ended; its heat is left", width)
    usual = cause.row.cell("usual")
    yield from _fact("Usual", str(usual.value) if usual is not None else "", width)
    yield Text()
    yield heading("What it uses", width)
    cells = [cell for cell in cause.row.cells if cell.column.name not in _TOLD]
    yield from _table(pairs((cell for cell in cells if cell.number != 0), now), width)
    yield Text()
    yield heading("What you can do", width)
    if cause.to_stop:
        yield from wrap("This stops or pauses it:", width, "dim")
        yield from wrap(f"  {cause.to_stop}", width, "bold")
    else:
        yield from wrap("No command is known that would stop it without harm.", width, "dim")


def _fact(title: str, text: str, width: int, *, name: int = _TITLE) -> Iterator[Text]:
    """A title and what is told under it, on as many lines as it takes."""
    if not text:
        return
    start = padded(title, name, "dim").append(" ")
    for line in wrap(text, max(width - name - 1, 8), ""):
        yield start.append_text(line)
        start = Text(" " * (name + 1))


def _table(found: list[tuple[str, str]], width: int) -> Iterator[Text]:
    """Titles and values below each other, in two columns where there is room."""
    if not found:
        yield Text("Nothing more is known.", style="dim")
        return
    name = min(max(len(title) for title, _ in found), 28)
    value = max(len(text) for _, text in found)
    each = name + 2 + max(value, 12) + 3
    count = max(min(width // each, 3), 1)
    rows = -(-len(found) // count)
    for row in range(rows):
        line = Text()
        for title, text in found[row::rows]:
            part = padded(title, name, "dim").append("  ").append(text)
            if count > 1:
                part.truncate(each, pad=True)
            line.append_text(part)
        line.truncate(width, overflow="ellipsis")
        yield line


def broker_lines(view: View, width: int, now: float) -> list[Text]:
    """What is wrong with the connection; nothing where nothing is."""
    if not view.trouble:
        return []
    wait = max(view.retry_at - now, 0.0)
    again = f"trying again in {duration(wait)}" if wait >= 1 else "trying again now"
    return wrap(f"No connection: {view.trouble} ({again})", width, theme.TROUBLE)[:3]


def waiting(view: View, width: int) -> list[Text]:
    """What there is to say while no machine has spoken, and what would help."""
    if view.trouble:
        words = "A broker is mosquitto, say; or fanwhy-pub run, which brings its own."
        return wrap(words, width, "dim")
    if not view.connected:
        return wrap(f"Connecting to {view.place}", width, "bold")
    return [
        *wrap("No machine has spoken yet.", width, "bold"),
        *wrap(f"Listening on {view.place}.", width, "dim"),
        *wrap("Start fanwhy-pub run on the machine that you want to watch.", width, "dim"),
    ]
