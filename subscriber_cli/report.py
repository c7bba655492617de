"""``fanwhy-sub report``: the bill of a day, a week or a month."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from publisher.errors import ConfigError
from subscriber_cli.arguments import Config, Database, load_settings, make_console

_DAY = 86400.0


def report(
    host: Annotated[
        str, typer.Argument(metavar="[HOST]", help="One host, by its name; all without it.")
    ] = "",
    *,
    day: Annotated[bool, typer.Option("--day", help="The last 24 hours (default).")] = False,
    week: Annotated[bool, typer.Option("--week", help="The last seven days.")] = False,
    month: Annotated[bool, typer.Option("--month", help="The last thirty days.")] = False,
    until: Annotated[
        str, typer.Option(metavar="TIME", help="The end of that time; without it, now.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a host.")] = False,
    as_html: Annotated[
        str, typer.Option("--html", metavar="FILE", help="A page that opens from disk.")
    ] = "",
    database: Database = None,
    config: Config = None,
) -> None:
    """The bill: who made the machine loud, hot and busy, and what that cost.

    Of an archive (fanwhy-sub record). A kilowatt hour costs what report.price_per_kwh says.
    """
    if day + week + month > 1:
        raise ConfigError("--day, --week and --month: one at a time")
    settings = load_settings(None, None, config)
    # All readings are declared for it, which other commands do not need.
    from subscriber_cli import export  # noqa: PLC0415
    from subscriber_cli.archive.schema import ArchiveError  # noqa: PLC0415
    from subscriber_cli.bill import make_bill  # noqa: PLC0415
    from subscriber_cli.model.values import clean  # noqa: PLC0415
    from subscriber_cli.remembered import archive_of, chosen  # noqa: PLC0415
    from subscriber_cli.render import bill as render  # noqa: PLC0415
    from subscriber_cli.render import web_page  # noqa: PLC0415
    from subscriber_cli.render.lines import show  # noqa: PLC0415
    from subscriber_cli.then import moment_before  # noqa: PLC0415

    now = time.time()
    end = moment_before(until, now)
    begin = end - _DAY * (30 if month else 7 if week else 1)
    price, currency = settings.report.price_per_kwh, settings.report.currency
    with archive_of(settings, Path(database).expanduser() if database else None) as archive:
        hosts = chosen(archive.hosts(), host)
        if not hosts:
            raise ArchiveError(f"{archive.path}: nothing is kept of {clean(host) or 'any host'}")
        bills = [make_bill(archive, each, begin, end, price) for each in hosts]
    if as_html:
        parts = [part for each in bills for part in render.bill_parts(each, now, currency)]
        title = f"The bill of {', '.join(each.host for each in bills)}"
        export.write_text(as_html, web_page.page(title, [web_page.heading(title, 1), *parts]))
        return
    console = make_console()
    for each in bills:
        if as_json:
            print(json.dumps(each.json(currency)))
            continue
        if each is not bills[0]:
            console.print()
        for line in render.bill_lines(each, now, currency):
            show(console, line)
