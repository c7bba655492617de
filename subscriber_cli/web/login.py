"""The one page that is shown to anybody: it asks for the password."""

from __future__ import annotations

import asyncio
import html
import math
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from subscriber_cli.web.credentials import SESSION_SECONDS
from subscriber_cli.web.guard import COOKIE, HEALTH, LOGIN, LOGIN_ICON, LOGIN_STYLE, Door
from subscriber_cli.web.problems import ProblemError
from subscriber_cli.web.site import Site, template_of_login
from subscriber_cli.web.table import Address
from subscriber_cli.web.throttle import Throttle

_LARGEST_FORM: Final = 4096  # bytes
_HOME: Final = "./"


class Login:
    """Asks for the password, and lets in whoever knows it.

    Args:
        door: who may come.
        site: for the page's colours.
    """

    def __init__(self, door: Door, site: Site) -> None:
        self._door = door
        self._site = site
        self._template = template_of_login()
        self._throttle = Throttle()
        # One at a time: a try takes 16 MiB.
        self._thread = ThreadPoolExecutor(1, "fanwhy-password")

    def addresses(self) -> list[Address]:
        """What stands open, and the way out."""
        return [
            Address(
                path=HEALTH,
                answer=self.health,
                what="ok, as long as it answers; to anybody.",
                media_type="text/plain",
            ),
            Address(path=LOGIN, answer=self.ask, media_type="text/html"),
            Address(path=LOGIN, answer=self.enter, media_type="text/html", changes=True),
            Address(path=LOGIN_STYLE, answer=self.style, media_type="text/css"),
            Address(path=LOGIN_ICON, answer=self.icon, media_type="image/svg+xml"),
            Address(path="/logout", answer=self.leave, media_type="text/html", changes=True),
        ]

    def close(self) -> None:
        """Waits for nobody."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def health(self, _: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def style(self, request: Request) -> Response:
        return self._site.open_file(request, "login.css")

    async def icon(self, request: Request) -> Response:
        return self._site.open_file(request, "icons/unknown.svg")

    async def ask(self, _: Request) -> Response:
        """The form."""
        if self._door.keys is None:
            return RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)
        return self._form("")

    async def enter(self, request: Request) -> Response:
        """Takes the form."""
        keys = self._door.keys
        if keys is None:
            return RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)
        text = await _password_in(request)
        address = request.client.host if request.client else ""
        wait = self._throttle.wait_seconds(address, time.monotonic())
        if wait > 0:
            seconds = str(math.ceil(wait))
            note = f"Too many tries. Try again in {seconds} seconds."
            answer = self._form(note, HTTPStatus.TOO_MANY_REQUESTS)
            answer.headers["retry-after"] = seconds
            return answer
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._thread, keys.is_password, text):
            return self._form("That is not the password.", HTTPStatus.FORBIDDEN)
        self._throttle.forgive(address)
        answer = RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)
        answer.set_cookie(
            COOKIE,
            keys.session(time.time()),
            max_age=SESSION_SECONDS,
            path=None,  # where the browser is: below whatever path a proxy has
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """Forgets who it is."""
        answer = RedirectResponse("login", HTTPStatus.SEE_OTHER)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, "", max_age=0, path=None, secure=secure, httponly=True, samesite="lax"
        )
        return answer

    def _form(self, note: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
        body = self._template.substitute(note=html.escape(note))
        return HTMLResponse(body, status, {"cache-control": "no-store"})


async def _password_in(request: Request) -> str:
    """The password of the form.

    Raises:
        ProblemError: it is larger than any.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no password is so long")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return fields.get("password", [""])[0]
