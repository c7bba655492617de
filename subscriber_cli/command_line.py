"""The command line of ``fanwhy-sub``: its commands, and how each failure ends it."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from publisher import version_line
from publisher.errors import FanwhyError
from subscriber_cli.doctor import doctor
from subscriber_cli.history import history
from subscriber_cli.hosts import hosts
from subscriber_cli.model.values import clean
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


app.command(
    epilog=_examples(
        "fanwhy-sub watch",
        "fanwhy-sub watch --broker mqtt://me@homeassistant.local",
    )
)(watch)
app.command(
    epilog=_examples(
        "fanwhy-sub tail",
        "fanwhy-sub tail cpu gpu",
        "fanwhy-sub tail explanation --json -n 1 | jq .payload.headline",
    )
)(tail)
app.command(
    epilog=_examples(
        "fanwhy-sub why",
        "fanwhy-sub why nas --follow",
        "fanwhy-sub why --wait hot && notify-send 'It is hot'",
        "fanwhy-sub why --exit-code || echo 'not quiet'",
        "fanwhy-sub why --json --timeout 3",
        "fanwhy-sub why --at 03:12",
        'fanwhy-sub why --at "yesterday 3am"',
    )
)(why)
app.command(
    epilog=_examples(
        "fanwhy-sub history",
        "fanwhy-sub history nas --since 22:00 --until 07:00",
        "fanwhy-sub history --json | jq .causes",
        "fanwhy-sub history nas --since 'monday 08:00' --html week.html",
        "fanwhy-sub history --metric 'disk/*' --csv disks.csv",
    )
)(history)
app.command(epilog=_examples("fanwhy-sub hosts", "fanwhy-sub hosts --json | jq .headline"))(hosts)
app.command(name="topics", epilog=_examples("fanwhy-sub topics", "fanwhy-sub topics --seconds 60"))(
    traffic
)
app.command(epilog=_examples("fanwhy-sub refresh", "fanwhy-sub refresh nas"))(refresh)
app.command(
    epilog=_examples("fanwhy-sub doctor", "fanwhy-sub doctor --broker mqtts://me@broker.local")
)(doctor)
app.command(
    epilog=_examples(
        "fanwhy-sub report",
        "fanwhy-sub report nas --month --html bill.html",
        "fanwhy-sub report --week --json | jq .energy",
    )
)(report)
app.command(
    epilog=_examples(
        "fanwhy-sub record",
        "fanwhy-sub record --database ~/fanwhy.sqlite --quiet",
    )
)(record)
app.add_typer(
    web,
    name="web",
    epilog=_examples(
        "fanwhy-sub web",
        "fanwhy-sub web password",
        "fanwhy-sub web --listen 0.0.0.0:8642",
        "fanwhy-sub web token prometheus",
        "curl http://localhost:8642/api/nas/explanation",
    ),
)
app.command(epilog=_examples("fanwhy-sub serve --config /etc/fanwhy/config.toml"))(serve)


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
