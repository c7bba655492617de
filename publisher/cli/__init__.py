"""The command line ``fanwhy-pub``: one file a command, loaded when it is called.

To add a command, write ``publisher/cli/<name>.py`` with a function ``command`` (or a Typer
``app`` with commands of its own) and add its name to ``COMMANDS``. A command returns its exit
code, or nothing; a ``FanwhyError`` that it raises becomes one line and an exit code.

The file of a command says ``fanwhy-pub <name>`` in its first line; the other files of this folder
are what commands share.
"""

from __future__ import annotations

import inspect
import io
import logging
import os
import sys
import textwrap
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from publisher import version_line
from publisher.contract.printable import printable
from publisher.errors import FanwhyError

COMMANDS = (
    "run",
    "service",
    "once",
    "why",
    "top",
    "init",
    "check",
    "doctor",
    "health",
    "classify",
    "teach",
    "homeassistant",
    "picture",
    "schema",
    "capture",
    "replay",
    "config",
)
"""Every command, in the order in which help lists them."""

_HIDDEN = frozenset({"config"})  # the daemon's own; not in the help
_PROGRAM = "fanwhy-pub"
_LONGEST_LINE = 1000  # characters of what is wrong
_INTERRUPTED = 130
_CONTEXT = {"help_option_names": ["-h", "--help"]}
# click's name for all that can be wrong with an invocation; typer carries its own copy or
# uses the original, by version.
_UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]


# --- from invocation to exit code -----------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code.

    0: done. 1: it did not work. 2: the command line or the configuration is wrong.
    """
    logging.getLogger("publisher").addHandler(logging.NullHandler())  # commands speak for it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no ✓ gets a ?
    try:
        code = app(
            list(arguments) if arguments is not None else None,
            prog_name=_PROGRAM,
            standalone_mode=False,
        )
        sys.stdout.flush()
    except FanwhyError as error:
        return _complain(str(error), error.exit_code)
    except BrokenPipeError:
        # What is still buffered has no reader; without this the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", 1)
    except _UsageProblem as error:
        return _complain(_usage(error), 2)
    return int(code or 0)


def _complain(text: str, code: int) -> int:
    """Says what is wrong, a line for each thing, on standard error; returns ``code``."""
    for line in text.splitlines():
        shown = printable(line[:_LONGEST_LINE])
        print(f"{_PROGRAM}: {shown}", file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    text = error.format_message().rstrip(".").replace("\n", " ")
    command = error.ctx.command_path if getattr(error, "ctx", None) else _PROGRAM
    text = f"{text[:1].lower()}{text[1:]}"
    return f"{text} See {command} --help" if text.endswith("?") else f"{text}; see {command} --help"


# --- the commands ---------------------------------------------------------------------------------


class _LazyGroup(TyperGroup):
    """The commands by name, each imported when it is looked up."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys(COMMANDS)  # among which a mistyped one is looked for
        self.commands = names

    def list_commands(self, _: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: Any, cmd_name: str) -> Any:
        return _load(cmd_name) if cmd_name in COMMANDS else None


@cache
def _load(name: str) -> Any:
    module = import_module(f"{__name__}.{name}")
    group = getattr(module, "app", None)
    if group is not None:
        found = typer.main.get_command(group)
        found.name = name
        return found
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(
        name,
        help=readable_help(module.command.__doc__ or ""),
        hidden=name in _HIDDEN,
        context_settings=_CONTEXT,
    )(module.command)
    return typer.main.get_command(single)


def readable_help(docstring: str) -> str:
    """A docstring as help: paragraphs flow, and the lines below ``Examples:`` stand as they are."""
    prose, _, examples = inspect.cleandoc(docstring).partition("\nExamples:\n")
    parts = [" ".join(paragraph.split()) for paragraph in prose.split("\n\n") if paragraph.strip()]
    if examples:
        lines = [f"$ {line}" if line else "" for line in textwrap.dedent(examples).splitlines()]
        parts.append("\n".join(["Examples:", *lines]))
    # Typer would read what stands in brackets as markup.
    return "\n\n".join(parts).replace("[", "\\[")


# --- the program ----------------------------------------------------------------------------------


app = typer.Typer(
    cls=_LazyGroup,
    name=_PROGRAM,
    help=readable_help("""
        Why is this machine's fan running? Watches it, names who is to blame, tells MQTT.

        Examples:
            fanwhy-pub run --broker mqtt://nas.local
            fanwhy-pub once cpu memory
            fanwhy-pub doctor
    """),
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version_line(_PROGRAM))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)
