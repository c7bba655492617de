"""Runs the page: one event loop in a thread, behind one address."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvicorn

from publisher.errors import BrokerError, ConfigError, FanwhyError
from subscriber_cli.client import Stream
from subscriber_cli.inbox import Inbox
from subscriber_cli.terminal_settings import TerminalSettings
from subscriber_cli.web.credentials import keys_of
from subscriber_cli.web.guard import door_of, is_address, is_loopback
from subscriber_cli.web.live import Live
from subscriber_cli.web.past import Past
from subscriber_cli.web.routes import Application

_MOST_CONNECTIONS: Final = 1000
_LARGEST_HEAD: Final = 16 << 10  # bytes of a request's head
_LEAVING_SECONDS: Final = 2


class WebServer:
    """The page, until it is stopped.

    Args:
        settings: where the messages are, the section ``[web]``, where the archive is.
        tell: takes a line for people.
        database: an archive; ``None`` takes that of the settings.

    Attributes:
        url: where a browser on this machine finds it.

    Raises:
        ConfigError: it would let in anybody, or the address makes no sense.
    """

    def __init__(
        self, settings: TerminalSettings, tell: Callable[[str], None], database: Path | None = None
    ) -> None:
        address, self._port = _address_of(settings.web.listen)
        self._address = address
        keys = keys_of(settings.web)
        door = door_of(settings.web, keys, address)
        inbox = Inbox()
        stream = Stream(settings.broker, settings.prefix, inbox)
        self._live = Live(stream, inbox, self._fail)
        self._application = Application(self._live, Past(settings, database), door)
        self._tell = tell
        self._failure: FanwhyError | None = None
        self._server = _Server(self._config(), self._application.close)
        here = is_loopback(address) or ipaddress.ip_address(address).is_unspecified
        shown = "localhost" if here else address
        host = f"[{shown}]" if ":" in shown else shown
        self.url = f"http://{host}:{self._port}{door.path}/"

    def run(self) -> None:
        """Serves until ``stop`` is called.

        Raises:
            BrokerError: the broker will never let us in.
            FanwhyError: somebody else has the address.
        """
        bound = self._bound()
        self._tell(f"the page is at {self.url}")
        try:
            asyncio.run(self._server.serve(sockets=[bound]))
        finally:
            bound.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends it soon; may be called by a signal's handler or another thread."""
        self._server.should_exit = True

    def _fail(self, error: BrokerError) -> None:
        self._failure = error
        self.stop()

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._application.asgi,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the guard looks at them, where a proxy is trusted
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_LEAVING_SECONDS,
            h11_max_incomplete_event_size=_LARGEST_HEAD,
        )

    def _bound(self) -> socket.socket:
        try:
            family, *_, place = socket.getaddrinfo(
                self._address, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            bound = socket.socket(family, socket.SOCK_STREAM)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                bound.bind(place)
            except OSError:
                bound.close()
                raise
        except OSError as error:
            remedy = "name another with --port"
            raise FanwhyError(
                f"web.listen: {self._address}:{self._port}: {error.strerror or error}; {remedy}"
            ) from error
        return bound


class _Server(uvicorn.Server):
    """Ends the streams first, for which it would else wait."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to whoever has started us."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._leave()
        await super().shutdown(sockets)


def _address_of(listen: str) -> tuple[str, int]:
    """(address, port) of ``127.0.0.1:8642`` or ``[::1]:8642``.

    Raises:
        ConfigError: it is neither.
    """
    address, _, port = listen.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    if not is_address(bare) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(
            f"web.listen: {listen}: is no address and port, such as 127.0.0.1:8642 or [::]:8642"
        )
    return bare, int(port)
