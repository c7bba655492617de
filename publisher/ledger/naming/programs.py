"""The programs that names are found through: shells, interpreters, wrappers, as data.

They stand in programs.toml beside this file; a file of the user's of the same form is laid over
it (``ledger.programs_file``): lists of words are added to, all else is replaced. Both are
checked when they are loaded, and they are loaded when the first name is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

from publisher.config.documents import file_text, toml
from publisher.config.paths import expanded
from publisher.errors import ConfigError

SETTING: Final = "ledger.programs_file"

_LISTS: Final = (
    "shells", "builtins", "chores", "one_subcommand", "two_subcommands", "naming_subcommands",
    "plain", "titled",
)  # fmt: skip
_STYLES: Final = ("letters", "java", "pwsh")
_OPTIONS: Final = ("code", "module", "file", "valued", "attached", "bare")
_WRAPPER_WORDS: Final = ("valued", "pairs", "bare", "starters")
_WORDS, _NUMBER, _NAME, _FLAG, _STYLE = "words", "number", "name", "flag", "style"
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "wrappers": {
        **dict.fromkeys(_WRAPPER_WORDS, _WORDS),
        "positional": _NUMBER, "scripts": _FLAG, "line": _FLAG, "disabled": _FLAG,
    },
    "interpreters": {
        **dict.fromkeys((*_OPTIONS, "starters", "code_starters"), _WORDS),
        "style": _STYLE, "like": _NAME, "disabled": _FLAG,
    },
}  # fmt: skip
"""Tables of programs, and what each key of a program expects."""
_WORD_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "shell_options": ("valued", "bare"), "switches": (), "valued": (),
}  # fmt: skip
"""Tables of words; those with a fixed set of keys have them here."""

Document = Mapping[str, Any]


class Wrapper(NamedTuple):
    """A program that runs another one.

    Attributes:
        valued: its options that take the next word as their value, with spaces between them;
            ``pairs``: the next two words; ``bare``: none.
        positional: how many words of its own come before the wrapped command.
        starters: subcommands behind which that comes (``bundle exec``), with spaces between them;
            without one it is no wrapper.
        scripts: its options are too many to know: the first word counts that is named like a
            script, or the module behind ``-m``.
        line: what it wraps is a line of shell.
    """

    valued: str
    positional: int
    pairs: str = ""
    bare: str = ""
    starters: str = ""
    scripts: bool = False
    line: bool = False

    @property
    def strict(self) -> bool:
        """Whether an option that is not known may take the next word."""
        return bool(self.bare or self.starters or self.pairs)


class Interpreter(NamedTuple):
    """Options of a program that runs scripts, by what they take.

    Attributes:
        code: their value is code.
        module: their value is the module to run.
        file: their value is the script.
        valued: any other value: the rest of the word, else the next word.
        attached: a value only as the rest of the word.
        bare: none; they stand alone.
        starters: subcommands behind which the script comes; ``code_starters``: code.
        style: how options are written: single ``letters``, which may be strung together, and
            long ones; or as ``java`` or ``pwsh`` have them.
    """

    code: frozenset[str]
    module: frozenset[str]
    file: frozenset[str]
    valued: frozenset[str]
    attached: frozenset[str]
    bare: frozenset[str]
    starters: frozenset[str]
    code_starters: frozenset[str]
    style: str


@dataclass(frozen=True, slots=True)
class Programs:
    """All tables, ready for look-ups.

    Attributes:
        shells: programs that run lines of shell.
        shell_valued: options of shells that take the next word; ``shell_bare``: long ones that
            stand alone.
        builtins: commands of shells that are bookkeeping.
        chores: programs that say little of what a script is about.
        subcommands: how many words behind a program are part of its name.
        naming_subcommands: subcommands behind which a name comes.
        switches: of programs with subcommands, options that stand alone; ``valued``: those that
            take the next word.
        plain: programs of which no bare word is ever a secret.
        titled: programs that write a title in place of their command line.
    """

    shells: frozenset[str]
    shell_valued: frozenset[str]
    shell_bare: frozenset[str]
    builtins: frozenset[str]
    chores: frozenset[str]
    subcommands: Mapping[str, int]
    naming_subcommands: frozenset[str]
    switches: Mapping[str, frozenset[str]]
    valued: Mapping[str, frozenset[str]]
    plain: frozenset[str]
    titled: frozenset[str]
    wrappers: Mapping[str, Wrapper]
    interpreters: Mapping[str, Interpreter]


@cache
def shipped() -> Programs:
    """The tables that come with fanwhy."""
    return _programs(_shipped_document())


def load(programs_file: str) -> Programs:
    """The shipped tables with the user's laid over them.

    Raises:
        ConfigError: the user's file cannot be read or is not a file of programs.
    """
    path = expanded(Path(programs_file))
    text = file_text(path, f"{SETTING}: {path}")
    over = toml(text, str(path))
    check(over, str(path))
    merged = _laid_over(_shipped_document(), over)
    _check_likes(merged, str(path))
    return _programs(merged)


def _shipped_document() -> Document:
    file = resources.files("publisher.ledger.naming").joinpath("programs.toml")
    return toml(file.read_text("utf-8"), "programs.toml")


# -- from a document to tables -----------------------------------------------------------------


def _laid_over(base: Document, over: Document) -> Document:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = _laid_over(below or {}, value)
        elif isinstance(value, str | list) and key not in ("like", "style"):
            merged[key] = [*_words(below or ()), *_words(value)]
        else:
            merged[key] = value
    return merged


def _programs(document: Document) -> Programs:
    lists = {key: frozenset(_words(document.get(key, ()))) for key in _LISTS}
    one, two = lists.pop("one_subcommand"), lists.pop("two_subcommands")
    options = document.get("shell_options", {})
    wrappers = _enabled(document.get("wrappers", {}))
    interpreters = _enabled(document.get("interpreters", {}))
    return Programs(
        **lists,
        shell_valued=frozenset(_words(options.get("valued", ()))),
        shell_bare=frozenset(_words(options.get("bare", ()))),
        subcommands=dict.fromkeys(one, 1) | dict.fromkeys(two, 2),
        switches=_word_sets(document.get("switches", {})),
        valued=_word_sets(document.get("valued", {})),
        wrappers={
            name: Wrapper(
                positional=body.get("positional", 0),
                scripts=body.get("scripts", False),
                line=body.get("line", False),
                **{key: " ".join(_words(body.get(key, ()))) for key in _WRAPPER_WORDS},
            )
            for name, body in wrappers.items()
        },
        interpreters={
            name: _interpreter(
                _laid_over(interpreters[body["like"]], body) if "like" in body else body
            )
            for name, body in interpreters.items()
        },
    )


def _word_sets(table: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    return {name: frozenset(_words(words)) for name, words in table.items()}


def _interpreter(body: Document) -> Interpreter:
    style = body.get("style", "letters")
    options = {key: _words(body.get(key, ())) for key in _OPTIONS}
    if style == "letters":
        options = {key: _letters_apart(words) for key, words in options.items()}
    return Interpreter(
        **{key: frozenset(words) for key, words in options.items()},
        starters=frozenset(_words(body.get("starters", ()))),
        code_starters=frozenset(_words(body.get("code_starters", ()))),
        style=style,
    )


def _letters_apart(words: Iterable[str]) -> list[str]:
    """``-bBd --quiet`` as ``b``, ``B``, ``d``, ``--quiet``."""
    apart: list[str] = []
    for word in words:
        apart += [word] if word.startswith("--") else word.removeprefix("-")
    return apart


def _enabled(table: Mapping[str, Document]) -> dict[str, Document]:
    return {name: body for name, body in table.items() if not body.get("disabled")}


def _words(value: str | Iterable[str]) -> list[str]:
    return value.split() if isinstance(value, str) else list(value)


# -- what is wrong with a document -------------------------------------------------------------


def check(document: Document, source: str) -> None:
    """Whether a parsed document is a file of programs.

    Raises:
        ConfigError: for the first thing wrong: file, key, what was expected, and the nearest
            known word for an unknown one.
    """
    known = (*_LISTS, *_TABLES, *_WORD_TABLES)
    for key, value in document.items():
        where = f"{source}: {key}"
        if key not in known:
            raise ConfigError(f"{source}: unknown key {key!r}{_near(key, known)}")
        if key in _LISTS:
            _check_words(where, value)
        elif not isinstance(value, Mapping):
            raise ConfigError(f"{where}: must be a table, as in [{key}]")
        elif key in _TABLES:
            for name, body in value.items():
                _check_program(f"{where}.{name}", body, _TABLES[key])
        else:
            _check_word_table(where, value, _WORD_TABLES[key])


def _check_program(where: str, body: object, keys: Mapping[str, str]) -> None:
    if not isinstance(body, Mapping):
        name = where.rpartition(".")[2]
        raise ConfigError(f'{where}: must be a table, as in {name} = {{ valued = "-n --name" }}')
    for key, value in body.items():
        expected = keys.get(key)
        if expected is None:
            raise ConfigError(f"{where}: unknown key {key!r}{_near(key, tuple(keys))}")
        if expected == _WORDS:
            _check_words(f"{where}.{key}", value)
        elif expected == _NUMBER and (type(value) is not int or not 0 <= value <= 9):
            raise ConfigError(f"{where}.{key}: must be a number from 0 to 9, not {value!r}")
        elif expected == _FLAG and not isinstance(value, bool):
            raise ConfigError(f"{where}.{key}: must be true or false, not {value!r}")
        elif expected == _NAME and not isinstance(value, str):
            raise ConfigError(f"{where}.{key}: must be a name, not {value!r}")
        elif expected == _STYLE and value not in _STYLES:
            raise ConfigError(f"{where}.{key}: must be one of {', '.join(_STYLES)}, not {value!r}")


def _check_word_table(where: str, table: Mapping[str, object], keys: tuple[str, ...]) -> None:
    for key, value in table.items():
        if keys and key not in keys:
            raise ConfigError(f"{where}: unknown key {key!r}{_near(key, keys)}")
        _check_words(f"{where}.{key}", value)


def _check_words(where: str, value: object) -> None:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        key = where.rpartition(": ")[2].rpartition(".")[2]
        raise ConfigError(f'{where}: must be words, as in {key} = "one two"')
    if any(not word or len(word.split()) != 1 for word in words):
        raise ConfigError(f"{where}: in a list each word stands alone, without spaces")


def _check_likes(document: Document, source: str) -> None:
    known = _enabled(document.get("interpreters", {}))
    for name, body in known.items():
        like = body.get("like")
        if like is not None and (like not in known or "like" in known[like]):
            names = tuple(name for name, body in known.items() if "like" not in body)
            near = _near(like, names)
            raise ConfigError(
                f"{source}: interpreters.{name}.like: no such interpreter {like!r}{near}"
            )


def _near(word: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only to word an error

    found = get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; known: {', '.join(known)}"
