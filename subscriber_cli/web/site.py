"""The page's own files, and the page with the sentence already in it."""

from __future__ import annotations

import gzip
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from subscriber_cli.web import openapi
from subscriber_cli.web.answers import tagged
from subscriber_cli.web.documents import loudest_first
from subscriber_cli.web.live import Live
from subscriber_cli.web.problems import ProblemError
from subscriber_cli.web.table import Address

_ASSETS: Final = Path(__file__).parent / "assets"
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_YEAR: Final = "private, max-age=31536000, immutable"
_WORTH_PACKING: Final = 500  # bytes
_STATES: Final = ("quiet", "busy", "hot", "cooling", "pressure")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes
    media_type: str

    def response(self, request: Request, cached: str) -> Response:
        headers = {"cache-control": cached, "vary": "accept-encoding"}
        if self.packed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.packed, headers=headers, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


class Site:
    """Answers browsers.

    Args:
        live: for the sentence that stands in the page from the beginning.
        asks: whether there is a password, and so a way out.
    """

    def __init__(self, live: Live, *, asks: bool) -> None:
        self._live = live
        self._asks = asks
        self._files = {
            path.relative_to(_ASSETS).as_posix(): _file(path)
            for path in sorted(_ASSETS.rglob("*"))
            if path.suffix in _MEDIA_TYPES
        }
        contents = (file.content for file in self._files.values())
        # In the address of every file, so that browsers may keep each for ever.
        self._edition = blake2b(b"".join(contents), digest_size=6).hexdigest()
        self._page = _template("page.html")
        self._reference = _template("reference.html")

    def addresses(self) -> list[Address]:
        """Those of the page; none is for programs."""
        return [
            Address(path="/", answer=self.page, media_type="text/html"),
            Address(path="/manifest.webmanifest", answer=self.manifest),
            Address(path="/assets/{edition}/{name:path}", answer=self.file, media_type="*/*"),
        ]

    async def page(self, request: Request) -> Response:
        """The page, with the sentence of the one host or of the loudest."""
        live = self._live
        now = live.clock()
        hosts = loudest_first(live.hosts, now)
        first = hosts[0] if hosts else None
        headline = first.explanation.headline if first and not first.offline else ""
        state = first.state if first and first.state in _STATES else ""
        words = {
            "sentence": headline or "…",
            "title": f"{headline} · {first.name}" if first and headline else "fanwhy",
            "state": state,
            "icon": state or "unknown",
            "assets": f"assets/{self._edition}",
            "password": "yes" if self._asks else "",
        }
        text = self._page.substitute({name: html.escape(word) for name, word in words.items()})
        preloads = "".join(
            f'<link rel="modulepreload" href="assets/{self._edition}/{name}">'
            for name in self._files
            if name.endswith(".js")
        )
        text = text.replace("<!-- modules -->", preloads)
        return tagged(request, text.encode(), "text/html")

    async def file(self, request: Request) -> Response:
        """One of the page's files."""
        file = self._files.get(request.path_params["name"])
        if file is None or request.path_params["edition"] != self._edition:
            raise ProblemError(HTTPStatus.NOT_FOUND, "there is no such file; load the page again")
        return file.response(request, _YEAR)

    def open_file(self, request: Request, name: str) -> Response:
        """What anybody may have: how the page looks that asks for the password."""
        return self._files[name].response(request, "public, max-age=3600")

    async def manifest(self, request: Request) -> Response:
        """By which a phone puts the page among its applications (W3C, Web Application Manifest)."""
        icons = f"assets/{self._edition}/icons"
        told = {
            "name": "fanwhy",
            "short_name": "fanwhy",
            "description": "Why is this machine's fan running?",
            "id": "./",
            "start_url": "./",
            "scope": "./",
            "display": "standalone",
            "background_color": "#f7f7f5",
            "theme_color": "#f7f7f5",
            "icons": [
                {"src": f"{icons}/app.svg", "sizes": "any", "type": "image/svg+xml"},
                {"src": f"{icons}/app-192.png", "sizes": "192x192", "type": "image/png"},
                {"src": f"{icons}/app-512.png", "sizes": "512x512", "type": "image/png",
                 "purpose": "any maskable"},
            ],
        }  # fmt: skip
        return tagged(request, json.dumps(told).encode(), "application/manifest+json")

    def reference(self, addresses: Iterable[Address]) -> Response:
        """The addresses for programs, as a page."""
        body = self._reference.substitute(
            assets=f"assets/{self._edition}", addresses=openapi.page(addresses)
        )
        return HTMLResponse(body)


def template_of_login() -> Template:
    """The page that asks for the password; ``$note`` says what was wrong."""
    return _template("login.html")


def _file(path: Path) -> _File:
    content = path.read_bytes()
    packed = b""
    if len(content) > _WORTH_PACKING and path.suffix != ".png":
        packed = gzip.compress(content, 9, mtime=0)
    return _File(content, packed, _MEDIA_TYPES[path.suffix])


def _template(name: str) -> Template:
    return Template((_ASSETS / name).read_text("utf-8"))
