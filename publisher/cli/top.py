"""``fanwhy-pub top``: the ledger as a table, without a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, print_json
from publisher.contract.printable import printable
from publisher.contract.units import Unit, humanise
from publisher.errors import ConfigError
from publisher.ledger import Account, Balance, Ledger, open_ledger
from publisher.ledger.merge import merged
from publisher.sources import Sources, local_time, machine_files

_PERIOD = 2.0  # seconds of one window; what is asked for is made of these
_ROWS = 20
_WIDE = 1 << 16
_LEAST_WHO, _MOST_WHO = 16, 40
_TEXTS = ("who", "kind", "since")
# What a narrow terminal goes without, the first of these first.
_LEAST_WANTED = ("gone %", "waits %", "net", "procs", "since", "disk", "kind", "memory")


def command(  # noqa: PLR0917  # options, never passed by position
    seconds: Annotated[
        float, typer.Option("--seconds", help="How long to look.", min=0.5, max=3600)
    ] = _PERIOD,
    live: Annotated[
        bool, typer.Option("--live", help="Go on until Ctrl-C, a new table every few seconds.")
    ] = False,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Show who uses the processors, the disks and the memory, work that is over included.

    The line on top is the balance: what the machine did is what groups of processes did, and a
    rest that nobody could be named for. Percent is of one core.

    Examples:
        fanwhy-pub top
        fanwhy-pub top --live
        fanwhy-pub top --seconds 10 --json | jq '.groups[0].label'
    """
    if live and as_json:
        raise ConfigError("--live draws a screen and --json prints one document: choose one")
    settings = settings_of(broker, prefix, config).settings
    sources = Sources(files=machine_files(settings.root))
    local_time.follow(sources.files)
    ledger = open_ledger(sources, settings.ledger)
    try:
        ledger.sample()
        if live:
            _draw(ledger, seconds)
        else:
            balance = merged(list(_windows(ledger, seconds)))
            if as_json:
                print_json(document(balance))
            else:
                show(console(), balance)
    finally:
        ledger.close()
        sources.files.close()
    return 0


def _windows(ledger: Ledger, seconds: float) -> Iterator[Balance]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        # No window shorter than half: a sliver at the end would be measured badly.
        time.sleep(left if left < 1.5 * _PERIOD else _PERIOD)
        if (balance := ledger.sample()) is not None:
            yield balance


def _draw(ledger: Ledger, seconds: float) -> None:
    out = console()
    if not out.is_terminal:  # one table after the other, each at once
        while True:
            show(out, merged(list(_windows(ledger, seconds))))
    with Live(console=out, screen=True, auto_refresh=False) as screen:
        while True:
            balance = merged(list(_windows(ledger, seconds)))
            rows = max(out.height - 4, 5)
            screen.update(table(balance, rows, out.width), refresh=True)


def show(out: Console, balance: Balance) -> None:
    """Prints the table: as wide as the terminal, or as it likes where there is none."""
    if out.is_terminal:
        out.print(table(balance, width=out.width))
    else:
        out.width = _WIDE  # or it would be squeezed into the 80 that are taken for a terminal's
        out.print(table(balance), crop=False, no_wrap=True)
    out.file.flush()


def document(balance: Balance) -> dict[str, Any]:
    """The balance as one object, numbers rounded; what is not known is left out."""
    return {
        "seconds": round(balance.window_seconds, 3),
        "cores": balance.cores,
        "busy_percent": round(balance.percent(balance.busy_seconds), 2),
        "named_percent": round(balance.percent(balance.named_seconds), 2),
        "unattributed_percent": round(balance.percent(balance.unattributed_seconds), 2),
        "irq_percent": round(balance.percent(balance.irq_seconds), 2),
        "steal_percent": round(balance.percent(balance.steal_seconds), 2),
        "guest_percent": round(balance.percent(balance.guest_seconds), 2),
        "groups": [_group(account, balance) for account in balance.accounts],
    }


