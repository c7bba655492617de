"""A setting is declared once, beside the code that obeys it, with ``setting`` or ``number``.

Loading, validation, the file that ``fanwhy-pub init`` writes and ``docs/configuration.md`` come
from the declaration::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class SamplingSettings:
        \"\"\"How often the machine is looked at.\"\"\"

        period_seconds: float = number(2.0, "Seconds between two samples.", 0.5, 60)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a setting besides its name, type and default.

    Attributes:
        minimum: the smallest number allowed; likewise ``maximum``.
        options: the words allowed.
        secret: never shown, logged or written by ``init``.
        may_hold_secret: such as an address with a password in it: not repeated when it is wrong.
        variable: an environment variable shorter than the one made from section and name, which
            works too.
        example: what the commented line of ``init`` shows where the default is no help.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    options: tuple[str, ...] = ()
    secret: bool = False
    may_hold_secret: bool = False
    variable: str = ""
    example: str = ""


def setting(default: Any, description: str, **limits: Any) -> Any:
    """A field of a settings dataclass; a callable ``default`` makes the value (``dict``)."""
    metadata = {"setting": Setting(description=description, **limits)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not limits.get("secret", False))


def number(default: float, description: str, minimum: float, maximum: float | None = None) -> Any:
    """A field for a number and the range that it may be in."""
    return setting(default, description, minimum=minimum, maximum=maximum)
