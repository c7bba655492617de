"""What an interpreter was told to run: a script, a module or code in its options.

Code and the values of options may hold secrets. So an option is passed over only if its meaning is
known (programs.toml, after the manual of each interpreter); behind any other, a word counts as the
script only if it is named like one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from publisher.ledger.naming.generic import folder_of
from publisher.ledger.naming.programs import Interpreter
from publisher.ledger.naming.words import SCRIPT


class Run(NamedTuple):
    """What an interpreter runs.

    Attributes:
        script: the script, module or class as written; empty for code, and where it is not known.
        flag: how it is told so, as ``-m``, or ``class`` for one of Java; with an empty script, the
            option that brings the code.
        after: where in the words the script's own arguments begin.
    """

    script: str = ""
    flag: str = ""
    after: int = 0


def run_of(interpreter: Interpreter, words: Sequence[str]) -> Run:
    """What an interpreter runs with the command line ``words``."""
    if interpreter.style == "java":
        return _java(interpreter, words)
    if interpreter.style == "pwsh":
        return _pwsh(words)
    first = words[1] if len(words) > 1 else ""
    if first in interpreter.code_starters:
        return Run(flag=first)
    if first in interpreter.starters:
        return _scanned(interpreter, words, 2, first)
    return _scanned(interpreter, words, 1, "")


def _scanned(options: Interpreter, words: Sequence[str], at: int, flag: str) -> Run:
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


def _short(word: str, options: Interpreter) -> tuple[str, str]:
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


def _long(word: str, options: Interpreter) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if name in options.code:
        return "code", name
    if name in options.file and value:
        return "file", value
    if equals or name in options.bare:
        return "bare", ""
    return "valued" if name in options.valued else "unknown", ""


def _java(interpreter: Interpreter, words: Sequence[str]) -> Run:
    """Its options are words of their own; most carry their value behind a colon or as they are."""
    at, sure, flag, library = 1, True, "class", ""
    while at < len(words):
        word = words[at]
        at += 1
        following = words[at] if at < len(words) else ""
        if word == "-jar":
            flag = word  # others may stand between it and the file
        elif word in ("-m", "--module"):
            return Run(following.rpartition("/")[2], "class", at + 1)
        elif word in interpreter.valued:
            at += 1
        elif word[:1] not in ("-", "@"):
            if flag == "-jar" and word in _STARTERS and (product := _product(words[1:at])):
                return Run(f"{product}/{word}", flag, at)
            if flag == "-jar" or word.endswith(".java"):
                return _sure(Run(word, flag if flag == "-jar" else "", at), sure)
            is_class = "." in word or word[:1].isupper()
            if word.rpartition(".")[2] in _WRAPPERS and _CLASS.fullmatch(following):
                return Run(following, flag, at + 1)  # what the wrapper runs stands behind it
            if sure and is_class and word.rpartition(".")[2] in _LAUNCHERS:
                product = _installed(words[1:at])
                return Run(f"{product}/{word}" if product else word, flag, at)
            return Run(word, flag, at) if sure and is_class else Run(library, flag, at)
        elif word.startswith("@"):
            library = _library(word) or library
        elif word.startswith("--") and "=" not in word and word not in interpreter.bare:
            sure = False
    # The class stands behind a long list of properties, which is often cut before it.
    return Run(library or _daemon(words[1:]) or _product(words[1:]), flag, at)


_STARTERS = frozenset({"start.jar", "launcher.jar", "bootstrap.jar", "main.jar", "app.jar"})
"""Archives by which many products are started, Jetty's among them."""
_HOME = re.compile(r"-D([a-z]{3,20})(?:\.[a-z]+)*\.(?:home|base|log\.dir|logs\.dir|data\.dir)=.")
_PROCESS = "-Dproc_"
_RUNTIMES = frozenset({"java", "jetty", "user", "spring", "server", "app", "log", "sun", "jdk"})


_LAUNCHER_NAMES = """
    QuarkusEntryPoint UnixLauncher JarLauncher PropertiesLauncher WarLauncher WrapperSimpleApp
    WrapperStartStopApp WrapperJarApp
"""
_LAUNCHERS = frozenset(_LAUNCHER_NAMES.split())
"""Classes by which many products are started."""
_WRAPPERS = frozenset({"WrapperSimpleApp", "WrapperStartStopApp"})
"""Those of Tanuki's Java Service Wrapper, which are told the product's own."""
_CLASS = re.compile(r"[a-z]\w*(?:\.\w+)*\.[A-Z]\w*")
_PLACED = re.compile(r"-D(?!java\.)[\w.]*\.(?:home|base|moduleName)(?:\.dir)?=(/.+)")


def _installed(words: Sequence[str]) -> str:
    """The product in whose folder Java is told to work: by a property, else by its class path."""
    for word in words:
        match = _PLACED.match(word)
        if match and (found := folder_of(f"{posixpath.normpath(match[1])}/x")):
            return found
    for word, value in pairwise(words):
        if word in ("-cp", "-classpath", "--class-path"):
            return folder_of(value.split(":")[0])
    return ""


def _daemon(words: Sequence[str]) -> str:
    """The daemon by the name that Hadoop's scripts, and those made after them, give it."""
    names = (word.removeprefix(_PROCESS) for word in words if word.startswith(_PROCESS))
    return next((name for name in names if name.isalpha()), "")


def _product(words: Sequence[str]) -> str:
    """What the properties set for Java are about: ``solr`` for ``-Dsolr.solr.home=…``."""
    for word in words:
        if (match := _HOME.match(word)) and match[1] not in _RUNTIMES:
            return match[1]
    return ""


def _library(word: str) -> str:
    """The package in whose folder a file of arguments lies: Forge starts Minecraft so."""
    path = re.fullmatch(r"@libraries/((?:[a-z]\w*/)+)\d[\w.-]*/[\w-]+\.txt", word)
    return path[1].rstrip("/").replace("/", ".") if path else ""


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
