"""Reading the configuration: flags, then the environment, then one file, then the defaults.

Works on any settings dataclass declared with ``setting``, so that daemon and terminal read the
same file: the terminal declares the broker and the prefix alone and passes over the rest.
pydantic-settings merges and checks; what comes out are the plain frozen dataclasses.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from publisher.config.setting import Setting
from publisher.config.walk import (
    ENVIRONMENT_PREFIX,
    SHORTCUTS,
    Declared,
    bare,
    declared,
    element,
    expectation,
)
from publisher.contract.printable import printable
from publisher.errors import ConfigError
from publisher.mqtt.broker import BrokerSettings, Endpoint, parse_url, readable_by_all

CONFIG_VARIABLE = "FANWHY_CONFIG"
_FLAGS = {("broker", "url"): "--broker", ("prefix",): "--prefix"}

_S = TypeVar("_S")
_Path = tuple[str, ...]


# --- where the file is --------------------------------------------------------------------------


def user_config(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration of this user, whether it exists or not; ``None`` without a home."""
    if sys.platform == "win32":
        base = environment.get("APPDATA")
        return Path(base, "fanwhy", "config.toml") if base else None
    home = environment.get("HOME")
    if sys.platform == "darwin":
        return (
            Path(home, "Library", "Application Support", "fanwhy", "config.toml") if home else None
        )
    # An absolute path, or it counts as unset (XDG base directory specification).
    base = environment.get("XDG_CONFIG_HOME", "")
    if base.startswith("/"):
        return Path(base, "fanwhy", "config.toml")
    return Path(home, ".config", "fanwhy", "config.toml") if home else None


def system_config(environment: Mapping[str, str] = os.environ) -> Path:
    """The configuration of the whole machine, whether it exists or not."""
    if sys.platform == "win32":
        return Path(environment.get("PROGRAMDATA", r"C:\ProgramData"), "fanwhy", "config.toml")
    return Path("/etc/fanwhy/config.toml")


