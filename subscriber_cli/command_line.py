"""The command line of ``fanwhy-sub``: options in, one screen or some lines out, an exit code."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer
from rich.console import Console

from publisher import version_line
from publisher.config.load import load
from publisher.errors import FanwhyError
from publisher.mqtt.broker_checks import BROKER_CHECKS
from subscriber_cli.tail import LEAVES, Tail
from subscriber_cli.terminal_settings import TerminalSettings
from subscriber_cli.watch import watch as watch_screen
from subscriber_cli.why import why as print_why

_NAMES = ("cpu", "memory", "disk", "network", "gpu", "thermal", "power", *LEAVES)

app = typer.Typer(
    name="fanwhy-sub",
    help="Shows live why a machine is busy, hot or loud, as fanwhy-pub tells it over MQTT.",
    epilog="Settings are those of fanwhy-pub: flags, then FANWHY_… variables, then the "
    "configuration file, then mqtt://localhost:1883 and the prefix host.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Broker = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="mqtt://user@host:port, mqtts://…, ws://… or wss://…  [FANWHY_BROKER]",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(metavar="TOPIC", help="First levels of the topics.  [FANWHY_PREFIX]"),
]
Config = Annotated[
    str | None, typer.Option(metavar="FILE", help="Configuration file.  [FANWHY_CONFIG]")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version_line("fanwhy-sub"))
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@app.command(
    epilog=_examples(
        "fanwhy-sub watch",
        "fanwhy-sub watch --broker mqtt://me@homeassistant.local",
    )
)
def watch(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> None:
    """The machine live on the whole screen: the sentence first, then every subsystem.

    n and p, or the arrows, choose among several hosts; r asks the host to say everything again;
    q quits. Where output is not a terminal,
    prints one line a message, as tail does.
    """
    settings = _settings(broker, prefix, config)
    console = _console()
    if console.is_terminal and not console.is_dumb_terminal:
        watch_screen(settings, console)
    else:
        Tail(settings, console).run()


@app.command(
    epilog=_examples(
        "fanwhy-sub tail",
        "fanwhy-sub tail cpu gpu",
        "fanwhy-sub tail explanation --json -n 1 | jq .payload.headline",
    )
)
def tail(
    *,
    subsystem: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBSYSTEM]…",
            help="Only these, such as cpu, explanation or event.",
            autocompletion=lambda incomplete: [n for n in _NAMES if n.startswith(incomplete)],
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: topic and payload.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="End after so many messages.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", "-s", min=0.1, help="End after so long.")
    ] = None,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Every message as it comes, one a line; first the newest that the broker keeps."""
    settings = _settings(broker, prefix, config)
    Tail(settings, _console(), subsystem or (), as_json=as_json, count=count, seconds=seconds).run()


@app.command(epilog=_examples("fanwhy-sub why", "fanwhy-sub why --json --timeout 3"))
def why(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a host: topic and payload.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a verdict.")] = 10.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """The sentence and its causes, once. Exits with 1 when no host has one in time."""
    print_why(_settings(broker, prefix, config), _console(), as_json=as_json, timeout=timeout)


def _settings(broker: str | None, prefix: str | None, config: str | None) -> TerminalSettings:
    loaded = load(
        TerminalSettings,
        flags={"--broker": ("broker.url", broker), "--prefix": ("prefix", prefix)},
        config=config,
        foreign=True,
        checks=[BROKER_CHECKS],
    )
    for warning in loaded.warnings:
        print(f"fanwhy-sub: {warning}", file=sys.stderr)
    return loaded.settings


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def main() -> None:
    """Runs the command; one line and an exit code for whatever a user can mend."""
    # Names in a script that the terminal cannot show must not end the command.
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, TextIOWrapper):
            output.reconfigure(errors="replace")
    try:
        app()
    except FanwhyError as error:
        for line in str(error).splitlines():
            print(f"fanwhy-sub: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, say) has enough. Python would complain at exit about its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
