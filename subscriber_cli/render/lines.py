"""One message as one line; and how a line gets onto the terminal or into a pipe."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.content import Contents, Withdrawn, content_of
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.event import EventMessage
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.values import clean
from subscriber_cli.render import theme
from subscriber_cli.render.cells import summary

_MOST_NAMES = 64  # of topics that a catalogue describes


def message_line(message: Received, host: KnownHost | None, now: float) -> Text:
    """One message for people: when, who, what about, and the few numbers that say it."""
    at = message.made_at
    clock = datetime.fromtimestamp(now if at is None else at, UTC).astimezone()
    text = Text.assemble(
        (f"{clock:%H:%M:%S} ", "dim"),
        (f"{host.name if host else clean(message.prefix)} ", ""),
        (f"{clean(message.leaf):<11} ", "bold"),
    )
    match content_of(message, host.catalogue if host else Catalogue()):
        case Withdrawn():
            return text.append("withdrawn", style="dim")
        case OnlineStatus() as presence:
            style = "" if presence is OnlineStatus.ONLINE else theme.of_state(presence)
            return text.append(presence, style=style)
        case Explanation(state=state, headline=headline):
            text.append(f"{state.upper()} ", style=f"bold {theme.of_state(state)}")
            return text.append(headline)
        case EventMessage(said, severity):
            return text.append(said, style=theme.of_severity(severity))
        case Contents(leaves):
            return text.append(f"describes {', '.join(leaves[:_MOST_NAMES])}", style="dim")
        case row:
            return text.append(summary(row, now))


def show(console: Console, line: Text) -> None:
    """Prints a line whole: over several of a terminal's, and as one where there is none."""
    if console.is_terminal:
        console.print(line)
    else:
        print(line.plain.rstrip())
