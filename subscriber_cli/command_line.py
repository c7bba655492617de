"""The command line of ``fanwhy-sub``: its commands, and how each failure ends it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from publisher import version_line
from publisher.errors import FanwhyError
from publisher.service.commands import commands
from subscriber_cli.doctor import doctor
from subscriber_cli.history import history
from subscriber_cli.hosts import hosts
from subscriber_cli.metrics.command import metrics
from subscriber_cli.model.values import clean
from subscriber_cli.notify.command import app as notify
from subscriber_cli.record import record
from subscriber_cli.refresh import refresh
from subscriber_cli.report import report
from subscriber_cli.serve import serve
from subscriber_cli.tail import tail
from subscriber_cli.traffic import traffic
from subscriber_cli.watch import watch
from subscriber_cli.web.command import app as web
from subscriber_cli.why import why

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


class _Command(TyperCommand):
    """A command whose help says what people need: no types of the language it is written in."""

    def get_help(self, ctx: Any) -> str:
        text = _TYPE.sub("", super().get_help(ctx)).replace("[[", "[")
        text = text.replace("]…]...", "]…").replace("]]", "]")
        return _RANGE.sub(r"at least \1", text)


_TYPE = re.compile(r" <(?:list\[)?(?:str|int|float|bool)(?: range)?\]?>")
_RANGE = re.compile(r"x>=([\d.]+)")


def _command(
    function: Callable[..., None], brief: str, *examples: str, name: str | None = None
) -> None:
    """Adds a command, with a line for the list of all, and what to type for example."""
    epilog = _examples(*examples)
    app.command(name=name, cls=_Command, short_help=brief, epilog=epilog)(function)


_command(
    watch,
    "The machine, or all of them, live on the whole screen.",
    "fanwhy-sub watch",
    "fanwhy-sub watch --broker mqtt://me@homeassistant.local",
)
_command(
    why,
    "The sentence and its causes: now, once it is so, or then.",
    "fanwhy-sub why",
    "fanwhy-sub why nas --follow",
    "fanwhy-sub why --wait hot && notify-send 'It is hot'",
    "fanwhy-sub why --exit-code || echo 'not quiet'",
    "fanwhy-sub why --json --timeout 3",
    "fanwhy-sub why --at 03:12",
    'fanwhy-sub why --at "yesterday 3am"',
)
_command(
    hosts,
    "Every machine on the broker, the worst first.",
    "fanwhy-sub hosts",
    "fanwhy-sub hosts --json | jq .headline",
)
_command(
    history,
    "A night, or a day: who was to blame when, how hot and loud.",
    "fanwhy-sub history",
    "fanwhy-sub history nas --since 22:00 --until 07:00",
    "fanwhy-sub history --json | jq .causes",
    "fanwhy-sub history nas --since 'monday 08:00' --html week.html",
    "fanwhy-sub history --metric 'disk/*' --csv disks.csv",
)
_command(
    report,
    "The bill: who made it loud, hot and busy, and what it cost.",
    "fanwhy-sub report",
    "fanwhy-sub report nas --month --html bill.html",
    "fanwhy-sub report --week --json | jq .energy",
)
_command(
    record,
    "Keeps what passes by in a file, for years.",
    "fanwhy-sub record",
    "fanwhy-sub record --database ~/fanwhy.sqlite --quiet",
)
app.add_typer(
    notify,
    name="notify",
    short_help="Messages to phones, mailboxes and chats.",
    epilog=_examples(
        "FANWHY_NOTIFY__URL=ntfy://ntfy.sh/a-secret-word fanwhy-sub notify",
        "fanwhy-sub notify test",
        "fanwhy-sub notify check --config /etc/fanwhy/config.toml",
    ),
)
_command(
    metrics,
    "Every number of every machine for Prometheus.",
    "fanwhy-sub metrics --broker mqtt://me@broker.local",
)
app.add_typer(
    web,
    name="web",
    short_help="The page for browsers, and the same as JSON.",
    epilog=_examples(
        "fanwhy-sub web",
        "fanwhy-sub web password",
        "fanwhy-sub web --listen 0.0.0.0:8642",
        "fanwhy-sub web token prometheus",
        "curl http://localhost:8642/api/nas/explanation",
    ),
)
_command(
    serve,
    "Runs in one process what the configuration enables.",
    "fanwhy-sub serve --config /etc/fanwhy/config.toml",
)
app.add_typer(
    commands("fanwhy-sub", "what is enabled in the configuration (serve)"),
    name="service",
    short_help="Has systemd run serve.",
)
_command(
    tail,
    "Every message as it comes, one a line.",
    "fanwhy-sub tail",
    "fanwhy-sub tail cpu gpu",
    "fanwhy-sub tail explanation --json -n 1 | jq .payload.headline",
)
_command(
    traffic,
    "How large the messages are, and how often they come.",
    "fanwhy-sub topics",
    "fanwhy-sub topics --seconds 60",
    name="topics",
)
_command(
    refresh,
    "Has the hosts say everything again.",
    "fanwhy-sub refresh",
    "fanwhy-sub refresh nas",
)
_command(
    doctor,
    "Whether the broker can be used, who is there, what is wrong.",
    "fanwhy-sub doctor",
    "fanwhy-sub doctor --broker mqtts://me@broker.local",
)


def main() -> None:
    """Runs the command; one line and an exit code for whatever a user can mend."""
    # Names in a script that the terminal cannot show must not end the command.
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, TextIOWrapper):
            output.reconfigure(errors="replace")
    try:
        app(prog_name="fanwhy-sub")
    except FanwhyError as error:
        for line in str(error).splitlines():
            print(f"fanwhy-sub: {clean(line)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, say) has enough. Python would complain at exit about its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
