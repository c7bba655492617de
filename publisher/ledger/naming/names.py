"""What a person would call a process: from its command line to a few safe words.

Arguments may hold secrets, so a label is built from what is known to be a name: the program, a
script's file name, the subcommands of programs that have some. Everything else is left out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from publisher.ledger.naming.generic import folder_of, is_generic, plain_class
from publisher.ledger.naming.hosts import erlang_application, guest_of
from publisher.ledger.naming.interpreters import run_of
from publisher.ledger.naming.programs import Programs, shipped
from publisher.ledger.naming.served import SERVERS, application_in
from publisher.ledger.naming.shell_lines import commands
from publisher.ledger.naming.titles import titled_program
from publisher.ledger.naming.words import (
    LABEL_LIMIT,
    SCRIPT,
    base,
    clean,
    harmless_option,
    harmless_word,
    presentable,
    program_of,
    program_of_comm,
    secretive,
)
from publisher.ledger.naming.wrapping import unwrapped, wrapper_of

__all__ = ["LABEL_LIMIT", "Name", "Namer", "base", "clean", "program_of"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{0,31}")
_TOOL = re.compile(r"--coreutils-prog(?:-shebang)?=([\w.-]+)$")
"""Which of its tools GNU's single program is."""
_BATCH = re.compile(r"/mom_priv/jobs/(\d+)[\w.\[\]-]*\.SC$")
"""Where PBS lays the script of a job."""
_LONGEST_CLASS = 100  # of a class of Java: so long may be what reads as words
_NO_FILE = re.compile(r"/(dev|proc)/")
_SECRET = re.compile(
    r"pass|pw|token|key|secret|cred|auth|cookie|obscure|^-[A-Za-z]*[aAkKpPsuUwW]$", re.IGNORECASE
)
"""Options and subcommands behind which a secret may stand."""
_MAKES = ("make", "gmake")  # whose every word is a target
_JOBS = re.compile(r"^-j\d{0,4}$")
"""Parallel jobs of make and ninja: part of how people call a build."""
_TOLD = ("true", "false", "echo", "printf", "read", "sleep", "wait")
"""Builtins that are more than bookkeeping: a loop may consist of nothing else."""
_DEEPEST = 8  # commands within commands
_OF_LINES = ("su", "runuser", "script")
_MAIN_THREADS = ("MainThread", "node-MainThread", "main", "exe")  # threads named by a runtime
_ENDINGS = """
    py python js node mjs node cjs node ts node rb ruby pl perl php php jar java R Rscript jl julia
    lua lua sh sh bash bash zsh zsh
"""
_INTERPRETERS = dict(zip(_ENDINGS.split()[::2], _ENDINGS.split()[1::2], strict=True))
"""What runs a script, by its ending, where a wrapper is given the script alone."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a command line says of itself.

    Attributes:
        program: file name of the program that does the work, wrappers taken off.
        script: what an interpreter or a shell runs, empty otherwise.
        command: the leading safe words, as people would type them.
        label: the name for people.
        nameless: a shell that runs whatever it is told next: each of its children is a job of
            its own.
        interpreter: what runs ``script``, or what writes the title.
        titled: the process has written a title in place of its command line.
        line: it is a shell with a line of commands, of which the first that matters is named.
        vague: the script as written, where its name says nothing and its folder is not told.
        path: where the script lies, as far as it is written.
        guest: it runs a virtual machine, and ``label`` is that one's name.
    """

    program: str
    script: str = ""
    command: str = ""
    label: str = ""
    nameless: bool = False
    interpreter: str = ""
    titled: bool = False
    line: bool = False
    vague: str = ""
    path: str = field(default="", compare=False)
    guest: bool = False


