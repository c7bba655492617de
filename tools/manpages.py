"""Manual pages of both programs and each of their commands: ``python -m tools.manpages FOLDER``.

Made of the commands themselves, as ``--help`` is: man 7 man-pages tells what stands where.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer

from publisher import __version__
from publisher.cli import app as publisher
from subscriber_cli.command_line import app as subscriber

_PROGRAMS = {"fanwhy-pub": publisher, "fanwhy-sub": subscriber}
_CONFIGURATION = (
    "Flags go before FANWHY_… variables, these before ~/.config/fanwhy/config.toml, that before "
    "/etc/fanwhy/config.toml. fanwhy-pub init writes a file in which every setting is explained."
)
_MARKUP = re.compile(r"\\\[")


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    found: dict[str, str] = {}
    for name, app in _PROGRAMS.items():
        _collect(typer.main.get_command(app), name, found)
    return found


def _collect(command: Any, name: str, found: dict[str, str]) -> None:
    context = command.context_class(command, info_name=name)
    children = {
        child: command.get_command(context, child)
        for child in (command.list_commands(context) if hasattr(command, "list_commands") else ())
    }
    shown = {child: one for child, one in children.items() if not one.hidden}
    found[f"{name.replace(' ', '-')}.1"] = _page(command, name, context, shown)
    for child, one in shown.items():
        _collect(one, f"{name} {child}", found)


def _page(command: Any, name: str, context: Any, children: dict[str, Any]) -> str:
    title = name.replace(" ", "-")
    text = _MARKUP.sub("[", f"{command.help or ''}\n\n{command.epilog or ''}").replace("\b", "")
    first, _, _ = text.strip().partition("\n\n")
    lines = [
        f'.TH "{_escaped(title.upper())}" 1 "" "fanwhy {__version__}" "fanwhy"',
        ".SH NAME",
        f"{_escaped(title)} \\- {_escaped(' '.join(first.split()).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_escaped(name)}",
        _escaped(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(text),
    ]
    if children:
        lines.append(".SH COMMANDS")
        for child, one in children.items():
            lines += [".TP", f".BR {_escaped(title)}\\-{_escaped(child)} (1)"]
            lines.append(_escaped(one.get_short_help_str(limit=200)))
    options = [record for one in command.get_params(context) if (record := _record(one, context))]
    if options:
        lines.append(".SH OPTIONS")
        for flags, words in options:
            lines += [".TP", f".B {_escaped(flags)}", _escaped(" ".join(words.split()))]
    return "\n".join([*lines, ".SH CONFIGURATION", _escaped(_CONFIGURATION), ""])


def _record(parameter: Any, context: Any) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    return (_MARKUP.sub("[", record[0]), _MARKUP.sub("[", record[1])) if record else None


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in filter(None, (part.strip("\n") for part in text.split("\n\n"))):
        if paragraph.lstrip().startswith("Examples:"):
            _, *examples = paragraph.strip().splitlines()
            lines += [".PP", "Examples:", ".PP", ".nf", ".RS"]
            lines += [_escaped(example.strip()) for example in examples]
            lines += [".RE", ".fi"]
        else:
            lines += [".PP", _escaped(" ".join(paragraph.split()))]
    return lines


def _escaped(text: str) -> str:
    """Text as troff shows it: no dash becomes another, and no line a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main(folder: str) -> None:
    """Writes all pages into a folder."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (path / name).write_text(page, "utf-8")
    print(f"{len(pages())} pages in {path}")


if __name__ == "__main__":
    main(sys.argv[1])
