"""Commands of ours in the pages: each is there, with the options that the page gives it.

Run for real they are elsewhere: ``tests/containers`` follows docs/docker.md, ``tests/vm``
docs/service.md, ``tests/package`` CONTRIBUTING.md and docs/install.md.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from publisher.cli import app as publisher
from subscriber_cli.command_line import app as subscriber

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAMS = {
    "fanwhy-pub": typer.main.get_command(publisher),
    "fanwhy-sub": typer.main.get_command(subscriber),
}
_FENCE = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_BETWEEN = {"|", "||", "&&", ";", "&", "(", ")", ">", "<", ">>", "2>"}
_VARIABLE = re.compile(r"[A-Z_]+=.*")
_PAGES = sorted([_ROOT / "README.md", _ROOT / "CONTRIBUTING.md", *_ROOT.glob("docs/*.md")])


def _commands() -> Iterator[tuple[str, list[str]]]:
    """(page, words) of every call of a program of ours in a block of shell."""
    for page in _PAGES:
        for block in _FENCE.findall(page.read_text()):
            lines = block.splitlines()
            shown = any(line.lstrip().startswith("$ ") for line in lines)
            for line in lines:
                if shown and not line.lstrip().startswith("$ "):
                    continue
                for words in _calls(line.lstrip().removeprefix("$ ")):
                    yield page.name, words


def _calls(line: str) -> Iterator[list[str]]:
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # it goes on in the next line
        return
    call: list[str] | None = None
    for word in [*words, ";"]:
        if word in _BETWEEN or set(word) <= set("|&;()<>"):
            if call:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif Path(word).name in _PROGRAMS:
            call = [Path(word).name]


_FOUND = list(_commands())


def test_the_pages_show_many() -> None:
    assert len(_FOUND) > 30
    assert {words[0] for _, words in _FOUND} == set(_PROGRAMS)


@pytest.mark.parametrize(
    ("page", "words"), _FOUND, ids=[f"{page}: {' '.join(words)}" for page, words in _FOUND]
)
def test_a_command_of_a_page_can_be_given(page: str, words: list[str]) -> None:
    """It is parsed as the program would, and not run."""
    command: Any = _PROGRAMS[words[0]]
    name, rest = words[0], words[1:]
    while hasattr(command, "resolve_command"):
        context = command.context_class(command, info_name=name)
        command.parse_args(context, list(rest))
        waiting = [*context._protected_args, *context.args]  # noqa: SLF001  # click has no other
        if not waiting:
            return
        name, command, rest = command.resolve_command(context, waiting)
    command.make_context(name, list(rest), resilient_parsing=False)
