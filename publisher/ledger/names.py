"""What a person would call a process: from its command line to a few safe words.

Arguments may hold secrets, so a label is built from what is known to be a name: the program, a
script's file name, the subcommands of programs that have some. Everything else is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LABEL_LIMIT = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rbash")
)
_INTERPRETERS = _words(
    "python pypy node nodejs deno bun ruby perl php java lua luajit Rscript julia pwsh "
    "mono dotnet tclsh electron"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{0,31}")
_VERSION = re.compile(r"^(python|pypy|perl|ruby|php|lua|node|java|tclsh)[\d.]+$")
_FILE = re.compile(r"[A-Za-z][\w.-]*\.(py|sh|js|mjs|cjs|ts|rb|pl|php|lua|R|jl|jar|bash|zsh)")
"""A script's name may well hold a date."""
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*\+?=")


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


# Options that take their value as the next word, and how many words of its own come before the
# wrapped command (man pages of each).
_WRAPPERS: dict[str, tuple[str, int]] = {
    "sudo": (
        "-u -g -h -p -C -T -r -t -U -D -R --user --group --host --prompt --chdir --chroot",
        0,
    ),
    "doas": ("-u -C", 0),
    "env": ("-u -C -S --unset --chdir", 0),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p --class --classdata", 0),
    "chrt": ("-T -P -D", 1),
    "taskset": ("", 1),
    "timeout": ("-s -k --signal --kill-after", 1),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "stdbuf": ("-i -o -e --input --output --error", 0),
    "time": ("-f -o --format --output", 0),
    "flock": ("-w -E --timeout --wait --conflict-exit-code", 1),
    "setpriv": (
        (
            "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits "
            "--pdeathsig --ruid --euid --rgid --egid"
        ),
        0,
    ),
    "runuser": ("-u --user -g --group -G --supp-group", 0),
    "systemd-run": (
        (
            "-p --property -u --unit -M --machine -H --host --slice --description --uid --gid "
            "--nice --working-directory -d -E --setenv"
        ),
        0,
    ),
    "systemd-inhibit": ("", 0),
    "cgexec": ("-g", 0),
    "unshare": ("", 0),
    "nsenter": ("-t --target", 0),
    "chroot": ("", 1),
    "strace": ("-e -o -p -s -a -O -S -u -E -I", 0),
    "ltrace": ("-e -o -p -s -a -u", 0),
    "xvfb-run": ("-n -s -e -f -p -w", 0),
    "dbus-run-session": ("", 0),
    "firejail": ("", 0),
    "tini": ("-p", 0),
    "dumb-init": ("", 0),
    "catatonit": ("", 0),
    "caffeinate": ("-t -w", 0),
    "unbuffer": ("", 0),
    "ccache": ("", 0),
    "distcc": ("", 0),
    "command": ("", 0),
    "exec": ("-a", 0),
    "xargs": ("-I -n -P -L -d -a -E -s --max-args --max-procs --replace --delimiter", 0),
}

# Programs whose next words are subcommands or targets, and how many of them make the name.
_ONE_WORD = _words(
    "git docker podman apt apt-get dpkg dnf yum zypper pacman apk brew snap flatpak systemctl "
    "cargo go rustup dotnet mvn gradle gradlew bazel ninja cmake meson tox nox hatch poetry pip "
    "pip3 conda composer bundle rake rails artisan kubectl helm terraform ansible borg restic "
    "rclone zfs zpool btrfs mdadm nix guix hg svn lxc nvm pm2 vite next webpack ollama openssl "
    "npx just task"
)
_TWO_WORDS = _words("npm yarn pnpm bun make gmake uv")
_SUBCOMMANDS = dict.fromkeys(_ONE_WORD, 1) | dict.fromkeys(_TWO_WORDS, 2)
# Flags of those programs that take no value, so that the word behind them may be a subcommand.
_BARE_FLAGS = _words(
    "-y -q -qq --yes --quiet -s --silent -k --keep-going -B --no-pager -v --verbose -i"
)
_JOBS = re.compile(r"^-j\d{0,4}$")
"""Parallel jobs of make and ninja: part of how people call a build."""

_BUILTINS = _words(
    ": . [ [[ cd export set unset source eval echo printf read shift trap ulimit umask exit wait "
    "true false test sleep local declare let return break continue"
)
_KEYWORDS = _words("while until for if then else elif do done fi esac { } ! case in select time")
_SHELL_WORDS = re.compile(r"\"[^\"]*\"|'[^']*'|[;&|()<>\n]+|[^\s;&|()<>]+")


def describe(words: Sequence[str], comm: str, *, arguments: bool = False) -> Name:
    """Names a process by its command line; by ``comm`` where there is none.

    Args:
        words: as started; empty for kernel threads, zombies and those we may not read.
        comm: the kernel's name of it.
        arguments: add further harmless words.
    """
    if not words or not words[0].strip():
        return _named(program_of(comm))
    if len(words) == 1 and " " in words[0]:
        return _titled(words[0], comm, arguments=arguments)
    return _of_command(list(words), comm, arguments=arguments, depth=0)


