"""``fanwhy-pub doctor``: what this machine can tell, what it cannot, and why."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from publisher import __version__
from publisher.cli.check import print_findings
from publisher.cli.examination import examine
from publisher.cli.look import Look, look
from publisher.cli.nameable import nameable, table, unheard
from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, print_json
from publisher.config.state_folder import state_dir
from publisher.contract.payload import to_json
from publisher.contract.printable import printable
from publisher.contract.readings import InfoReading
from publisher.sources import machine_files
from publisher.sources.identity import describe
from publisher.subsystems.runner import Health

_STYLES = {"ok": "green", "absent": "dim", "denied": "yellow", "failing": "red", "hanging": "red"}


def command(
    timings: Annotated[
        bool, typer.Option("--timings", help="Also the CPU time that each subsystem takes.")
    ] = False,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Say what this machine can tell, what it cannot, and what would help.

    A subsystem is ok, absent (this machine has none), denied (this user may not), failing, or
    hanging (its driver does not answer). Below stand the names by which the configuration can
    ignore, choose and rename devices, and leave programs out of blame.

    Examples:
        fanwhy-pub doctor
        sudo fanwhy-pub doctor --timings
    """
    loaded = settings_of(broker, prefix, config)
    machine = describe(machine_files(loaded.settings.root), state_dir())
    seen = look(loaded.settings, ledger=True, timings=timings)
    names = nameable(seen, loaded.settings.explain)
    findings = list(examine(loaded))
    if as_json:
        more = {"names": names, "broker": [asdict(item) for item in findings]}
        print_json(_document(machine, seen) | more)
        return
    out = console()
    out.print(Text(printable(_introduction(machine))), soft_wrap=True)
    out.print()
    out.print(_senses(seen.health))
    if seen.microseconds:
        out.print()
        out.print(_costs(seen.microseconds))
    out.print()
    out.print(Text("Names for [ignore], [choose], [names] and never_blame:"))
    out.print(table(names))
    for setting, words in unheard(names, loaded.settings.explain):
        out.print(Text(f"{setting}: {words}"))
    out.print()
    print_findings(findings)


def _document(machine: InfoReading, seen: Look) -> dict[str, Any]:
    return {
        "fanwhy_version": __version__,
        "python_version": platform.python_version(),
        "machine": to_json(machine),
        "senses": {name: to_json(found.reading()) for name, found in sorted(seen.health.items())},
    } | ({"sample_microseconds": seen.microseconds} if seen.microseconds else {})


def _introduction(machine: InfoReading) -> str:
    place = f"in {machine.virtualization}" if machine.virtualization else "on bare metal"
    parts = [machine.operating_system, machine.kernel, machine.architecture, machine.cpu_model]
    return (
        f"fanwhy {__version__}, Python {platform.python_version()}; "
        f"{', '.join(part for part in parts if part)}, {place}"
    )


def _senses(health: Mapping[str, Health]) -> Table:
    rows = Table.grid(padding=(0, 2))
    for _ in range(2):
        rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for name, found in sorted(health.items()):
        remedy = f"; {found.remedy}" if found.remedy else ""
        rows.add_row(
            Text(printable(name)),
            Text(found.state, style=_STYLES.get(found.state, "")),
            Text(printable(f"{found.reason}{remedy}")),
        )
    return rows


def _costs(microseconds: Mapping[str, float]) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column()
    rows.add_column(justify="right")
    for name, cost in [*microseconds.items(), ("together", sum(microseconds.values()))]:
        rows.add_row(Text(name), Text(f"{cost:,.0f} µs a read"))
    return rows
