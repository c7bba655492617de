"""``fanwhy-pub schema``: the contract for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.asyncapi import asyncapi
from publisher.cli.options import Broker, Config, Prefix, settings_of
from publisher.cli.output import print_json
from publisher.contract.model import json_schema
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import documented_topics


def command(
    as_asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="The topics too, as an AsyncAPI 3.0 document.")
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Print the JSON Schema of every payload.

    The payload of host/cpu is valid against #/properties/cpu, and so on.

    Examples:
        fanwhy-pub schema > fanwhy.schema.json
        fanwhy-pub schema --asyncapi > fanwhy.asyncapi.json
    """
    settings = settings_of(broker, prefix, config).settings
    print_json(asyncapi(settings) if as_asyncapi else json_schema(readings_of(documented_topics())))
