"""A command line as a person types it, made into the processes that it would start."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

from publisher.cli.descriptions import Described, Description
from publisher.ledger.naming.names import Namer, base, program_of
from publisher.ledger.naming.shell_lines import commands
from publisher.sources.containers import Container

_PROMPT = (
    Described(comm="bash", argv=("-bash",)),
    Described(comm="sshd", argv=("sshd: user@pts/0",)),
)
_BY_ENDING = {
    ".sh": "sh", ".bash": "bash", ".zsh": "zsh", ".fish": "fish", ".py": "python3", ".pl": "perl",
    ".rb": "ruby", ".js": "node", ".mjs": "node", ".php": "php", ".lua": "lua", ".r": "Rscript",
    ".tcl": "tclsh", ".jl": "julia", ".ps1": "pwsh",
}  # fmt: skip
_COMM = 15  # bytes that the kernel keeps


def typed(
    line: str, namer: Namer, *, unit: str = "", container: Container | None = None, above: str = ""
) -> Description:
    """What works when somebody types a line at a prompt, or a unit or container has it.

    Args:
        line: as a shell takes it.
        namer: tells which of several commands does the work.
        unit: it is started by this unit.
        container: it is started in this container.
        above: the program that starts it.
    """
    words = _chosen(line, namer) or line.split()
    # What a wrapper, or a shell that is given a line, runs in the end.
    chain = [words]
    while inner := _inner(chain[0], namer):
        chain.insert(0, inner)
    found = [_started(argv) for argv in chain]
    found += [_started([above])] if above else []
    found += _PROMPT if not (unit or container) else ()
    own = found[0]
    if unit:
        own = replace(own, cgroups=f"0::/system.slice/{full_unit(unit)}")
    return Description(process=own, parents=tuple(found[1:]), container=container)


def full_unit(unit: str) -> str:
    """The name of a unit with its type, which people leave out of a service's."""
    return unit if unit.endswith((".service", ".scope", ".slice")) else f"{unit}.service"


def _chosen(line: str, namer: Namer) -> list[str]:
    """The command of a line that does most for what people call the whole."""
    listed = list(commands(line))
    if len(listed) < 2:
        return listed[0] if listed else []
    program = namer.describe(["sh", "-c", line], "sh").program
    for words in listed:
        if program in (program_of(words[0]), namer.describe(words, base(words[0])).program):
            return words
    return listed[0]


def _inner(words: list[str], namer: Namer) -> list[str]:
    """The command that another one runs; empty for one that works itself."""
    outer = program_of(words[0])
    program = namer.describe(words, base(words[0])).program
    if program == outer:
        return []
    for at, word in enumerate(words[1:], 1):
        if program_of(word) == program:
            return words[at:]
        if re.search(r"\s", word) and any(
            program in (program_of(each[0]), namer.describe(each, base(each[0])).program)
            for each in commands(word)
        ):
            return _chosen(word, namer)
    return []


def _started(words: list[str]) -> Described:
    """The process of a command: of a script, the interpreter that the kernel starts for it."""
    # A script keeps its own name with the kernel (fs/binfmt_script.c), unless env looks for its
    # interpreter.
    comm, argv = base(words[0]), tuple(words)
    if interpreter := _interpreter_of(words[0]):
        if base(interpreter[0]) == "env":
            interpreter = tuple(word for word in interpreter[1:] if word != "-S")
            comm = base(interpreter[0]) if interpreter else comm
        argv = (*interpreter, *argv)
    cut = comm.encode("utf-8", "surrogatepass")[:_COMM].decode("utf-8", "replace")
    return Described(comm=cut, argv=argv, exe=argv[0] if argv[0].startswith("/") else "")


def _interpreter_of(path: str) -> tuple[str, ...]:
    """What runs a script: as its first line says, else as its ending does."""
    if "/" not in path:
        return ()
    first = b""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        script = Path(path).expanduser()
        if script.is_file():
            with script.open("rb") as file:
                first = file.readline(256)
    if first.startswith(b"#!"):
        return tuple(first[2:].decode("utf-8", "replace").split())
    ending = Path(path).suffix.lower()
    return (_BY_ENDING[ending],) if ending in _BY_ENDING else ()
