"""Documents that others wrote: taken apart, or refused in one line.

Parsers fail in more ways than by their own error: over what is nested too deeply, over numbers
beyond all others, over what is no text.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from publisher.contract.printable import printable
from publisher.errors import ConfigError

_LARGEST = 1 << 22  # bytes of a file that a person wrote
_DEEPEST = 20  # tables within tables
_SHOWN = 200  # characters of what is wrong


def toml_file(path: Path, name: str = "") -> dict[str, Any]:
    """The tables of a file; ``name`` is what people call it, where that is not its path.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    return toml(file_text(path, name or str(path)), name or str(path))


def file_text(path: Path, name: str) -> str:
    """What a file holds, in UTF-8, with or without the mark that Windows begins it with.

    Raises:
        ConfigError: it cannot be read, or holds no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{name}: {_unread(name)}{error.strerror}") from error
    except ValueError:
        raise ConfigError(f"{name}: cannot be read: no file can have this name") from None
    if len(content) > _LARGEST:
        raise ConfigError(f"{name}: larger than {_LARGEST >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: not a text file in UTF-8") from None


def _unread(name: str) -> str:
    """What goes before the system's reason, unless a setting's name does already."""
    return "" if ": " in name else "cannot be read: "


def toml(text: str, name: str) -> dict[str, Any]:
    """The tables that a text holds.

    Raises:
        ConfigError: it is not TOML.
    """
    # Loaded here only: the parser is not needed once a file is read.
    import tomllib  # noqa: PLC0415

    try:
        tables = tomllib.loads(text)
        if _is_shallow(tables):
            return tables
        reason = "nested too deeply"
    except ValueError as error:  # tomllib's own is one
        reason = printable(str(error))
        if "integer string conversion" in reason:
            reason = "a number is too long"
    except RecursionError:
        reason = "nested too deeply"
    raise ConfigError(f"{name}: not TOML: {reason[:_SHOWN]}")


def _is_shallow(tables: dict[str, Any]) -> bool:
    """Whether everything that walks through it comes back."""
    level: list[Any] = [tables]
    for _ in range(_DEEPEST):
        level = [
            below
            for node in level
            for below in (node.values() if isinstance(node, dict) else node)
            if isinstance(below, dict | list)
        ]
        if not level:
            return True
    return False


def load_json(path: Path, *, most: int = -1) -> Any:
    """What a file of ours holds; a number that is none is as bad as a file that is cut.

    Args:
        path: of the file.
        most: bytes that are read of it; all by default.

    Raises:
        OSError: as the operating system says.
        ValueError: no JSON; or ``RecursionError``: none of ours.
    """
    with path.open("rb") as file:
        content = file.read(most)
    return json.loads(content, parse_float=_finite, parse_constant=_finite)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is no number")
    return value
