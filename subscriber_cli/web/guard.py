"""Who gets in, and what every answer says to browsers: around all that answers.

A request passes, in this order: the name by which it came (a stranger's name that leads to this
address, DNS rebinding, is no name of ours), the page that it came from, and who it is. Nothing but
``OPEN`` is answered to somebody who has not said a password or a token.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from publisher.config.companions import WebSettings
from publisher.errors import ConfigError
from subscriber_cli.web.credentials import Keys
from subscriber_cli.web.problems import problem

HEALTH: Final = "/healthz"
LOGIN: Final = "/login"
LOGIN_STYLE: Final = "/login/style.css"
LOGIN_ICON: Final = "/login/icon.svg"
OPEN: Final = frozenset({HEALTH, LOGIN, LOGIN_STYLE, LOGIN_ICON})
"""What is answered to anybody."""

COOKIE: Final = "fanwhy"
_PEER: Final = "fanwhy.peer"
_SAFE: Final = frozenset({"GET", "HEAD"})
_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # With "no-referrer" browsers would not say either that our own form comes from us.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("x-robots-tag", "noindex"),
)


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come, and by which name.

    Attributes:
        keys: what lets people in; ``None`` where this program asks for nothing.
        names: of this machine, in lower case, besides addresses.
        proxies: networks whose word on the client is believed.
        through_proxy: nobody comes but through one of those.
        path: below which everything is; empty, or with a slash first and none last.
    """

    keys: Keys | None = None
    names: frozenset[str] = frozenset()
    proxies: tuple[str, ...] = ()
    through_proxy: bool = False
    path: str = ""

    def knows(self, host: str) -> bool:
        """Whether a ``Host`` header names this machine. No stranger's name is an address."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self.names or is_address(name)

    def is_proxy(self, address: str) -> bool:
        """Whether a connection comes from a proxy that is trusted."""
        return _is_in(address, self.proxies)


def door_of(settings: WebSettings, keys: Keys | None, address: str) -> Door:
    """Who may come.

    Args:
        settings: the section.
        keys: what lets people in, if a password was set.
        address: that is listened on.

    Raises:
        ConfigError: this would let anybody in from elsewhere.
    """
    for network in settings.trusted_proxies:
        if not _is_network(network):
            raise ConfigError(f"web.trusted_proxies: {network}: is no address and no network")
    through_proxy = settings.authentication == "proxy"
    if through_proxy and not settings.trusted_proxies:
        raise ConfigError("web.authentication: with proxy, web.trusted_proxies says which one")
    if keys is None and not through_proxy:
        remedy = "set a password first: fanwhy-sub web password"
        if not is_loopback(address):
            raise ConfigError(f"web.listen: {address}: others can reach that; {remedy}")
        if settings.trusted_proxies:
            raise ConfigError(
                f"web.trusted_proxies: others come through a proxy; {remedy}, or, if the proxy "
                'asks for one: authentication = "proxy"'
            )
    own = {socket.gethostname(), socket.getfqdn()}
    names = {"localhost", *own, *(f"{name}.local" for name in own), *settings.names}
    path = settings.path.strip("/")
    return Door(
        keys=None if through_proxy else keys,
        names=frozenset(name.lower() for name in names if name),
        proxies=settings.trusted_proxies,
        through_proxy=through_proxy,
        path=f"/{path}" if path else "",
    )


def is_loopback(address: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    return ipaddress.ip_address(address).is_loopback


def guarded(app: ASGIApp, door: Door) -> ASGIApp:
    """The application behind its door."""
    inner: Any = _Guard(app, door)
    if door.proxies:
        inner = ProxyHeadersMiddleware(inner, trusted_hosts=list(door.proxies))

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        # Before a proxy's word replaces it.
        scope[_PEER] = (scope.get("client") or ("", 0))[0]
        await inner(scope, receive, send)

    return outer


@dataclass(frozen=True, slots=True)
class _Guard:
    app: ASGIApp
    door: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal: Response | None = None
        own, path = self.door.path, scope["path"]
        if own and path == own:  # below which the page's own addresses are
            refusal = RedirectResponse(f"{own}/", HTTPStatus.PERMANENT_REDIRECT)
        elif own and path.startswith(f"{own}/"):  # else the proxy has taken it away
            scope["path"] = path = path.removeprefix(own)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "private, no-cache")
            await send(message)

        refusal = refusal or self._refusal(scope, Headers(scope=scope), path)
        await (refusal or self.app)(scope, receive, dressed)

    def _refusal(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        if path == HEALTH:
            return None
        door = self.door
        host = headers.get("host", "")
        if not door.knows(host):
            detail = "this machine does not go by that name; add it to web.names if it should"
            return problem(HTTPStatus.MISDIRECTED_REQUEST, detail)
        if door.through_proxy and not door.is_proxy(scope[_PEER]):
            return problem(HTTPStatus.FORBIDDEN, "this is answered to web.trusted_proxies alone")
        if door.keys is None and not door.proxies and any(map(headers.get, _FORWARDED)):
            detail = (
                "a proxy has passed this on, and nobody asks for a password: set one "
                "(fanwhy-sub web password) and web.trusted_proxies"
            )
            return problem(HTTPStatus.FORBIDDEN, detail)
        ambient = not self._has_token(headers)
        if ambient and not _is_own(headers, host, safe=scope["method"] in _SAFE):
            return problem(HTTPStatus.FORBIDDEN, "another site has sent this request")
        if door.keys is None or path in OPEN or not ambient or self._has_session(headers):
            return None
        if path == "/" and scope["method"] in _SAFE:
            return RedirectResponse(LOGIN.strip("/"), HTTPStatus.SEE_OTHER)
        challenge = {"www-authenticate": 'Bearer realm="fanwhy"'}
        detail = "say the password at /login, or send a token: Authorization: Bearer …"
        return problem(HTTPStatus.UNAUTHORIZED, detail, challenge)

    def _has_token(self, headers: Headers) -> bool:
        keys = self.door.keys
        kind, _, token = headers.get("authorization", "").partition(" ")
        return keys is not None and kind.lower() == "bearer" and keys.is_token(token.strip())

    def _has_session(self, headers: Headers) -> bool:
        keys = self.door.keys
        told = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return keys is not None and keys.is_session(told, time.time())


def _is_own(headers: Headers, host: str, *, safe: bool) -> bool:
    """Whether a request comes from our own page, or from none.

    A browser says where anything that changes something comes from; without a word it is refused.
    """
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2].lower() == host.lower()
    site = headers.get("sec-fetch-site")
    return safe or site in ("same-origin", "none")


def is_address(name: str) -> bool:
    """Whether it is an address of a machine, and no name."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: Iterable[str]) -> bool:
    if not is_address(address):
        return False
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)
