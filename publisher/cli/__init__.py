"""The command line ``fanwhy-pub``: one file a command, loaded when it is called.

To add a command, write ``publisher/cli/<name>.py`` with a function ``command`` (or a Typer
``app`` with commands of its own) and add its line to ``COMMANDS``. A command returns its exit
code, or nothing; a ``FanwhyError`` that it raises becomes one line and an exit code.
"""

from __future__ import annotations

import inspect
import io
import logging
import os
import sys
import textwrap
from collections.abc import Iterator, MutableMapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from publisher import __version__
from publisher.contract.printable import printable
from publisher.errors import FanwhyError

COMMANDS = {
    "run": "publisher.cli.run",
    "once": "publisher.cli.once",
    "why": "publisher.cli.why",
    "top": "publisher.cli.top",
    "init": "publisher.cli.init",
    "check": "publisher.cli.check",
    "doctor": "publisher.cli.doctor",
    "classify": "publisher.cli.classify",
    "homeassistant": "publisher.cli.homeassistant",
    "picture": "publisher.cli.picture",
    "schema": "publisher.cli.schema",
    "capture": "publisher.cli.capture",
    "config": "publisher.cli.config",
}
"""Every command and its module, in the order in which help lists them."""

# For other programs of fanwhy: not in the help.
_HIDDEN = frozenset({"config"})
_PROGRAM = "fanwhy-pub"
_INTERRUPTED = 130
# click's name for all that can be wrong with an invocation; typer carries its own copy or
# uses the original, by version.
_UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]


class _Commands(MutableMapping[str, Any]):
    """The commands by name, each imported when it is looked up."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _load(name: str) -> Any:
    module = import_module(COMMANDS[name])
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


class _LazyGroup(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def list_commands(self, _: Any) -> list[str]:
        return list(COMMANDS)


_CONTEXT = {"help_option_names": ["-h", "--help"]}

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
        print(f"fanwhy {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


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
        return complain(str(error), error.exit_code)
    except BrokenPipeError:
        # What is still buffered has no reader; without this the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}", 1)
    except _UsageProblem as error:
        return complain(_usage(error), 2)
    return int(code or 0)


def complain(text: str, code: int) -> int:
    """Says what is wrong, a line for each thing, on standard error; returns ``code``."""
    for line in text.splitlines():
        print(f"{_PROGRAM}: {printable(line)}", file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    text = error.format_message().rstrip(".").replace("\n", " ")
    command = error.ctx.command_path if getattr(error, "ctx", None) else _PROGRAM
    text = f"{text[:1].lower()}{text[1:]}"
    return f"{text} See {command} --help" if text.endswith("?") else f"{text}; see {command} --help"
