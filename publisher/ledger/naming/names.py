"""What a person would call a process: from its command line to a few safe words.

Arguments may hold secrets, so a label is built from what is known to be a name: the program, a
script's file name, the subcommands of programs that have some. Everything else is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from publisher.ledger.naming.interpreters import INTERPRETERS, SCRIPT, run_of
from publisher.ledger.naming.shell_lines import ASSIGNMENT, commands

LABEL_LIMIT = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHELLS = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "rbash")
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:+-]{0,31}")
_VERSION = re.compile(r"^(python|pypy|perl|ruby|php|lua|node|java|tclsh)[\d.]+$")
_NAME = re.compile(r"[\w.+@-]+")
"""What programs and scripts are called; code hardly ever looks so."""
_NO_FILE = re.compile(r"/(dev|proc)/")
_SECRET = re.compile(
    r"pass|pw|token|key|secret|cred|auth|cookie|obscure|^-[A-Za-z]*[aAkKpPsuUwW]$", re.IGNORECASE
)
"""Options and subcommands behind which a secret may stand."""
_TAKES_SECRETS = _words(
    "htpasswd htdigest mosquitto_passwd wpa_passphrase sshpass smbpasswd chpasswd rabbitmqctl "
    "ldapadd ldapmodify ldapsearch redis-cli mysqladmin htdbm dbmmanage cryptsetup vault pass op "
    "bw gopass keyctl secret-tool kinit net"
)
"""Programs that take a secret as a bare word: of theirs, options alone are shown."""


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
        (
            "-u -g -h -p -C -T -r -t -U -D -R -c -a --user --group --host --prompt --chdir "
            "--chroot --close-from --login-class --role --type --other-user --command-timeout"
        ),
        0,
    ),
    "doas": ("-u -C -a", 0),
    "env": ("-u -C -S -a --unset --chdir --split-string --argv0", 0),
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
            "--pdeathsig --ruid --euid --rgid --egid --selinux-label --apparmor-profile"
        ),
        0,
    ),
    "runuser": ("-u --user -g --group -G --supp-group", 0),
    "systemd-run": (
        (
            "-p --property -u --unit -M --machine -H --host --slice --description --uid --gid "
            "--nice --working-directory -d -E --setenv --service-type --on-active --on-boot "
            "--on-startup --on-unit-active --on-unit-inactive --on-calendar --timer-property "
            "--path-property --socket-property --background"
        ),
        0,
    ),
    "systemd-inhibit": ("--what --who --why --mode", 0),
    "cgexec": ("-g", 0),
    "unshare": (
        (
            "-S --setuid -G --setgid -R --root -w --wd --map-user --map-group --map-users "
            "--map-groups --propagation --setgroups --monotonic --boottime"
        ),
        0,
    ),
    "nsenter": ("-t --target -S --setuid -G --setgid", 0),
    "chroot": ("--userspec --groups", 1),
    "strace": ("-e -o -p -s -a -O -S -u -E -I -P -b -X -U", 0),
    "ltrace": ("-e -o -p -s -a -u -A -D -F -l -n -x -w", 0),
    "xvfb-run": (
        (
            "-n -s -e -f -p -w --server-num --server-args --error-file --auth-file "
            "--xauth-protocol --wait"
        ),
        0,
    ),
    "dbus-run-session": ("--config-file --dbus-daemon", 0),
    "firejail": ("", 0),
    "tini": ("-p -e", 0),
    "dumb-init": ("-r --rewrite", 0),
    "catatonit": ("", 0),
    "caffeinate": ("-t -w", 0),
    "unbuffer": ("", 0),
    "ccache": ("-d -F -k -M -o -X --max-size --max-files --set-config --get-config", 0),
    "distcc": ("", 0),
    "numactl": (
        (
            "-i -p -P -m -w -N -C -c --interleave --preferred --preferred-many --membind "
            "--weighted-interleave --cpunodebind --physcpubind"
        ),
        0,
    ),
    "valgrind": ("", 0),
    "command": ("", 0),
    "exec": ("-a", 0),
    "xargs": (
        (
            "-I -n -P -L -d -a -E -s -R -J --max-args --max-procs --max-chars --arg-file "
            "--delimiter --process-slot-var"
        ),
        0,
    ),
}

# Programs whose next words are subcommands or targets, and how many of them make the name.
_ONE_WORD = _words(
    "git docker podman apt apt-get dpkg dnf yum zypper pacman apk brew snap flatpak systemctl "
    "cargo go rustup dotnet mvn gradle gradlew bazel ninja cmake meson tox nox hatch poetry pip "
    "pip3 conda composer bundle rake rails artisan kubectl helm terraform borg restic "
    "rclone zfs zpool btrfs mdadm nix guix hg svn lxc nvm pm2 vite next webpack ollama openssl "
    "npx just task"
)
_TWO_WORDS = _words("npm yarn pnpm bun make gmake uv")
_SUBCOMMANDS = dict.fromkeys(_ONE_WORD, 1) | dict.fromkeys(_TWO_WORDS, 2)
# Subcommands of those whose next word is a name, too; of make any word is.
_NAMING = _words("run run-script exec dlx create pip tool python")
_MAKES = ("make", "gmake")
# Switches of those programs, so that the word behind them may be a subcommand.
_SWITCHES = {
    program: _words(switches)
    for programs, switches in (
        (
            "make gmake",
            "-s -k -B -i -w --silent --quiet --keep-going --always-make --no-print-directory",
        ),
        ("ninja", "-v --verbose --quiet"),
        ("apt apt-get", "-y -q -qq -V --yes --assume-yes --quiet"),
        ("dnf yum", "-y -q -v --assumeyes --quiet --verbose"),
        ("zypper", "-q -v -n --quiet --verbose --non-interactive"),
        ("npm yarn pnpm bun", "-s --silent --quiet --verbose"),
        ("cargo pip pip3 uv poetry restic rclone borg", "-q -v --quiet --verbose"),
        ("composer", "-q -v -n --quiet --verbose --no-interaction"),
        ("git systemctl", "--no-pager"),
        ("gradle gradlew", "-q --quiet --no-daemon --daemon --offline --parallel --stacktrace"),
        ("mvn", "-q -B -o -e -X -U --quiet --batch-mode --offline"),
    )
    for program in programs.split()
}
_JOBS = re.compile(r"^-j\d{0,4}$")
"""Parallel jobs of make and ninja: part of how people call a build."""

_BUILTINS = _words(
    ": . [ [[ cd export set unset source eval echo printf read shift trap ulimit umask exit wait "
    "true false test sleep local declare typeset let return break continue shopt alias pushd popd"
)
_CHORES = _words(
    "mkdir rmdir rm cp mv ln ls cat head tail tee dd seq yes touch chmod chown chgrp mktemp date "
    "uname hostname id basename dirname readlink realpath which pwd wc expr"
)
_TOLD = ("true", "false", "echo", "printf", "read", "sleep", "wait")
"""Builtins that are more than bookkeeping: a loop may consist of nothing else."""


def describe(words: Sequence[str], comm: str, *, arguments: bool = False) -> Name:
    """Names a process by its command line; by ``comm`` where there is none.

    Args:
        words: as started; empty for kernel threads, zombies and those we may not read.
        comm: the kernel's name of it.
        arguments: add further harmless words.
    """
    if not words or not words[0].strip():
        return _named(program_of(comm))
    if " " in words[0]:
        return _titled(words, comm, arguments=arguments)
    return _of_command(list(words), comm, arguments=arguments, depth=0)


def _titled(words: Sequence[str], comm: str, *, arguments: bool) -> Name:
    """A process that rewrote its command line: ``postgres: writer``, ``npm run build``."""
    title = words[0]
    name = base(title)
    if title.startswith("/") and name[:15] == comm[:15]:  # a path with spaces in it
        # A name is cut to 15 bytes in ``comm``; what follows in the title may be arguments.
        name = name[:15] + name[15:].partition(" ")[0]
        return _of_command([name, *words[1:]], comm, arguments=arguments, depth=0)
    head, colon, _ = title.partition(": ")
    if colon and " " not in head:
        return _named(program_of(head))
    told = title.split()
    program = program_of(told[0])
    if told[0].startswith("/") or program[:15] == comm[:15] or program in _SUBCOMMANDS:
        return _of_command(told, comm, arguments=arguments, depth=0)
    return _named(program_of(comm))


def _of_command(words: list[str], comm: str, *, arguments: bool, depth: int) -> Name:
    program = program_of(words[0])
    if _secretive(program) and not depth:
        program = program_of(comm)
    if depth < 8:
        rest = _unwrapped(program, words) if program in _WRAPPERS else []
        if rest and _presentable(program_of(rest[0])):
            return _of_command(rest, comm, arguments=arguments, depth=depth + 1)
        if program == "busybox" and len(words) > 1 and _presentable(words[1]):
            return _of_command(words[1:], comm, arguments=arguments, depth=depth + 1)
        if program in ("su", "runuser") and (line := _line_of_su(words)):
            return _of_line(line, comm, "sh", arguments=arguments, depth=depth)
    if program in SHELLS:
        return _of_shell(program, words, comm, arguments=arguments, depth=depth)
    if program in INTERPRETERS:
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
    takes_value = _words(valued)
    if wrapper == "runuser" and takes_value.isdisjoint(words):
        return []  # a user's name comes first, as with su
    at, end = 1, len(words)
    while at < end:
        word = words[at]
        if word == "--":
            at += 1
            break
        # Letters strung together: the last one may take the next word, as in ``sudo -Hu alice``.
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


def _line_of_su(words: list[str]) -> str:
    """What ``su`` hands to a shell: behind ``-c``, also strung to other letters, as in ``-lc``."""
    for word, after in pairwise(words):
        if word == "--command" or re.fullmatch(r"-[flmpP]*c", word):
            return after
    return ""


# Options of shells: those that take the next word, and the long ones that are switches.
_SHELL_VALUED = _words("--rcfile --init-file --init-command --emulate --features --debug-output")
_SHELL_SWITCHES = _words(
    "--login --norc --noprofile --noediting --posix --restricted --verbose --interactive "
    "--no-config --no-execute --private"
)


def _of_shell(program: str, words: list[str], comm: str, *, arguments: bool, depth: int) -> Name:
    unknown = Name(program=program, command=program, label=program)
    at, told, stdin = 1, False, False
    while at < len(words) and words[at][:1] in ("-", "+") and words[at] not in ("-", "--"):
        word = words[at]
        at += 1
        if word.startswith("--"):
            option, equals, line = word.partition("=")
            if option == "--command":
                line = line if equals else "".join(words[at : at + 1])
                return _of_line(line, comm, program, arguments=arguments, depth=depth)
            if option in _SHELL_VALUED and not equals:
                at += 1
            elif option not in _SHELL_SWITCHES and not equals:
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
        return _of_line(script, comm, program, arguments=arguments, depth=depth)
    if not script or stdin or _NO_FILE.match(script):
        return Name(program=program, command=program, label=program, nameless=True)
    name = clean(base(script), 40)
    if not _presentable(name) or script.endswith("/"):
        return unknown
    return Name(program=program, script=name, command=name, label=name)


def _letters(shell: str, letters: str) -> tuple[str, str, str]:
    """Options strung together: the switches, the one that takes a value, and that value.

    The value is empty when it is the next word.
    """
    match = re.search("[cCdDfop]" if shell == "fish" else "[oO]", letters)
    if not match:
        return letters, "", ""
    return letters[: match.start()], match[0], letters[match.end() :]


def _of_line(line: str, comm: str, shell: str, *, arguments: bool, depth: int) -> Name:
    """``sh -c LINE``: by its first command that does some work; by the first chore otherwise."""
    told, chore = "", None
    for command in commands(line) if depth < 8 else ():
        program = program_of(command[0])
        if program in _BUILTINS:
            told = told or (program if program in _TOLD else "")
        elif _presentable(program) and command[0][0] != "-" and command[0][-1] != "/":
            name = _of_command(command, comm, arguments=arguments, depth=depth + 1)
            if not _minor(name):
                return name
            chore = chore or name
    return chore or Name(program=shell, command=shell, label=f"{shell} -c {told or '…'}")


def _minor(name: Name) -> bool:
    """Whether a command says little of what a script is about."""
    return (
        name.program in _CHORES
        or name.program in _WRAPPERS
        or (name.program in INTERPRETERS and not name.script)
    )


def _of_interpreter(program: str, words: list[str], *, arguments: bool) -> Name:
    script, flag, after = run_of(program, words)
    name = base(script)
    if not name or script == "-" or script.endswith("/") or _NO_FILE.match(script):
        return Name(program=program, command=program, label=f"{program} {flag}".rstrip())
    if flag in ("-m", "-jar"):
        return _scripted(program, name, f"{flag} ")
    stem = re.sub(r"(-cli)?\.[cm]?js$", "", name)
    if stem in _SUBCOMMANDS:
        known = _with_subcommands(stem, words[after:], arguments=arguments)
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


def _scripted(program: str, script: str, flag: str) -> Name:
    name = clean(script, 40)
    if not _presentable(name):
        return _named(program)
    text = f"{program} {flag}{name}"
    return Name(program=program, script=name, command=text, label=text)


def _with_subcommands(program: str, words: list[str], *, arguments: bool) -> Name:
    name = clean(program) or "unknown"
    limit = _SUBCOMMANDS.get(program, 0)
    switches = _SWITCHES.get(program, frozenset())
    kept: list[str] = []
    flags: list[str] = []
    for word in words if limit else ():
        if program in ("make", "gmake", "ninja") and _JOBS.match(word):
            flags.append(word)
        elif word in switches:
            continue
        elif len(kept) < limit and _PLAIN.fullmatch(word) and not _secretive(word):
            kept.append(word)
            if program not in _MAKES and word not in _NAMING:
                break
        else:
            break
    text = " ".join([name, *flags, *kept])
    if arguments:
        shown = [
            word
            for before, word in zip(["", *words], words, strict=False)
            if word not in kept
            and word not in flags
            and (word.startswith("-") or program not in _TAKES_SECRETS)
            and _harmless(word)
            and not _SECRET.search(before)
        ]
        text = clean(" ".join([text, *shown]))
    return Name(program=name, command=text, label=clean(text))


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
