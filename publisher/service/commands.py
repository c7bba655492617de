"""The commands ``service install``, ``remove`` and ``status`` of both programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from publisher.contract.printable import printable
from publisher.service.manager import Service

_CONTEXT = {"help_option_names": ["-h", "--help"]}

Whose = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="For the whole machine, or for this user alone. As root the former, else the latter.",
        show_default=False,
    ),
]
Program = Annotated[
    Path | None,
    typer.Option("--program", help="What to start; unless given, what is running now."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the unit, and change nothing.")]


def commands(name: str, what: str) -> typer.Typer:
    """The group of commands for one service.

    Args:
        name: of program and unit.
        what: that it runs, for people.
    """
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=_CONTEXT,
        help=f"Run {what} as a service of systemd: install, remove, status.",
    )

    def service(system: bool | None) -> Service:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return Service(name, root if system is None else system)

    @app.command(context_settings=_CONTEXT)
    def install(system: Whose = None, program: Program = None, dry_run: DryRun = False) -> None:
        """Install the service, start it now and with the machine."""
        found = service(system)
        if dry_run:
            print(f"# {found.path}\n{found.content(program)}", end="")
        else:
            _say(found.install(program))

    @app.command(context_settings=_CONTEXT)
    def remove(system: Whose = None) -> None:
        """End the service and remove it; configuration and state stay, and are named."""
        _say(service(system).remove())

    @app.command(context_settings=_CONTEXT)
    def status(system: Whose = None) -> None:
        """Say whether the service runs: exit code 0, 3 where it does not, 4 where there is none."""
        code, words = service(system).status()
        _say(words)
        raise typer.Exit(code)

    return app


def _say(text: str) -> None:
    for line in text.splitlines():
        print(printable(line))
