"""What an interpreter was told to run: a script, a module or code in its options.

Code and the values of options may hold secrets. So an option is passed over only if its meaning is
known here (the manual of each interpreter); behind any other, a word counts as the script only if
it is named like one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

SCRIPT = re.compile(
    r"[A-Za-z][\w.-]*\.(?:py|pyc|pyz|sh|bash|zsh|js|mjs|cjs|ts|mts|cts|rb|pl|php|phar|lua|R|jl|jar"
    r"|java|dll|exe|asar|ps1|tcl)"
)
"""A file name of a script; it may well hold a date."""


class Run(NamedTuple):
    """What an interpreter runs.

    Attributes:
        script: the script, module or class as written; empty for code, and where it is not known.
        flag: how it is told so, as ``-m``; with an empty script, the option that brings the code.
        after: where in the words the script's own arguments begin.
    """

    script: str = ""
    flag: str = ""
    after: int = 0


class _Options(NamedTuple):
    """Options of one interpreter: single letters, which may be strung together, and long ones.

    Attributes:
        code: their value is code.
        valued: their value is the rest of the word, else the next word.
        attached: their value, if any, is the rest of the word.
        bare: they stand alone.
        module: their value is the module to run.
        file: their value is the script.
        long_code, long_valued, long_bare: likewise, written out.
    """

    code: str = ""
    valued: str = ""
    attached: str = ""
    bare: str = ""
    module: str = ""
    file: str = ""
    long_code: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    long_bare: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PYTHON = _Options(
    code="c", valued="WX", bare="bBdEhiIOPqRsStuvVx", module="m",
    long_valued=_words("--check-hash-based-pycs"),
)  # fmt: skip
_NODE = _Options(
    code="ep", valued="rC", bare="chiv",
    long_code=_words("--eval --print"),
    long_valued=_words(
        "--require --import --loader --experimental-loader --conditions --env-file --title --run "
        "--env-file-if-exists --input-type --inspect-port --icu-data-dir --openssl-config "
        "--redirect-warnings --disable-warning --diagnostic-dir --watch-path"
    ),
    long_bare=_words(
        "--inspect --inspect-brk --no-warnings --no-deprecation --enable-source-maps --expose-gc "
        "--watch --test --trace-warnings --preserve-symlinks --throw-deprecation --harmony"
    ),
)  # fmt: skip
_LUA = _Options(code="e", valued="l", bare="ivEW", attached="jO")
_OPTIONS = {
    "python": _PYTHON,
    "pypy": _PYTHON,
    "node": _NODE,
    "nodejs": _NODE,
    "electron": _Options(code="ep", valued="r", bare="iv"),
    "bun": _Options(
        code="ep", valued="rl", bare="bi",
        long_code=_words("--eval --print"),
        long_valued=_words("--preload --require --import --cwd --env-file --config"),
        long_bare=_words("--bun --watch --hot --smol --silent"),
    ),
    "deno": _Options(
        valued="cL", bare="Aq", attached="r",
        long_code=_words("--eval"),
        long_valued=_words("--config --import-map --cert --env-file --seed --log-level"),
        long_bare=_words(
            "--allow-all --allow-net --allow-read --allow-write --allow-env --allow-run "
            "--allow-sys --allow-ffi --no-check --no-lock --quiet --watch"
        ),
    ),
    "ruby": _Options(
        code="e", valued="ICrXE", attached="FKTWx", bare="achilnpsSUvwdy",
        long_bare=_words("--jit --yjit --verbose"),
    ),
    "perl": _Options(code="eE", valued="I", attached="dDFmMxV", bare="acCfhilnpsStTuUvwWX"),
    "php": _Options(
        code="rRBE", valued="cdFStz", bare="aCehHilmnqsvw", file="f",
        long_code=_words("--run --process-begin --process-code --process-end"),
        long_valued=_words("--php-ini --define --process-file --server --docroot --zend-extension"),
    ),
    "lua": _LUA,
    "luajit": _LUA,
    "Rscript": _Options(code="e", long_bare=_words("--vanilla --verbose --no-save")),
    "julia": _Options(
        code="eE", valued="LptJHCg", attached="O", bare="iqhv",
        long_code=_words("--eval --print"),
        long_valued=_words("--load --procs --threads --sysimage --home --machine-file"),
    ),
    "mono": _Options(),
    "dotnet": _Options(),
    "tclsh": _Options(),
}  # fmt: skip
INTERPRETERS = frozenset(_OPTIONS) | {"java", "pwsh"}

# Subcommands behind which the script comes.
_STARTERS = {"deno": ("run", "task"), "bun": ("run",), "dotnet": ("exec",)}

_JAVA_VALUED = _words(
    "-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports "
    "--add-reads --upgrade-module-path --limit-modules --patch-module --source "
    "--enable-native-access"
)
_JAVA_BARE = _words("--enable-preview --show-version --dry-run")


def run_of(program: str, words: Sequence[str]) -> Run:
    """What ``program`` runs, one of ``INTERPRETERS``, with the command line ``words``."""
    if program == "java":
        return _java(words)
    if program == "pwsh":
        return _pwsh(words)
    at, flag, first = 1, "", words[1] if len(words) > 1 else ""
    if program == "deno" and first == "eval":
        return Run(flag="eval")
    if first in _STARTERS.get(program, ()):
        at, flag = 2, first
    return _scanned(_OPTIONS[program], words, at, flag)


def _scanned(options: _Options, words: Sequence[str], at: int, flag: str) -> Run:
    sure = True
    while at < len(words):
        word = words[at]
        at += 1
        following = words[at] if at < len(words) else ""
        if word == "--":
            at += 1
            return _sure(Run(following, flag, at), sure)
        if word[:1] != "-" or word == "-":
            run = _sure(Run(word, flag, at), sure)
            if run.script or sure:
                return run
            continue  # the value of an option that we do not know, perhaps
        kind, value = (_long if word.startswith("--") else _short)(word, options)
        if kind == "code":
            return Run(flag=value)
        if kind in ("module", "file"):
            script, after = (value, at) if value else (following, at + 1)
            return Run(script, "-m" if kind == "module" else "", after)
        if kind == "valued":
            at += 1
        elif kind == "unknown":
            sure = False
    return Run()


def _sure(run: Run, sure: bool) -> Run:
    return run if sure or SCRIPT.fullmatch(run.script.rpartition("/")[2]) else Run()


def _short(word: str, options: _Options) -> tuple[str, str]:
    """The kind of the first option in the word that is more than a switch, and what it brings."""
    for at, letter in enumerate(word[1:], 2):
        rest = word[at:]
        if letter in options.code:
            return "code", f"-{letter}"
        if letter in options.module:
            return "module", rest
        if letter in options.file:
            return "file", rest
        if letter in options.valued:
            return "bare" if rest else "valued", ""
        if letter in options.attached or not letter.isalnum():
            return "bare", ""
        if letter not in options.bare and not letter.isdigit():
            return "unknown", ""
    return "bare", ""


def _long(word: str, options: _Options) -> tuple[str, str]:
    name, equals, _ = word.partition("=")
    if name in options.long_code:
        return "code", name
    if equals or name in options.long_bare:
        return "bare", ""
    return "valued" if name in options.long_valued else "unknown", ""


def _java(words: Sequence[str]) -> Run:
    """Its options are words of their own; most carry their value behind a colon or as they are."""
    at, sure = 1, True
    while at < len(words):
        word = words[at]
        at += 1
        following = words[at] if at < len(words) else ""
        if word == "-jar":
            return Run(following, "-jar", at + 1)
        if word in ("-m", "--module"):
            return Run(following.rpartition("/")[2].rpartition(".")[2], "", at + 1)
        if word in _JAVA_VALUED:
            at += 1
        elif word[:1] not in ("-", "@"):
            if sure:
                name = word if word.endswith(".java") else word.rpartition(".")[2]
                return Run(name, "", at)
        elif word.startswith("--") and "=" not in word and word not in _JAVA_BARE:
            sure = False
    return Run()


def _pwsh(words: Sequence[str]) -> Run:
    """Options in any case, and as short as they are unambiguous; a script is named like one."""
    for at, word in enumerate(words[1:], 2):
        name = word.lstrip("-").lower()
        if not word.startswith("-"):
            if (run := _sure(Run(word, "", at), sure=False)).script:
                return run
        elif name and (
            "commandwithargs".startswith(name)
            or "encodedcommand".startswith(name)
            or name in ("ec", "cwa")
        ):
            return Run(flag="-Command")
    return Run()