class Namer:
    """Finds names by the tables of programs.

    Args:
        tables: gives them; asked when the first name is needed.
        arguments: add options, and bare words that are known to be harmless, to commands.
    """

    def __init__(
        self, tables: Callable[[], Programs] = shipped, *, arguments: bool = False
    ) -> None:
        self._tables = tables
        self._arguments = arguments

    @cached_property
    def programs(self) -> Programs:
        """The tables."""
        return self._tables()

    def describe(self, words: Sequence[str], comm: str) -> Name:
        """Names a process by its command line; by ``comm`` where there is none.

        Args:
            words: as started; empty for kernel threads, zombies and those we may not read.
            comm: the kernel's name of it.
        """
        if not words or not words[0].strip():
            return _named(program_of_comm(comm))
        tables = self.programs
        kernel = program_of_comm(comm)
        interpreter = kernel if kernel in tables.interpreters else ""
        title = words[0]
        if interpreter and len(words) > 1 and " " not in title:
            title += " "  # no interpreter's own name: the title was told in several words
        if titled := titled_program(title, tables.titled, tables.interpreters.keys()):
            carried = _carried(titled, " ".join(words).split())
            return replace(carried or _named(titled), interpreter=interpreter, titled=True)
        if " " in words[0]:
            return self._titled(words, comm)
        return self._of_command(list(words), comm, depth=0)

    def running(self, name: Name, words: Sequence[str], comm: str) -> str:
        """The name of the program that a process runs itself, wrapper or not.

        Args:
            name: what ``describe`` says of it.
            words: its command line.
            comm: the kernel's name of it.
        """
        kernel = program_of_comm(comm)
        if name.titled:
            return name.program
        first = program_of(words[0]) if words else ""
        if first and (first[:15] == kernel[:15] or kernel in _MAIN_THREADS):
            return first
        return kernel

    def _titled(self, words: Sequence[str], comm: str) -> Name:
        """A process that rewrote its command line: ``npm run build``, ``node /srv/app.js``."""
        title = words[0]
        name = base(title)
        if title[:1] in "/ABCDEFGHIJKLMNOPQRSTUVWXYZ" and name[:15] == comm[:15]:
            # A path with spaces in it, and a name that is cut to 15 bytes in ``comm``; what
            # follows in the title may be arguments.
            name = name[:15] + name[15:].partition(" ")[0]
            return self._of_command([name, *words[1:]], comm, depth=0)
        if title.startswith("["):  # ``[lxc monitor] /var/lib/lxc web``
            return _named(program_of_comm(comm))
        told = title.split()
        program = program_of(told[0])
        tables = self.programs
        if (
            told[0].startswith("/")
            or program[:15] == comm[:15]
            or program in tables.subcommands
            or program in tables.interpreters
        ):
            return self._of_command(told, comm, depth=0)
        return _named(program_of_comm(comm))

    def _of_command(self, words: list[str], comm: str, depth: int) -> Name:
        program = program_of(words[0])
        if not presentable(program) and not depth and secretive(program):
            program = program_of_comm(comm)
        if wrapped := self._wrapped(program, words, comm, depth):
            return wrapped
        if carried := _carried(program, words[1:]):
            return carried
        tables = self.programs
        if depth < _DEEPEST:
            if program == "busybox" and len(words) > 1 and presentable(words[1]):
                return self._of_command(words[1:], comm, depth + 1)
            if program == "coreutils" and len(words) > 1 and (tool := _TOOL.match(words[1])):
                return self._of_command([tool[1], *words[2:]], comm, depth + 1)
            if program in _OF_LINES and (line := _line_of(words)):
                return self._of_line(line, comm, "sh", depth)
        if program in tables.shells:
            return self._of_shell(program, words, comm, depth)
        if program in tables.interpreters:
            return self._of_interpreter(program, words, comm, depth)
        if not program:
            return _named(program_of_comm(comm))
        return self._of_program(program, words)

    def _of_program(self, program: str, words: list[str]) -> Name:
        if SCRIPT.fullmatch(program):
            ending = program.rpartition(".")[2]
            if interpreter := _INTERPRETERS.get(ending):
                told = _scripted(interpreter, words[0], program)
                shell = interpreter in self.programs.shells
                return replace(told, command=told.label) if shell else told
        if guest := guest_of(program, words):
            return Name(program=program, command=program, label=clean(guest), guest=True)
        if application := erlang_application(program, words):
            return Name(program, application, program, application, interpreter=program)
        return self._with_subcommands(program, words[1:])

    def _wrapped(self, wrapper: str, words: list[str], comm: str, depth: int) -> Name | None:
        """The name of what a wrapper runs; ``None`` for any other program."""
        name = wrapper_of(wrapper)
        table = self.programs.wrappers.get(name)
        if table is None or depth >= _DEEPEST:
            return None
        rest = unwrapped(name, table, words)
        if rest and table.line:
            return self._of_line(" ".join(rest), comm, "sh", depth)
        if not rest or not presentable(program_of(rest[0])):
            return None
        return self._of_command(rest, comm, depth + 1)

    def _of_shell(self, program: str, words: list[str], comm: str, depth: int) -> Name:
        unknown = Name(program=program, command=program, label=program)
        at, told, stdin = 1, False, False
        while at < len(words) and words[at][:1] in ("-", "+") and words[at] not in ("-", "--"):
            word = words[at]
            at += 1
            if word.startswith("--"):
                option, equals, line = word.partition("=")
                if option == "--command":
                    line = line if equals else "".join(words[at : at + 1])
                    return self._of_line(line, comm, program, depth)
                if option in self.programs.shell_valued and not equals:
                    at += 1
                elif option not in self.programs.shell_bare and not equals:
                    return unknown
                continue
            switches, valued, value = _letters(program, word[1:])
            if value and (valued == "c" or program != "fish"):
                return unknown  # ambiguous
            told = told or (word[0] == "-" and "c" in switches + valued)
            stdin = stdin or "s" in switches
            if valued in ("", "c"):
                continue
            at += not value
        at += words[at : at + 1] in (["-"], ["--"])
        script = words[at] if at < len(words) else ""
        if told:
            return self._of_line(script, comm, program, depth)
        if not script or stdin or _NO_FILE.match(script):
            return Name(program=program, command=program, label=program, nameless=True)
        name = clean(base(script), 40)
        if batch := _BATCH.search(script):
            return Name(program, name, name, f"PBS job {batch[1]}", interpreter=program)
        if not presentable(name) or script.endswith("/"):
            return unknown
        if wrapped := self._wrapped(name, words[at:], comm, depth):
            return wrapped  # many wrappers are scripts
        return Name(program, name, name, name, interpreter=program, path=_path(script))

    def _of_line(self, line: str, comm: str, shell: str, depth: int) -> Name:
        """``sh -c LINE``: by its first command that does some work, else by its first chore."""
        told, chore = "", None
        for command in commands(line) if depth < _DEEPEST else ():
            program = program_of(command[0])
            if program in self.programs.builtins:
                told = told or (program if program in _TOLD else "")
            elif presentable(program) and command[0][0] != "-" and command[0][-1] != "/":
                name = replace(self._of_command(command, comm, depth + 1), line=True)
                if not self._minor(name):
                    return name
                chore = chore or name
        label = f"{shell} -c {told or '…'}"
        return chore or Name(program=shell, command=shell, label=label, line=True)

    def _minor(self, name: Name) -> bool:
        """Whether a command says little of what a script is about."""
        return (
            name.program in self.programs.chores
            or name.program in self.programs.wrappers
            or (name.program in self.programs.interpreters and not name.script)
        )

    def _of_interpreter(self, program: str, words: list[str], comm: str, depth: int) -> Name:
        script, flag, after = run_of(self.programs.interpreters[program], words)
        name = base(script)
        if not name or script == "-" or script.endswith("/") or _NO_FILE.match(script):
            told = f"{program} {flag}".rstrip() if flag != "class" else program
            return Name(program=program, command=program, label=told)
        is_file = flag or "/" in script or SCRIPT.fullmatch(name)
        if is_file and (wrapped := self._wrapped(name, [name, *words[after:]], comm, depth)):
            return wrapped
        if is_file and (carried := _carried(wrapper_of(name), words[after:])):
            return replace(carried, program=program)
        named = self._of_script(program, script, flag, words[after:])
        return named if flag in ("-m", "class") else replace(named, path=_path(script))

    def _of_script(self, program: str, script: str, flag: str, rest: list[str]) -> Name:
        name = base(script)
        if flag == "class" and "/" in script:
            product = clean(script.partition("/")[0])
            command = f"{program} {clean(name)}"
            return Name(program, f"{product}/{name}", command, product, interpreter=program)
        if flag == "class":
            return _scripted(program, name.partition("$")[0], label=plain_class(name))
        if flag in ("-m", "-jar"):
            return _scripted(program, script, flag=f"{flag} ")
        stem = re.sub(r"(-cli)?\.[cm]?js$", "", name)
        if stem in self.programs.subcommands:
            known = self._with_subcommands(stem, rest)
            return replace(known, program=program, script=stem, interpreter=program)
        in_package = "/node_modules/" in script
        if (
            "." not in name
            and not is_generic(name)
            and re.search(r"/s?bin/", script)
            and not in_package
        ):
            if not presentable(name):
                return _named(program)
            # an installed tool that happens to be a script
            return Name(program, name, name, name, interpreter=program)
        if in_package and "/.bin/" not in script:
            name = _package_of(script)
            return _scripted(program, name, label=name)
        return _scripted(
            program, script, flag="" if SCRIPT.fullmatch(name) or not flag else f"{flag} "
        )

    def _with_subcommands(self, program: str, words: list[str]) -> Name:
        name = clean(program) or "unknown"
        limit = self.programs.subcommands.get(program, 0)
        switches = self.programs.switches.get(program, frozenset())
        valued = self.programs.valued.get(program, frozenset())
        kept: list[str] = []
        flags: list[str] = []
        skips = False
        for word in words if limit else ():
            if skips or word in valued:
                skips = not skips
            elif program in ("make", "gmake", "ninja") and _JOBS.match(word):
                flags.append(word)
            elif word in switches:
                continue
            elif len(kept) < limit and _PLAIN.fullmatch(word) and not secretive(word):
                kept.append(word)
                if program not in _MAKES and word not in self.programs.naming_subcommands:
                    break
            else:
                break
        text = " ".join([name, *flags, *kept])
        if self._arguments:
            rest = self._harmless(program, words)
            text = clean(" ".join([text, *(word for word in rest if word not in kept + flags)]))
        return Name(program=name, command=text, label=clean(text))

    def _harmless(self, program: str, words: list[str]) -> Iterator[str]:
        """The words behind a program that may be shown to whoever asked for arguments.

        Options by their names; bare words only of programs that take none that is a secret, and
        none behind an option that may be followed by one.
        """
        plain = program in self.programs.plain
        for before, word in zip(["", *words], words, strict=False):
            if _SECRET.search(before):
                continue
            if harmless_option(word, strung=plain) or (plain and harmless_word(word)):
                yield word