# --- loading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one place says.

    Attributes:
        tree: sections and values, as in the file.
        names: how people name a setting made there, where it is not ``<place>: <key>``.
    """

    place: str
    tree: dict[str, Any] = field(default_factory=dict)
    names: dict[_Path, str] = field(default_factory=dict)

    def holds(self, path: _Path) -> bool:
        node: Any = self.tree
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True

    def get(self, *path: str) -> Any:
        node: Any = self.tree
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def forget(self, section: str, *names: str) -> None:
        table = self.tree.get(section)
        if isinstance(table, dict):
            for name in names:
                table.pop(name, None)

    def name_of(self, path: _Path) -> str:
        """The place of a setting, in words that lead to it."""
        return self.names.get(path, f"{self.place}: {'.'.join(path)}")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[_S]):
    """Settings, where they came from, and what a person should be told about that.

    Attributes:
        path: the file that was read, if any.
        warnings: lines about things that work but should not stay so.
    """

    settings: _S
    path: Path | None
    warnings: tuple[str, ...]
    _layers: tuple[_Layer, ...] = ()

    def where(self, key: str) -> str:
        """The place that a setting was made: file and key, variable or flag."""
        path = tuple(key.split("."))
        for layer in self._layers:
            if layer.holds(path):
                return layer.name_of(path)
        return key


def load(
    cls: type[_S],
    *,
    flags: Mapping[str, str | None],
    config: str | None = None,
    environment: Mapping[str, str] = os.environ,
    foreign: bool = False,
) -> Loaded[_S]:
    """Settings from everywhere.

    Args:
        cls: a settings dataclass.
        flags: values from the command line by key, such as ``broker.url``; ``None``: not given.
        config: the file named on the command line.
        environment: variables.
        foreign: pass over sections and settings on the top level that ``cls`` does not have.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    path, warnings = _find(config, environment)
    layers = (
        _from_flags(flags),
        _from_environment(cls, environment),
        _from_file(path) if path else _Layer("defaults"),
    )
    known = {item.name for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if foreign:
        for layer in layers:
            for name in [name for name in layer.tree if name not in known]:
                del layer.tree[name]
    if path:
        _anchor(layers[2].tree, path.parent)
    for layer in layers[:2]:
        _anchor(layer.tree, Path.cwd())
    _forget_lesser_credentials(layers)
    settings = typing.cast("_S", _plain(cls, _merge(cls, layers)))
    loaded = Loaded(settings, path, (), layers)
    _check_broker(loaded)
    return dataclasses.replace(loaded, warnings=(*warnings, *_exposed(loaded)))


def _find(config: str | None, environment: Mapping[str, str]) -> tuple[Path | None, list[str]]:
    named = config or environment.get(CONFIG_VARIABLE)
    if named:
        return _expanded(Path(named)), []
    warnings: list[str] = []
    for path in (user_config(environment), system_config(environment)):
        if path is None or not _exists(path):
            continue
        if os.access(path, os.R_OK):
            return path, warnings
        # A file that nobody asked for must not stop a user whom it does not concern.
        warnings.append(f"{path}: not read; this user may not")
    return None, warnings


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not enter
        return False


def _from_flags(flags: Mapping[str, str | None]) -> _Layer:
    layer = _Layer("flags", names=dict(_FLAGS))
    for key, value in flags.items():
        if value is not None:
            _put(layer.tree, tuple(key.split(".")), value)
    return layer


def _from_environment(cls: type, environment: Mapping[str, str]) -> _Layer:
    kinds = {item.path: item.type for item in declared(cls)}
    layer = _Layer("environment")
    for variable, raw in environment.items():
        name = variable.upper()
        # Empty means unset: compose files hand on variables that nobody filled in.
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_VARIABLE or not raw:
            continue
        path = SHORTCUTS.get(name) or tuple(
            name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        )
        kind = kinds.get(path)
        if kind is None and path[:-1] in kinds:  # an entry of a table
            kind = float
        _put(layer.tree, path, raw if kind is None else _from_text(raw, kind))
        layer.names[path] = variable
    return layer


def _from_file(path: Path) -> _Layer:
    try:
        return _Layer(str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {printable(str(error))}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _from_text(raw: str, kind: Any) -> Any:
    """A value from its text; the text itself where it does not fit, for the check to refuse."""
    kind = bare(kind)
    if kind is str:
        return raw
    if typing.get_origin(kind) in (tuple, Mapping):
        if raw.lstrip().startswith(("[", "{")):
            try:
                return tomllib.loads(f"value = {raw}")["value"]
            except tomllib.TOMLDecodeError:
                return raw
        return [word.strip() for word in raw.split(",") if word.strip()]
    try:
        return TypeAdapter(kind).validate_strings(raw)
    except ValidationError:
        return raw


def _put(tree: dict[str, Any], path: _Path, value: Any) -> None:
    for part in path[:-1]:
        below = tree.setdefault(part, {})
        if not isinstance(below, dict):
            return  # FANWHY_A and FANWHY_A__B: the first one is refused by the check
        tree = below
    tree[path[-1]] = value


def _anchor(node: dict[str, Any], folder: Path) -> None:
    """Makes file names absolute: those in a file are relative to that file."""
    for name, value in node.items():
        if isinstance(value, dict):
            _anchor(value, folder)
        elif name.endswith("_file") and isinstance(value, str) and value:
            node[name] = str(folder / _expanded(Path(value)))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no home
        return path


def _forget_lesser_credentials(layers: tuple[_Layer, ...]) -> None:
    """Credentials go together: who names a user or a password takes no part from elsewhere.

    ``--broker mqtt://me@other`` must not send the password of the file's user to another broker,
    nor may the file's password file go before a password from the environment.
    """
    for index, layer in enumerate(layers):
        url, lesser = layer.get("broker", "url"), layers[index + 1 :]
        endpoint = _endpoint(url)
        user = layer.get("broker", "username") or (endpoint.username if endpoint else None)
        password = layer.get("broker", "password") or (endpoint.password if endpoint else None)
        for other in lesser:
            theirs = other.get("broker", "username")
            if user and endpoint and endpoint.username:
                other.forget("broker", "username")
            if password or (user and theirs and user != theirs):
                other.forget("broker", "password", "password_file")


def _endpoint(url: Any) -> Endpoint | None:
    """A broker's address taken apart; ``None`` where the check will refuse it."""
    try:
        return parse_url(url) if isinstance(url, str) else None
    except ConfigError:
        return None


def _merge(cls: type, layers: tuple[_Layer, ...]) -> BaseModel:
    class Merged(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid", frozen=True)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Source(settings_cls, layer.tree) for layer in layers)

    try:
        return _model(cls, Merged)()
    except ValidationError as error:
        lines = dict.fromkeys(_complaint(cls, layers, item) for item in error.errors())
        raise ConfigError("\n".join(lines)) from None


class _Source(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], tree: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the whole tree is given at once

    def __call__(self) -> dict[str, Any]:
        return self._tree


def _model(cls: type, base: type[BaseModel]) -> type[BaseModel]:
    hints = typing.get_type_hints(cls)
    definitions: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        kind = hints[item.name]
        if dataclasses.is_dataclass(kind):
            section = _model(typing.cast("type", kind), _Section)
            definitions[item.name] = (section, Field(default_factory=section))
            continue
        annotation = _annotation(kind, item.metadata["setting"])
        definitions[item.name] = (annotation, None)
    return create_model(cls.__name__, __base__=base, **definitions)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _annotation(kind: Any, limits: Setting) -> Any:
    """What pydantic is to check; ``None``, as every default here, means: not set."""
    kind = bare(kind)
    origin = typing.get_origin(kind)
    number = Field(strict=True, ge=limits.minimum, le=limits.maximum, allow_inf_nan=False)
    if origin is Mapping:
        return dict[str, Annotated[float, number]] | None
    if origin is tuple:
        return list[Annotated[str, Field(strict=True)]] | None
    if limits.options:
        return Literal[limits.options] | None
    if kind in (int, float):
        return Annotated[kind, number] | None
    return Annotated[kind, Field(strict=True)] | None


def _plain(cls: type, model: BaseModel) -> Any:
    """The settings dataclass for a checked model; what was not set keeps its default."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        value = getattr(model, item.name)
        if isinstance(value, BaseModel):
            kind = typing.get_type_hints(cls)[item.name]
            values[item.name] = _plain(kind, value)
        elif value is not None and (value, item.default) != ("", None):  # left empty: not set
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


# --- what is said when it is wrong ----------------------------------------------------------------


def _complaint(cls: type, layers: tuple[_Layer, ...], error: Any) -> str:
    loc = tuple(str(part) for part in error["loc"])
    known = {item.path: item for item in declared(cls)}
    item = next((known[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in known), None)
    in_list = item is not None and typing.get_origin(item.type) is tuple
    path = item.path if item and in_list else loc
    layer = next((one for one in layers if one.holds(path)), layers[-1])
    name = printable(layer.name_of(path))
    if error["type"] == "extra_forbidden":
        return f"{name}: no such setting{_nearest(loc, known)}"
    if item is None:
        return f"{name}: expected a table of settings, found {_found(error['input'], hide=True)}"
    hide = item.setting.secret or item.path == ("broker", "url")
    found = _found(error["input"], hide=hide)
    if len(loc) > len(item.path):
        return f"{name}: expected {expectation(element(item.type), item.setting)}, found {found}"
    return f"{name}: expected {item.expectation}, found {found}"


def _nearest(loc: _Path, known: Mapping[_Path, Declared]) -> str:
    """The setting or section that was probably meant: in the same table first, then anywhere."""
    here = {path[-1]: ".".join(path) for path in known if path[:-1] == loc[:-1]}
    if len(loc) == 1:
        here |= {path[0]: path[0] for path in known if len(path) > 1}
    anywhere = {path[-1]: ".".join(path) for path in known}
    for names in ({loc[-1]: anywhere[loc[-1]]} if loc[-1] in anywhere else {}, here, anywhere):
        matches = difflib.get_close_matches(loc[-1], names, n=1, cutoff=0.6)
        if matches:
            return f"; did you mean {names[matches[0]]}?"
    return ""


def _found(value: Any, *, hide: bool) -> str:
    kinds = {bool: "true or false", str: "text", int: "a number", float: "a number",
             list: "a list", dict: "a table"}  # fmt: skip
    kind = kinds.get(type(value), "a date or time")
    if hide or isinstance(value, list | dict) or type(value) not in kinds:
        return kind
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = printable(f'"{value}"' if isinstance(value, str) else str(value))
    return shown if len(shown) <= 42 else f'{shown[:40]}…"'


# --- what is checked beside types -----------------------------------------------------------------


def _check_broker(loaded: Loaded[Any]) -> None:
    broker = getattr(loaded.settings, "broker", None)
    if isinstance(broker, BrokerSettings) and broker.url:
        try:
            parse_url(broker.url)
        except ConfigError as error:
            problem = str(error).removeprefix("broker: ")
            raise ConfigError(f"{loaded.where('broker.url')}: {problem}") from None


def _exposed(loaded: Loaded[Any]) -> Iterator[str]:
    """Passwords that every user of this machine may read."""
    broker = getattr(loaded.settings, "broker", None)
    if not isinstance(broker, BrokerSettings):
        return
    if broker.password_file and readable_by_all(broker.password_file):
        yield (
            f"{broker.password_file}: every user of this machine may read this password; "
            f"chmod 600 {broker.password_file}"
        )
    if loaded.path and readable_by_all(loaded.path):
        file = loaded._layers[-1]  # noqa: SLF001  # our own
        url = file.get("broker", "url")
        endpoint = _endpoint(url)
        if file.get("broker", "password") or (endpoint and endpoint.password):
            yield (
                f"{loaded.path}: every user of this machine may read the password in it; "
                f"chmod 600 {loaded.path}, or move the password to broker.password_file"
            )
