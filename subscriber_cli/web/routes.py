"""All addresses in one table, and the application that answers them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from publisher.errors import ConfigError, FanwhyError
from subscriber_cli.web import openapi
from subscriber_cli.web.answers import tagged
from subscriber_cli.web.api import Api
from subscriber_cli.web.guard import Door, guarded
from subscriber_cli.web.live import Live
from subscriber_cli.web.login import Login
from subscriber_cli.web.past import Past
from subscriber_cli.web.problems import ProblemError, problem
from subscriber_cli.web.scrape import MEDIA_TYPE as OPENMETRICS
from subscriber_cli.web.scrape import Scrape
from subscriber_cli.web.site import Site
from subscriber_cli.web.stream import MEDIA_TYPE, Streams
from subscriber_cli.web.table import Address, Parameter

_LEAVING_SECONDS: Final = 0.2


class Application:
    """Everything that answers.

    Args:
        live: what hosts said last.
        past: what was.
        door: who may come.

    Attributes:
        addresses: the table.
        asgi: what a server calls.
    """

    def __init__(self, live: Live, past: Past, door: Door) -> None:
        self._live = live
        self._api = Api(live, past)
        self._streams = Streams(live)
        site = Site(live, asks=door.keys is not None)
        self._site = site
        self._login = Login(door, site)
        wanted = Parameter("host", "The id or name of one host, whose values are told, too.")
        self.addresses: list[Address] = [
            *site.addresses(),
            *self._login.addresses(),
            Address(path="/api", answer=self.reference, media_type="text/html"),
            Address(
                path="/api/openapi.json", answer=self.openapi, what="This list, as OpenAPI 3.1."
            ),
            Address(
                path="/api/stream",
                answer=self._streams.open,
                what="What the page shows, as it happens: server-sent events.",
                media_type=MEDIA_TYPE,
                parameters=(wanted,),
            ),
            Address(
                path="/metrics",
                answer=Scrape(live).answer,
                what="Every number of every machine, for Prometheus (OpenMetrics).",
                media_type=OPENMETRICS,
            ),
            *self._api.addresses(),
        ]
        self._inner = Starlette(
            routes=[
                Route(each.path, each.answer, methods=[each.method]) for each in self.addresses
            ],
            exception_handlers={
                ProblemError: _told,
                FanwhyError: _refused,
                HTTPException: _unknown,
                Exception: _failed,
            },
            lifespan=self._lifespan,
        )
        self._inner.router.redirect_slashes = False
        self.asgi: ASGIApp = guarded(self._inner, door)

    def close(self) -> None:
        """Ends what would keep a server from ending; called in its loop."""
        self._streams.close()

    async def reference(self, _: Request) -> Response:
        """The addresses for programs, as a page."""
        return self._site.reference(self.addresses)

    async def openapi(self, request: Request) -> Response:
        return tagged(request, json.dumps(openapi.document(self.addresses)).encode())

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        listening = asyncio.create_task(self._live.run())
        try:
            yield
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            self._api.close()
            self._login.close()


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  # by which it is chosen
    return error.response()


async def _refused(_: Request, error: Exception) -> Response:
    known = isinstance(error, ConfigError)
    status = HTTPStatus.BAD_REQUEST if known else HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, str(error).removeprefix("--"))


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # by which it is chosen
    detail = "nothing answers there; /api lists what does"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = "that address takes another method; /api lists all"
    return problem(HTTPStatus(error.status_code), detail, error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    detail = f"that is a fault of fanwhy's: {type(error).__name__}"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