def _group(account: Account, balance: Balance) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "label": account.group.label,
        "kind": str(account.group.kind),
        "cpu_percent": round(balance.percent(account.cpu_seconds), 2),
        "short_lived_percent": round(balance.percent(account.short_lived_seconds), 2),
        "disk_read_bytes_per_second": _whole(account.disk_read_bytes_per_second),
        "disk_write_bytes_per_second": _whole(account.disk_write_bytes_per_second),
        "network_receive_bytes_per_second": _whole(account.network_receive_bytes_per_second),
        "network_transmit_bytes_per_second": _whole(account.network_transmit_bytes_per_second),
        "memory_bytes": account.memory_bytes,
        "memory_growth_bytes_per_second": _whole(account.memory_growth_bytes_per_second),
        "process_count": account.process_count,
        "thread_count": account.thread_count,
        "wait_percent": None
        if account.wait_seconds is None
        else round(balance.percent(account.wait_seconds), 2),
        "since": None
        if account.since is None
        else datetime.fromtimestamp(account.since, UTC).isoformat(timespec="seconds"),
        "own": account.group.own or None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def table(balance: Balance, rows: int = _ROWS, width: int = _WIDE) -> RenderableType:
    """The balance in a line, then the groups that matter most."""
    percent = balance.percent
    line = (
        f"busy {percent(balance.busy_seconds):.0f} % = "
        f"named {percent(balance.named_seconds):.0f} % + "
        f"unattributed {percent(balance.unattributed_seconds):.0f} %"
    )
    apart = [
        f"{name} {percent(seconds):.0f} %"
        for name, seconds in (("irq", balance.irq_seconds), ("steal", balance.steal_seconds))
        if percent(seconds) >= 0.5
    ]
    about = f"  (percent of one core of {balance.cores})"
    accounts = balance.accounts[:rows]
    shown = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    columns = _fitting(_columns(accounts, balance), width)
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    rest = sum(1 + widths[title] for title in columns if title != "who")
    widths["who"] = min(widths["who"], _MOST_WHO, max(width - rest - 1, _LEAST_WHO))
    for title in columns:  # fixed, or all would be squeezed for the sake of a long name
        justify: JustifyMethod = "left" if title in _TEXTS else "right"
        shown.add_column(
            title, justify=justify, no_wrap=True, overflow="ellipsis", width=widths[title]
        )
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*map(Text, row))
    lines = [Text.assemble((line, "bold"), (about, "dim"))]
    if apart:
        lines.append(Text(f"and {', '.join(apart)}, which no program did", "dim"))
    return Group(*lines, shown)


def _fitting(columns: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """The columns of which something is known, as many as there is room for: none is cut."""
    kept = {title: cells for title, cells in columns.items() if any(cells) or title == "who"}
    widths = {title: 1 + max(map(len, [title, *cells])) for title, cells in kept.items()}
    widths["who"] = 1 + _LEAST_WHO
    for title in _LEAST_WANTED:
        if sum(widths[name] for name in kept) > width:
            kept.pop(title, None)
    return kept


def _columns(accounts: Sequence[Account], balance: Balance) -> dict[str, list[str]]:
    """Cells by the column's title; a column of which nothing is known is not shown."""
    return {
        "who": [printable(account.group.label) for account in accounts],
        "kind": ["self" if one.group.own else str(one.group.kind) for one in accounts],
        "CPU %": [f"{balance.percent(one.cpu_seconds):.1f}" for one in accounts],
        "gone %": [_percent(balance, one.short_lived_seconds) for one in accounts],
        "waits %": [_percent(balance, one.wait_seconds) for one in accounts],
        "memory": [
            humanise(one.memory_bytes, Unit.BYTES) if one.memory_bytes else "" for one in accounts
        ],
        "disk": [
            _rate(one.disk_read_bytes_per_second, one.disk_write_bytes_per_second)
            for one in accounts
        ],
        "net": [
            _rate(one.network_receive_bytes_per_second, one.network_transmit_bytes_per_second)
            for one in accounts
        ],
        "procs": [str(one.process_count or "") for one in accounts],
        "since": [_moment(one.since) for one in accounts],
    }


def _percent(balance: Balance, seconds: float | None) -> str:
    percent = balance.percent(seconds or 0)
    return f"{percent:.1f}" if percent >= 0.1 else ""


def _rate(*rates: float | None) -> str:
    known = [rate for rate in rates if rate is not None]
    return humanise(round(sum(known)), Unit.BYTES_PER_SECOND) if sum(known) >= 1024 else ""


def _moment(since: float | None) -> str:
    if since is None:
        return ""
    moment = datetime.fromtimestamp(since, UTC).astimezone()
    today = datetime.now(UTC).astimezone().date() == moment.date()
    return moment.strftime("%H:%M" if today else "%d %b")
