"""From layers to a settings dataclass: what goes first wins, setting by setting, and must fit.

pydantic-settings merges and pydantic checks; what comes out are the plain frozen dataclasses.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from publisher.config.complaints import complaint
from publisher.config.layers import Layers
from publisher.config.setting import Setting
from publisher.config.walk import bare, element
from publisher.errors import ConfigError

_S = TypeVar("_S")


def merge(cls: type[_S], layers: Layers) -> _S:
    """The settings that hold.

    Raises:
        ConfigError: one line for each setting that does not exist or does not fit.
    """
    try:
        merged = _model(cls, _merging(layers))()
    except ValidationError as error:
        lines = dict.fromkeys(complaint(cls, layers, item) for item in error.errors())
        raise ConfigError("\n".join(lines)) from None
    return typing.cast("_S", _plain(cls, merged))


def _merging(layers: Layers) -> type[BaseSettings]:
    """A base that reads the layers instead of the environment."""

    class Merging(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid", frozen=True)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_LayerSource(settings_cls, layer.tree) for layer in layers)

    return Merging


class _LayerSource(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], tree: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the whole tree is given at once

    def __call__(self) -> dict[str, Any]:
        return dict(self._tree)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _model(cls: type, base: type[BaseModel]) -> type[BaseModel]:
    """What pydantic is to check, from the declarations."""
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


def _annotation(kind: Any, limits: Setting) -> Any:
    """What pydantic is to check; ``None``, as every default here, means: not set."""
    kind = bare(kind)
    origin = typing.get_origin(kind)
    number = Field(strict=True, ge=limits.minimum, le=limits.maximum, allow_inf_nan=False)
    word = Field(strict=True)
    if origin is Mapping:
        held = element(kind)
        if dataclasses.is_dataclass(held):
            return dict[str, _model(typing.cast("type", held), _Section)] | None  # type: ignore[misc]
        return dict[str, Annotated[held, word if held is str else number]] | None  # type: ignore[valid-type]
    if origin is tuple:
        return list[Annotated[str, word]] | None
    if limits.options:
        return Literal[limits.options] | None
    if kind in (int, float):
        return Annotated[kind, number] | None
    return Annotated[kind, word] | None


def _plain(cls: type, model: BaseModel) -> Any:
    """The settings dataclass for a checked model; what was not set keeps its default."""
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        value = getattr(model, item.name)
        if isinstance(value, BaseModel):
            values[item.name] = _plain(hints[item.name], value)
        elif value is not None and (value, item.default) != ("", None):  # left empty: not set
            values[item.name] = _plain_value(hints[item.name], value)
    return cls(**values)


def _plain_value(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict) and dataclasses.is_dataclass(element(kind)):
        held = typing.cast("type", element(kind))
        return {name: _plain(held, entry) for name, entry in value.items()}
    return value
