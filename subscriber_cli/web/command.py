"""``fanwhy-sub web``: the page, its password, and tokens for scripts."""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.errors import ConfigError
from subscriber_cli.arguments import Broker, Config, Database, Prefix, load_settings
from subscriber_cli.service import aside, stopping
from subscriber_cli.terminal_settings import TerminalSettings

if TYPE_CHECKING:
    from subscriber_cli.web.server import WebServer

app = typer.Typer(
    help="The page for browsers, and the same as plain HTTP for scripts.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

File = Annotated[
    str, typer.Option("--file", metavar="FILE", help="Where it is kept.  [web.password_file]")
]


@app.callback()
def web(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port.  [web.listen]")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS:PORT", help="Where to listen.  [web.listen]"),
    ] = None,
    database: Database = None,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """The page for everybody in the house: why, since when, who, live and for last night.

    The same answers scripts as JSON; /api on the page lists the addresses. Only this machine
    reaches it, unless web.listen says otherwise; then it wants a password.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(broker, prefix, config)
    changed = settings.web
    if listen is not None:
        changed = dataclasses.replace(changed, listen=listen)
    if port is not None:
        address = changed.listen.rpartition(":")[0]
        changed = dataclasses.replace(changed, listen=f"{address}:{port}")
    settings = dataclasses.replace(settings, web=changed)
    _serve(settings, Path(database).expanduser() if database else None)


@app.command()
def password(file: File = "", config: Config = None) -> None:
    """Set the password: asks for it, or reads a line where input is no terminal.

    Who is logged in has to log in again.
    """
    from subscriber_cli.web.credentials import set_password  # noqa: PLC0415

    path = _path(file, config)
    if sys.stdin.isatty():
        text = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        text = sys.stdin.readline().rstrip("\n")
    set_password(path, text)
    print(f"wrote {path}; it holds from the next start on")


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="What for; one of that name holds no longer.")],
    file: File = "",
    config: Config = None,
) -> None:
    """Make a token for a script or for Prometheus, and print it, this once.

    It is sent as a header: Authorization: Bearer TOKEN
    """
    from subscriber_cli.web.credentials import add_token  # noqa: PLC0415

    path = _path(file, config)
    print(add_token(path, name))
    print(f"fanwhy-sub: wrote {path}; it holds from the next start on", file=sys.stderr)


def _path(file: str, config: str | None) -> Path:
    from subscriber_cli.web.credentials import keys_path  # noqa: PLC0415

    return Path(file).expanduser() if file else keys_path(load_settings(None, None, config).web)


def _serve(settings: TerminalSettings, database: Path | None) -> None:
    server = server_of(settings, database)
    with stopping(server.stop, "showing the page") as stopped:
        server.run()
    if signal.SIGINT in stopped:
        raise KeyboardInterrupt


def server_of(settings: TerminalSettings, database: Path | None = None) -> WebServer:
    """What serves, loaded only now.

    Raises:
        ConfigError: the extra is not installed, or the settings cannot be used.
    """
    try:
        from subscriber_cli.web.server import WebServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise ConfigError(
            "web: needs starlette and uvicorn; install them with: pip install 'fanwhy[web]'"
        ) from error
    return WebServer(settings, aside, database)
