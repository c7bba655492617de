"""``fanwhy-sub history``: a night as people think of it, or as other programs want it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from publisher.errors import ConfigError
from subscriber_cli.arguments import (
    Broker,
    Config,
    Database,
    Prefix,
    load_settings,
    make_console,
)
from subscriber_cli.completion import hosts


def history(
    host: Annotated[
        str,
        typer.Argument(
            metavar="[HOST]", help="One host, by its name; all without it.", autocompletion=hosts
        ),
    ] = "",
    *,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From when on: 22:00, 'yesterday 3am', '2 h ago'.")
    ] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Until when; the first such time after --since.")
    ] = "",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Also this value: cpu/usage_percent, 'disk/*'.  [of an archive]"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a host; with --metric one a value.")
    ] = False,
    as_csv: Annotated[
        str, typer.Option("--csv", metavar="FILE", help="Values as CSV; - is the output.")
    ] = "",
    as_parquet: Annotated[
        str, typer.Option("--parquet", metavar="FILE", help="Values as Parquet (needs pyarrow).")
    ] = "",
    as_html: Annotated[
        str, typer.Option("--html", metavar="FILE", help="A page that opens from disk.")
    ] = "",
    as_svg: Annotated[
        str, typer.Option("--svg", metavar="FILE", help="A drawing of one host.")
    ] = "",
    as_png: Annotated[
        str, typer.Option("--png", metavar="FILE", help="That as a picture (needs resvg-py).")
    ] = "",
    step: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Of one exported row; 0: every value."),
    ] = None,
    database: Database = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for a host.")
    ] = 10.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """What was to blame when, how hot and loud it was; the last 24 hours unless told otherwise.

    Of an archive (fanwhy-sub record) where there is one, else of what the hosts remember.
    """
    if sum(map(bool, (as_json, as_csv, as_parquet, as_html, as_svg, as_png))) > 1:
        raise ConfigError("--json, --csv, --parquet, --html, --svg and --png: one at a time")
    settings = load_settings(broker, prefix, config)
    # All readings are declared for it, which other commands do not need.
    from subscriber_cli import past_files, then  # noqa: PLC0415

    span = then.window(since, until, time.time())
    path = Path(database).expanduser() if database else None
    question = then.Question(settings=settings, host=host, database=path, timeout=timeout)
    metrics = tuple(metric or ())
    if as_csv or as_parquet or (as_json and metrics):
        past_files.values(question, span, metrics, step, csv=as_csv, parquet=as_parquet)
    elif as_html or as_svg or as_png:
        past_files.draw(question, span, metrics, html=as_html, svg=as_svg, png=as_png)
    else:
        then.recount(question, make_console(), span, metrics, as_json=as_json)
