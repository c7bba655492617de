"""The places that settings come from, each as one layer: flags, the environment, a file."""

from __future__ import annotations

import dataclasses
import difflib
import typing
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from publisher.config.documents import toml, toml_file
from publisher.config.paths import CONFIG_VARIABLE, expanded
from publisher.config.walk import ENVIRONMENT_PREFIX, Declared, KeyPath, bare, declared, element
from publisher.contract.printable import printable
from publisher.errors import ConfigError

_LONGEST = 4096  # characters of any text: a path, a password, an address
_ALIKE = 0.75  # from here on one name is probably the other one, misspelt


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says.

    Attributes:
        place: what people call it: the file's path, say.
        tree: sections and values, as in the file.
        names: how people name a setting made there, where it is not ``<place>: <key>``.
    """

    place: str
    tree: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[KeyPath, str] = field(default_factory=dict)

    def holds(self, path: KeyPath) -> bool:
        """Whether it says anything of a setting or section."""
        node: Any = self.tree
        for part in path:
            if not isinstance(node, Mapping) or part not in node:
                return False
            node = node[part]
        return True

    def get(self, *path: str) -> Any:
        """What it says of a setting, unchecked; ``None`` where it says nothing."""
        node: Any = self.tree
        for part in path:
            node = node.get(part) if isinstance(node, Mapping) else None
        return node

    def only(self, names: Collection[str]) -> Layer:
        """The layer with these on its top level, and nothing else."""
        return replace(self, tree={key: item for key, item in self.tree.items() if key in names})

    def without(self, section: str, *names: str) -> Layer:
        """The layer that says nothing of some settings of a section."""
        table = self.tree.get(section)
        if not isinstance(table, Mapping):
            return self
        kept = {key: item for key, item in table.items() if key not in names}
        return replace(self, tree={**self.tree, section: kept})

    def unusable(self) -> Iterator[str]:
        """One line for each text that no file, topic or name can be."""
        for path, text in _texts(self.tree):
            if len(text) > _LONGEST:
                yield f"{self.name_of(path)}: longer than {_LONGEST} characters"
            elif any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
                yield f"{self.name_of(path)}: must be text of one line, without control characters"

    def name_of(self, path: KeyPath) -> str:
        """The place of a setting, in words that lead to it."""
        return self.names.get(path, f"{self.place}: {'.'.join(path)}")


Layers = tuple[Layer, ...]
"""All places, the one that goes before the others first."""


def from_flags(flags: Mapping[str, tuple[str, str | None]]) -> Layer:
    """What the command line says.

    Args:
        flags: by flag, such as ``--broker``: the key that it sets, and its value, if it is given.
    """
    tree: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for flag, (key, value) in flags.items():
        path = tuple(key.split("."))
        names[path] = flag
        if value is not None:
            _put(tree, path, value)
    return Layer("flags", _anchored(tree, Path.cwd()), names)


def from_environment(cls: type, environment: Mapping[str, str]) -> Layer:
    """What the variables ``FANWHY_…`` say of the settings that ``cls`` declares.

    Others are nobody's: Docker and Kubernetes make some of the names of containers and services.
    """
    settings = list(declared(cls))
    kinds = {item.path: item.type for item in settings}
    tree: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for variable, path, raw in _variables(settings, environment):
        if not _is_known(path, kinds):
            continue
        kind = kinds.get(path)
        if kind is None and path[:-1] in kinds:  # an entry of a table
            kind = element(kinds[path[:-1]])
        _put(tree, path, raw if kind is None else _from_text(raw, kind))
        names[path] = variable
    return Layer("environment", _anchored(tree, Path.cwd()), names)


def unknown_variables(
    cls: type, environment: Mapping[str, str], sections: Collection[str] | None = None
) -> Iterator[str]:
    """One line for each variable ``FANWHY_…`` that sets nothing, with the one most like it.

    Args:
        cls: a settings dataclass.
        environment: variables.
        sections: those that are told of, top-level settings included; ``None``: all.
    """
    settings = list(declared(cls))
    kinds = {item.path: item.type for item in settings}
    known = {item.path[-1].upper(): item.variable for item in settings}  # without its section
    known |= {"__".join(item.path).upper(): item.variable for item in settings}
    known |= {item.variable.removeprefix(ENVIRONMENT_PREFIX): item.variable for item in settings}
    for variable, path, _ in _variables(settings, environment):
        if _is_known(path, kinds) or (sections is not None and path[0] not in sections):
            continue
        word = variable.upper().removeprefix(ENVIRONMENT_PREFIX)
        (most_like,) = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
        line = f"{printable(variable)}: no such setting, passed over; "
        if difflib.SequenceMatcher(None, word, most_like).ratio() >= _ALIKE:
            yield f"{line}did you mean {known[most_like]}?"
        else:
            yield f"{line}the nearest is {known[most_like]}"


def _variables(
    settings: Iterable[Declared], environment: Mapping[str, str]
) -> Iterator[tuple[str, KeyPath, str]]:
    """Name, key and text of each variable that looks like ours."""
    short = {item.setting.variable: item.path for item in settings if item.setting.variable}
    for variable, raw in environment.items():
        name = variable.upper()
        # Empty means unset: compose files hand on variables that have no value.
        if name.startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE and raw:
            words = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            yield variable, short.get(name) or tuple(words), raw


def _is_known(path: KeyPath, kinds: Mapping[KeyPath, Any]) -> bool:
    """Whether it is a setting or an entry of a table; a section as such says nothing."""
    if path in kinds:
        return True
    return path[:-1] in kinds and typing.get_origin(bare(kinds[path[:-1]])) is Mapping


def from_file(path: Path) -> Layer:
    """What a file says.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    return Layer(str(path), _anchored(toml_file(path), path.parent))


def _texts(node: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every text in a tree, and where it stands."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for name, value in node.items():
            yield from _texts(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, path)


def _from_text(raw: str, kind: Any) -> Any:
    """A value from its text; the text itself where it does not fit, for the check to refuse."""
    kind = bare(kind)
    if kind is str:
        return raw
    if typing.get_origin(kind) in (tuple, Mapping) or dataclasses.is_dataclass(kind):
        if raw.lstrip().startswith(("[", "{")):
            try:
                return toml(f"value = {raw}", "value")["value"]
            except ConfigError:
                return raw
        return [word.strip() for word in raw.split(",") if word.strip()]
    try:
        return TypeAdapter(kind).validate_strings(raw)
    except ValidationError:
        return raw


def _put(tree: dict[str, Any], path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            return  # FANWHY_A and FANWHY_A__B: the first one is refused by the check
        tree = below
    tree[path[-1]] = value


def _anchored(node: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The tree with absolute file names: those in a file are relative to that file."""
    return {name: _anchored_value(name, value, folder) for name, value in node.items()}


def _anchored_value(name: str, value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return _anchored(value, folder)
    if name.endswith("_file") and isinstance(value, str) and value:
        return str(folder / expanded(Path(value)))
    return value
