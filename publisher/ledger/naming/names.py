"""What a person would call a process: from its command line to a few safe words.

Arguments may hold secrets, so a label is built from what is known to be a name: the program, a
script's file name, the subcommands of programs that have some. Everything else is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from publisher.ledger.naming.interpreters import SCRIPT, run_of
from publisher.ledger.naming.programs import Programs, shipped
from publisher.ledger.naming.shell_lines import ASSIGNMENT, commands

LABEL_LIMIT = 60

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{0,31}")
_VERSION = re.compile(r"^(python|pypy|perl|ruby|php|lua|node|java|tclsh)[\d.]+$")
_NAME = re.compile(r"[\w.+@-]+")
"""What programs and scripts are called; code hardly ever looks so."""
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
    """

    program: str
    script: str = ""
    command: str = ""
    label: str = ""
    nameless: bool = False


def clean(text: str, limit: int = LABEL_LIMIT) -> str:
    """Printable, on one line, without characters that steer a terminal or its direction."""
    kept = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " " for character in text
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def base(path: str) -> str:
    """The file name of a path."""
    return path.rstrip("/").rpartition("/")[2]


def program_of(word: str) -> str:
    """A program's name from the first word of a command: no path, no login dash, no version."""
    name = base(word).removeprefix("-")
    if match := _VERSION.match(name):
        return match[1]
    return name


