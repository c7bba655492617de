"""Reading the configuration: flags, then the environment, then one file, then the defaults.

Works on any settings dataclass declared with ``setting``, so that daemon and terminal read the
same file: the terminal declares the broker and the prefix alone and passes over the rest. It
knows no section; what types and limits do not say, a section's owner says in ``SectionChecks``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from publisher.config.layers import (
    Layer,
    Layers,
    from_environment,
    from_file,
    from_flags,
    unknown_variables,
)
from publisher.config.paths import find_config
from publisher.config.validation import merge
from publisher.errors import ConfigError

_S = TypeVar("_S")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[_S]):
    """Settings, where they came from, and what a person should be told about that.

    Attributes:
        path: the file that was read, if any.
        warnings: lines about things that work but should not stay so.
        layers: what each place says, the file last.
    """

    settings: _S
    path: Path | None
    warnings: tuple[str, ...]
    layers: Layers = field(repr=False)  # may hold secrets

    def where(self, key: str) -> str:
        """The place that a setting was made: file and key, variable or flag."""
        path = tuple(key.split("."))
        for layer in self.layers:
            if layer.holds(path):
                return layer.name_of(path)
        return key

    def in_file(self, key: str) -> Any:
        """What the file says of a setting, whether that is in force or not."""
        return self.layers[-1].get(*key.split(".")) if self.path else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionChecks:
    """What a section's owner adds to loading.

    Attributes:
        reconcile: the layers without what must not be mixed with what goes before it.
        problems: one line for each thing that is wrong although it is of the right type.
        warnings: one line for each thing that works but should not stay so.
    """

    reconcile: Callable[[Layers], Layers]
    problems: Callable[[Loaded[Any]], Iterable[str]]
    warnings: Callable[[Loaded[Any]], Iterable[str]]


def load(
    cls: type[_S],
    *,
    flags: Mapping[str, tuple[str, str | None]],
    config: str | None = None,
    environment: Mapping[str, str] = os.environ,
    foreign: bool = False,
    checks: Sequence[SectionChecks] = (),
) -> Loaded[_S]:
    """Settings from everywhere.

    Args:
        cls: a settings dataclass.
        flags: by flag, such as ``--broker``: the key that it sets, and its value, if it is given.
        config: the file named on the command line.
        environment: variables.
        foreign: pass over sections and settings on the top level that ``cls`` does not have.
        checks: those of the owners of sections.

    Raises:
        ConfigError: one line for each thing that is wrong.
    """
    path, warnings = find_config(config, environment)
    layers: Layers = (
        from_flags(flags),
        from_environment(cls, environment),
        from_file(path) if path else Layer("defaults"),
    )
    known = {item.name for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    warnings += tuple(unknown_variables(cls, environment, known if foreign else None))
    if foreign:
        layers = tuple(layer.only(known) for layer in layers)
    unusable = [line for layer in layers for line in layer.unusable()]
    if unusable:
        raise ConfigError("\n".join(unusable))
    for check in checks:
        layers = check.reconcile(layers)
    loaded = Loaded(merge(cls, layers), path, warnings, layers)
    problems = [line for check in checks for line in check.problems(loaded)]
    if problems:
        raise ConfigError("\n".join(problems))
    more = (line for check in checks for line in check.warnings(loaded))
    return dataclasses.replace(loaded, warnings=(*warnings, *more))