def _titled(title: str, comm: str, *, arguments: bool) -> Name:
    """A process that rewrote its command line: ``postgres: writer``, ``npm run build``."""
    if program_of(title)[:15] == comm[:15]:
        return _named(program_of(title))  # a path with spaces in it
    head, colon, _ = title.partition(": ")
    if colon and " " not in head:
        return _named(program_of(head))
    words = title.split()
    if (
        words[0].startswith("/")
        or program_of(words[0])[:15] == comm[:15]
        or (program_of(words[0]) in _SUBCOMMANDS)
    ):
        return _of_command(words, comm, arguments=arguments, depth=0)
    return _named(program_of(comm))


def _of_command(words: list[str], comm: str, *, arguments: bool, depth: int) -> Name:
    program = program_of(words[0])
    if _secretive(program) and not depth:
        program = program_of(comm)
    if depth < 8:
        rest = _unwrapped(program, words) if program in _WRAPPERS else []
        if rest and not _secretive(program_of(rest[0])):
            return _of_command(rest, comm, arguments=arguments, depth=depth + 1)
        if program == "busybox" and len(words) > 1 and not words[1].startswith("-"):
            return _of_command(words[1:], comm, arguments=arguments, depth=depth + 1)
        if program in ("su", "runuser") and (line := _option(words, "-c", "--command")):
            return _of_line(line, comm, "sh", arguments=arguments, depth=depth)
    if program in SHELLS:
        return _of_shell(program, words, comm, arguments=arguments, depth=depth)
    if program in _INTERPRETERS:
        return _of_interpreter(program, words, arguments=arguments)
    if not program:
        return _named(program_of(comm))
    return _with_subcommands(program, words[1:], arguments=arguments)


def _named(program: str) -> Name:
    name = clean(program) or "unknown"
    return Name(program=name, command=name, label=name)


def _unwrapped(wrapper: str, words: list[str]) -> list[str]:
    """The wrapped command; empty when there is none to be seen."""
    valued, positional = _WRAPPERS[wrapper]
    takes_value = frozenset(valued.split())
    at, end = 1, len(words)
    while at < end:
        word = words[at]
        if word == "--":
            at += 1
            break
        if word in takes_value:
            at += 2
        elif word.startswith("-") or _ASSIGNMENT.match(word):
            at += 1
        else:
            break
    at += positional
    while at < end and _ASSIGNMENT.match(words[at]):
        at += 1
    if wrapper == "flock" and at < end and words[at] in ("-c", "--command"):
        return ["sh", *words[at:]]
    return words[at:]


def _option(words: list[str], *names: str) -> str:
    for at, word in enumerate(words[:-1]):
        if word in names:
            return words[at + 1]
    return ""


def _of_shell(program: str, words: list[str], comm: str, *, arguments: bool, depth: int) -> Name:
    at = 1
    while at < len(words) and words[at][:1] in ("-", "+") and words[at] not in ("-", "--"):
        word = words[at]
        if not word.startswith("--") and "c" in word[1:] and at + 1 < len(words):
            return _of_line(words[at + 1], comm, program, arguments=arguments, depth=depth)
        at += 2 if word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    if at < len(words) and words[at] in ("-", "--"):
        at += 1
    script = words[at] if at < len(words) and "s" not in words[1][1:2] else ""
    if not script or re.match(r"/(dev|proc)/", script):
        return Name(program=program, command=program, label=program, nameless=True)
    name = clean(base(script), 40)
    if _secretive(name):
        return Name(program=program, command=program, label=program)
    return Name(program=program, script=name, command=name, label=name)


def _of_line(line: str, comm: str, shell: str, *, arguments: bool, depth: int) -> Name:
    """``sh -c LINE``: by its first command that does some work."""
    tokens = _SHELL_WORDS.findall(line)
    command: list[str] = []
    for token in [*tokens, ";"]:
        if token[0] in ";&|()\n":
            first = program_of(command[0]) if command else ""
            if first and first not in _BUILTINS and depth < 8 and not _secretive(first):
                return _of_command(command, comm, arguments=arguments, depth=depth + 1)
            command = []
        elif not command and (token in _KEYWORDS or _ASSIGNMENT.match(token)):
            if token in ("for", "case", "select"):
                command = [":"]  # its words are no command
        elif token[0] in "<>":
            continue
        else:
            command.append(token.strip("\"'") or token)
    program = _last_builtin(tokens) or shell
    return Name(program=shell, command=shell, label=clean(f"{shell} -c {program}"))


def _last_builtin(tokens: list[str]) -> str:
    """For loops of nothing but builtins: the first that is more than bookkeeping."""
    for token in tokens:
        if token in ("true", "false", "echo", "printf", "read", "sleep", "wait"):
            return token
    return "…"


