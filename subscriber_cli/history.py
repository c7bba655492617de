"""``fanwhy-sub history``: a night as people think of it, from what the hosts remember."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console


def history(
    host: Annotated[
        str, typer.Argument(metavar="[HOST]", help="One host, by its name; all without it.")
    ] = "",
    *,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From when on: 22:00, 'yesterday 3am', '2 h ago'.")
    ] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Until when; the first such time after --since.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a host.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a host.")] = 10.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """What was to blame when, how hot and loud it was; the last 24 hours unless told otherwise."""
    settings = load_settings(broker, prefix, config)
    # All readings are declared for it, which other commands do not need.
    from subscriber_cli import then  # noqa: PLC0415

    span = then.window(since, until, time.time())
    then.recount(settings, make_console(), host, span, as_json=as_json, timeout=timeout)