def _path(script: str) -> str:
    return posixpath.normpath(script)[:200] if script.startswith("/") else ""


def _named(program: str) -> Name:
    name = clean(program) or "unknown"
    return Name(program=name, command=name, label=name)


def _line_of(words: list[str]) -> str:
    """What ``su`` hands to a shell: behind ``-c``, also strung to other letters, as in ``-lc``."""
    for word, after in pairwise(words):
        if word == "--command" or re.fullmatch(r"-[aeflmpPqr]*c", word):
            return after
    return ""


def _package_of(path: str) -> str:
    """The package of Node.js that a file belongs to: ``vite``, ``nestjs`` for ``@nestjs/cli``."""
    scope, _, rest = path.rpartition("/node_modules/")[2].partition("/")
    if not scope.startswith("@"):
        return scope
    name = rest.partition("/")[0]
    return name if name and not is_generic(f"{name}.js") else scope[1:]


def _letters(shell: str, letters: str) -> tuple[str, str, str]:
    """Options strung together: the switches, the one that takes a value, and that value.

    The value is empty when it is the next word.
    """
    match = re.search("[cCdDfop]" if shell == "fish" else "[oO]", letters)
    if not match:
        return letters, "", ""
    return letters[: match.start()], match[0], letters[match.end() :]


def _scripted(program: str, path: str, name: str = "", *, flag: str = "", label: str = "") -> Name:
    """Named by what an interpreter runs: a script's name is its label, a module's its command."""
    name = clean(name or base(path), _LONGEST_CLASS)
    if not presentable(name):
        return _named(program)
    text = f"{program} {flag}{name}"
    if not label:
        is_file = SCRIPT.fullmatch(name) or path.startswith(("/", "./"))
        label = re.sub(r"\.(dll|exe|asar)$", "", name) if is_file else text
    if flag == "-m " or not is_generic(name):
        return Name(program, name, text, clean(label), interpreter=program)
    if folder := folder_of(path):
        return Name(program, f"{folder}/{name}", text, clean(folder), interpreter=program)
    vague = "" if path.startswith("/") else path
    return Name(program, name, text, clean(label), interpreter=program, vague=vague)


def _carried(server: str, words: Sequence[str]) -> Name | None:
    """The application that a server or a worker carries, where that has a name of its own."""
    module = application_in(server, words) if server in SERVERS else ""
    if not module:
        return None
    label = clean(module.partition(".")[0])
    return Name(server, module, f"{server} {label}", label, interpreter=server)


def in_folder(name: Name, folder: str) -> Name:
    """The name with what the folder that the process works in says of a vague one."""
    told = folder_of(f"{folder}/{name.vague}")
    if not told or not name.vague:
        return name
    return replace(name, script=f"{told}/{base(name.vague)}", label=clean(told), vague="")