class Namer:
    """Finds names by the tables of programs.

    Args:
        tables: gives them; asked when the first name is needed.
        arguments: add further harmless words to commands.
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
            return _named(program_of(comm))
        if " " in words[0]:
            return self._titled(words, comm)
        return self._of_command(list(words), comm, depth=0)

    def _titled(self, words: Sequence[str], comm: str) -> Name:
        """A process that rewrote its command line: ``postgres: writer``, ``npm run build``."""
        title = words[0]
        name = base(title)
        if title.startswith("/") and name[:15] == comm[:15]:  # a path with spaces in it
            # A name is cut to 15 bytes in ``comm``; what follows in the title may be arguments.
            name = name[:15] + name[15:].partition(" ")[0]
            return self._of_command([name, *words[1:]], comm, depth=0)
        head, colon, _ = title.partition(": ")
        if colon and " " not in head:
            return _named(program_of(head))
        told = title.split()
        program = program_of(told[0])
        if (
            told[0].startswith("/")
            or program[:15] == comm[:15]
            or program in self.programs.subcommands
        ):
            return self._of_command(told, comm, depth=0)
        return _named(program_of(comm))

    def _of_command(self, words: list[str], comm: str, depth: int) -> Name:
        program = program_of(words[0])
        if _secretive(program) and not depth:
            program = program_of(comm)
        if wrapped := self._wrapped(program, words, comm, depth):
            return wrapped
        if depth < _DEEPEST:
            if program == "busybox" and len(words) > 1 and _presentable(words[1]):
                return self._of_command(words[1:], comm, depth + 1)
            if program in ("su", "runuser") and (line := _line_of_su(words)):
                return self._of_line(line, comm, "sh", depth)
        if program in self.programs.shells:
            return self._of_shell(program, words, comm, depth)
        if program in self.programs.interpreters:
            return self._of_interpreter(program, words, comm, depth)
        if not program:
            return _named(program_of(comm))
        return self._with_subcommands(program, words[1:])

    def _wrapped(self, wrapper: str, words: list[str], comm: str, depth: int) -> Name | None:
        """The name of what a wrapper runs; ``None`` for any other program."""
        if wrapper not in self.programs.wrappers or depth >= _DEEPEST:
            return None
        rest = self._unwrapped(wrapper, words)
        if not rest or not _presentable(program_of(rest[0])):
            return None
        return self._of_command(rest, comm, depth + 1)

    def _unwrapped(self, wrapper: str, words: list[str]) -> list[str]:
        """The wrapped command; empty when there is none to be seen."""
        valued, positional = self.programs.wrappers[wrapper]
        takes_value = frozenset(valued.split())
        if wrapper == "runuser" and takes_value.isdisjoint(words):
            return []  # a user's name comes first, as with su
        at, end = 1, len(words)
        while at < end:
            word = words[at]
            if word == "--":
                at += 1
                break
            # Letters strung together: the last may take the next word, as in ``sudo -Hu alice``.
            strung = re.fullmatch(r"-[A-Za-z0-9]+", word) and not takes_value & {
                f"-{letter}" for letter in word[1:-1]
            }
            if word in takes_value or (strung and f"-{word[-1]}" in takes_value):
                at += 2
            elif word.startswith("-") or ASSIGNMENT.match(word):
                at += 1
            else:
                break
        at += positional
        while at < end and ASSIGNMENT.match(words[at]):
            at += 1
        if wrapper == "flock" and at < end and words[at] in ("-c", "--command"):
            return ["sh", *words[at:]]
        return words[at:]

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
        if not _presentable(name) or script.endswith("/"):
            return unknown
        if wrapped := self._wrapped(name, words[at:], comm, depth):
            return wrapped  # many wrappers are scripts
        return Name(program=program, script=name, command=name, label=name)

    def _of_line(self, line: str, comm: str, shell: str, depth: int) -> Name:
        """``sh -c LINE``: by its first command that does some work, else by its first chore."""
        told, chore = "", None
        for command in commands(line) if depth < _DEEPEST else ():
            program = program_of(command[0])
            if program in self.programs.builtins:
                told = told or (program if program in _TOLD else "")
            elif _presentable(program) and command[0][0] != "-" and command[0][-1] != "/":
                name = self._of_command(command, comm, depth + 1)
                if not self._minor(name):
                    return name
                chore = chore or name
        return chore or Name(program=shell, command=shell, label=f"{shell} -c {told or '…'}")

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
            return Name(program=program, command=program, label=f"{program} {flag}".rstrip())
        if flag in ("-m", "-jar"):
            return _scripted(program, name, f"{flag} ")
        if wrapped := self._wrapped(name, [name, *words[after:]], comm, depth):
            return wrapped
        stem = re.sub(r"(-cli)?\.[cm]?js$", "", name)
        if stem in self.programs.subcommands:
            known = self._with_subcommands(stem, words[after:])
            return Name(program=program, script=stem, command=known.command, label=known.label)
        in_package = "/node_modules/" in script
        if "." not in name and re.search(r"/s?bin/", script) and not in_package:
            if not _presentable(name):
                return _named(program)
            # an installed tool that happens to be a script
            return Name(program=program, script=name, command=name, label=name)
        if in_package and "/.bin/" not in script:
            parts = script.rpartition("/node_modules/")[2].split("/")
            name = parts[1] if parts[0].startswith("@") and len(parts) > 1 else parts[0]
        return _scripted(program, name, "" if SCRIPT.fullmatch(name) or not flag else f"{flag} ")

    def _with_subcommands(self, program: str, words: list[str]) -> Name:
        name = clean(program) or "unknown"
        limit = self.programs.subcommands.get(program, 0)
        switches = self.programs.switches.get(program, frozenset())
        kept: list[str] = []
        flags: list[str] = []
        for word in words if limit else ():
            if program in ("make", "gmake", "ninja") and _JOBS.match(word):
                flags.append(word)
            elif word in switches:
                continue
            elif len(kept) < limit and _PLAIN.fullmatch(word) and not _secretive(word):
                kept.append(word)
                if program not in _MAKES and word not in self.programs.naming_subcommands:
                    break
            else:
                break
        text = " ".join([name, *flags, *kept])
        if self._arguments:
            shown = [
                word
                for before, word in zip(["", *words], words, strict=False)
                if word not in kept
                and word not in flags
                and (word.startswith("-") or program not in self.programs.secretive)
                and _harmless(word)
                and not _SECRET.search(before)
            ]
            text = clean(" ".join([text, *shown]))
        return Name(program=name, command=text, label=clean(text))


def _named(program: str) -> Name:
    name = clean(program) or "unknown"
    return Name(program=name, command=name, label=name)


def _line_of_su(words: list[str]) -> str:
    """What ``su`` hands to a shell: behind ``-c``, also strung to other letters, as in ``-lc``."""
    for word, after in pairwise(words):
        if word == "--command" or re.fullmatch(r"-[flmpP]*c", word):
            return after
    return ""


def _letters(shell: str, letters: str) -> tuple[str, str, str]:
    """Options strung together: the switches, the one that takes a value, and that value.

    The value is empty when it is the next word.
    """
    match = re.search("[cCdDfop]" if shell == "fish" else "[oO]", letters)
    if not match:
        return letters, "", ""
    return letters[: match.start()], match[0], letters[match.end() :]


def _scripted(program: str, script: str, flag: str) -> Name:
    name = clean(script, 40)
    if not _presentable(name):
        return _named(program)
    text = f"{program} {flag}{name}"
    return Name(program=program, script=name, command=text, label=text)


def _secretive(word: str) -> bool:
    """Whether a word looks more like a key than like a name."""
    if len(word) > 32 or "=" in word or "://" in word or "@" in word:
        return True
    if SCRIPT.fullmatch(word):
        return False
    stem = word.rpartition(".")[0] or word
    digits = sum(character.isdigit() for character in stem)
    if len(stem) >= 8 and digits >= 4 and digits * 4 > len(stem):
        return True
    return len(stem) >= 16 and not re.search(r"[-_. ]", stem) and stem.lower() != stem


def _presentable(name: str) -> bool:
    """Whether it may be shown as what a program or a script is called."""
    return bool(_NAME.fullmatch(name)) and not _secretive(name)


def _harmless(word: str) -> bool:
    """A long option, a few switches, or a plain word; ``-psesame`` is none of these."""
    return bool(
        re.fullmatch(r"--[A-Za-z][A-Za-z-]{0,20}|-[A-Za-z]{1,3}|[A-Za-z][A-Za-z0-9_.-]{0,31}", word)
    ) and not _secretive(word)