_VALUED = {
    "python": frozenset({"-W", "-X", "--check-hash-based-pycs"}),
    "pypy": frozenset({"-W", "-X"}),
    "node": frozenset({"-r", "--require", "--import", "--loader", "-C", "--conditions"}),
    "nodejs": frozenset({"-r", "--require", "--import", "--loader"}),
    "ruby": frozenset({"-I", "-r", "-C", "-E"}),
    "perl": frozenset({"-I"}),
    "php": frozenset({"-d", "-c", "-z"}),
    "java": frozenset(
        {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules",
         "--add-opens", "--add-exports", "--add-reads", "--upgrade-module-path"}
    ),
}  # fmt: skip
_INLINE = {
    "python": ("-c",), "pypy": ("-c",), "node": ("-e", "--eval", "-p", "--print"),
    "nodejs": ("-e", "-p"), "ruby": ("-e",), "perl": ("-e", "-E"), "php": ("-r",),
    "lua": ("-e",), "Rscript": ("-e",), "julia": ("-e",),
}  # fmt: skip


def _of_interpreter(program: str, words: list[str], *, arguments: bool) -> Name:
    valued, inline = _VALUED.get(program, frozenset()), _INLINE.get(program, ())
    at = 1
    if program in ("deno", "dotnet") and len(words) > 1 and words[1] in ("run", "exec", "task"):
        at = 2
    while at < len(words):
        word = words[at]
        if word in inline:
            return Name(program=program, command=program, label=f"{program} {word}")
        if word == "-m" and program in ("python", "pypy") and at + 1 < len(words):
            return _scripted(program, words[at + 1], "-m ")
        if program in ("python", "pypy") and re.match(r"-[bBdEhiIOqsSuvVx]*m$", word):
            return _scripted(program, words[at + 1] if at + 1 < len(words) else "", "-m ")
        if program == "java" and word == "-jar" and at + 1 < len(words):
            return _scripted(program, base(words[at + 1]), "-jar ")
        if word in valued:
            at += 2
        elif word.startswith("-") and word != "-":
            at += 1
        else:
            break
    script = words[at] if at < len(words) else ""
    if program == "java" and script:
        return _scripted(program, script.rpartition(".")[2], "")
    name = base(script)
    if not name or script == "-" or re.match(r"/(dev|proc)/", script):
        return _named(program)
    stem = re.sub(r"(-cli)?\.[cm]?js$", "", name)
    if stem in _SUBCOMMANDS:
        known = _with_subcommands(stem, words[at + 1 :], arguments=arguments)
        return Name(program=program, script=stem, command=known.command, label=known.label)
    if "." not in name and re.search(r"/s?bin/", script) and "node_modules" not in script:
        tool = clean(name, 40)  # an installed tool that happens to be a script
        return Name(program=program, script=tool, command=tool, label=tool)
    if program in ("node", "nodejs") and "/node_modules/" in script and "/.bin/" not in script:
        name = script.rpartition("/node_modules/")[2].split("/")[0]
    return _scripted(program, name, "")


def _scripted(program: str, script: str, flag: str) -> Name:
    name = clean(script, 40)
    if not name or _secretive(name):
        return _named(program)
    text = f"{program} {flag}{name}"
    return Name(program=program, script=name, command=text, label=text)


def _with_subcommands(program: str, words: list[str], *, arguments: bool) -> Name:
    name = clean(program) or "unknown"
    limit = _SUBCOMMANDS.get(program, 0)
    kept: list[str] = []
    flags: list[str] = []
    for word in words if limit else ():
        if program in ("make", "gmake", "ninja") and _JOBS.match(word):
            flags.append(word)
        elif word in _BARE_FLAGS:
            continue
        elif len(kept) < limit and _PLAIN.fullmatch(word) and not _secretive(word):
            kept.append(word)
        else:
            break
    text = " ".join([name, *flags, *kept])
    if arguments:
        shown = [word for word in words if word not in kept and _harmless(word)]
        text = clean(" ".join([text, *(word for word in shown if word not in flags)]))
    return Name(program=name, command=text, label=clean(text))


def _secretive(word: str) -> bool:
    """Whether a word looks more like a key than like a name."""
    if len(word) > 32 or "=" in word or "://" in word or "@" in word:
        return True
    if _FILE.fullmatch(word):
        return False
    stem = word.rpartition(".")[0] or word
    digits = sum(character.isdigit() for character in stem)
    if len(stem) >= 8 and digits >= 4 and digits * 4 > len(stem):
        return True
    return len(stem) >= 16 and not re.search(r"[-_. ]", stem) and stem.lower() != stem


def _harmless(word: str) -> bool:
    return bool(
        re.fullmatch(r"--?[A-Za-z][A-Za-z-]{0,20}|[A-Za-z][A-Za-z0-9_.-]{0,31}", word)
    ) and (not _secretive(word))
