"""``fanwhy-pub homeassistant``: what Home Assistant is shown, what it costs there, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table

from publisher.cli.look import look
from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, print_json
from publisher.config.state_folder import state_dir
from publisher.contract import topics
from publisher.contract.messages import Message, Request
from publisher.contract.metric import Reading
from publisher.contract.printable import printable
from publisher.contract.readings import InfoReading
from publisher.daemon.presence import discovery_of
from publisher.daemon.settings import Settings
from publisher.errors import BrokerError
from publisher.homeassistant.discovery import Discovery, Entity, Host
from publisher.homeassistant.recorder import RecorderEstimate
from publisher.mqtt.short_connection import ShortConnection
from publisher.sources import machine_files
from publisher.sources.identity import describe

_CONTEXT = {"help_option_names": ["-h", "--help"]}
_RETAINED_SECONDS = 1.0

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings=_CONTEXT,
    help="Show what Home Assistant is told, estimate what it writes down, or withdraw it all.",
)


@app.command(context_settings=_CONTEXT)
def preview(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are there but disabled.")
    ] = False,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Show what would be created. Needs no broker; --json prints the messages themselves."""
    settings = settings_of(broker, prefix, config).settings
    _, discovery, entities = _entities(settings)
    if as_json:
        print_json(discovery.documents(entities))
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("Entity", "Name", "Class", "Unit", ""):
        table.add_column(column)
    for entity in entities:
        if everything or entity.enabled:
            component = entity.component
            remarks = [component.get("entity_category"), None if entity.enabled else "disabled"]
            table.add_row(
                component["default_entity_id"],
                printable(component["name"]),
                component.get("device_class", ""),
                component.get("unit_of_measurement", ""),
                ", ".join(remark for remark in remarks if remark),
            )
    console().print(table)
    enabled = sum(entity.enabled for entity in entities)
    print(f"{enabled} entities enabled, {len(entities) - enabled} there but disabled")
    return 0


@app.command(context_settings=_CONTEXT)
def remove(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> int:
    """Withdraw this machine, and all that belongs to it, from Home Assistant.

    A daemon that runs announces it again: stop it, or set homeassistant.enabled to false, which
    withdraws it as well.
    """
    settings = settings_of(broker, prefix, config).settings
    host, _ = discovery_of(settings, _identity(settings))
    base = settings.homeassistant.discovery_prefix
    status = settings.topics.of(topics.STATUS)
    found: dict[str, None] = {}
    online: list[bool] = []

    def heard(request: Request) -> None:
        if request.topic == status:
            online.append(request.payload == topics.ONLINE)
        elif request.payload and host.node_id in request.topic.split("/"):
            found[request.topic] = None

    with ShortConnection(settings.broker) as connection:
        own = f"{base}/device/{host.node_id}/config"
        connection.listen(
            [own, f"{base}/+/{host.node_id}/+/config", status], _RETAINED_SECONDS, heard
        )
        # Also where nothing was found: there are brokers that give nothing retained to everybody.
        connection.publish(
            Message(topic=topic, payload=b"", qos=1, retain=True)
            for topic in dict.fromkeys([*found, own])
        )
    for topic in found:
        print(f"withdrew {printable(topic)}")
    if not found:
        print("nothing was announced")
    if any(online):
        print("the daemon runs: it will announce this machine again when it or the broker restarts")
    return 0


@app.command(context_settings=_CONTEXT)
def rows(
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, max=86400, help="How long to watch.")
    ] = 120.0,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Estimate how many rows a day Home Assistant's recorder writes, by entity.

    Watches the messages of the daemon, which must be running, and counts the changes of the
    entities that are enabled by default.
    """
    settings = settings_of(broker, prefix, config).settings
    _, _, entities = _entities(settings)
    counter = RecorderEstimate(entities)
    silent = [True]

    def heard(request: Request) -> None:
        leaf = settings.topics.leaf(request.topic)
        if leaf:
            silent[0] = False
            counter.heard(leaf, request.payload, retain=request.retain)

    with ShortConnection(settings.broker) as connection:
        connection.listen([f"{settings.topics.prefix}/+"], seconds, heard)
    if silent[0]:
        raise BrokerError(f"nothing came on {settings.topics.prefix}/ : does the daemon run?")
    a_day = counter.a_day(seconds)
    if as_json:
        print_json({"seconds": seconds, "seen": dict(counter.counts), "rows_a_day": a_day})
        return 0
    names = {entity.key: entity.component["default_entity_id"] for entity in entities}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Entity")
    table.add_column("Seen", justify="right")
    table.add_column("Rows a day", justify="right")
    for key, count in a_day.items():
        table.add_row(names[key], str(counter.counts[key]), f"{count:,}")
    table.add_row("all", str(counter.counts.total()), f"{sum(a_day.values()):,}", style="bold")
    console().print(table)
    return 0


def _entities(settings: Settings) -> tuple[Host, Discovery, list[Entity]]:
    identity = _identity(settings)
    host, discovery = discovery_of(settings, identity)
    readings: Mapping[str, Reading] = {**look(settings).readings, topics.INFO: identity}
    return host, discovery, [item for item in discovery.entities(readings) if item.readable]


def _identity(settings: Settings) -> InfoReading:
    return describe(machine_files(settings.root), state_dir())
