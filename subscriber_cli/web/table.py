"""One row an address: what answers there, and what people and programs are told of it.

The routes, the OpenAPI document and its page are made from such rows, and the test that walks all
of them without a password.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word that goes with a request; ``options`` where only some are allowed."""

    name: str
    what: str
    example: str = ""
    needed: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What answers at one path.

    Attributes:
        what: one sentence; empty for what is the page's own and no program's.
        media_type: of the answer.
        parameters: of the query.
        changes: it is sent with POST.
    """

    path: str
    answer: Handler
    what: str = ""
    media_type: str = "application/json"
    parameters: tuple[Parameter, ...] = ()
    changes: bool = False

    @property
    def method(self) -> str:
        return "POST" if self.changes else "GET"
