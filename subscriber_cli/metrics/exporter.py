"""Listens to the broker, and answers ``GET /metrics`` with what the hosts said last."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

from publisher.contract.printable import printable
from publisher.errors import BrokerError, ConfigError, FanwhyError
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.inbox import Inbox
from subscriber_cli.metrics.exposition import CONTENT_TYPE, exposition
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.terminal_settings import TerminalSettings

_REQUEST_SECONDS: Final = 5.0  # that one who asks may take to do so
_FRESH_SECONDS: Final = 1.0  # in which the same answer is given again
_POLL_SECONDS: Final = 0.5
_PAGE: Final = b'<!doctype html><title>fanwhy</title><a href="/metrics">metrics</a>\n'

Tell = Callable[[str], None]


class Stop:
    """What is pressed into the inbox to end it."""


class _SixServer(HTTPServer):
    address_family = socket.AF_INET6


class Exporter:
    """Answers until it is stopped.

    Args:
        settings: where the messages are, and where to listen.
        tell: takes a line for people.

    Raises:
        ConfigError: nobody can listen there.
    """

    def __init__(self, settings: TerminalSettings, tell: Tell) -> None:
        self._address = _address(settings.metrics.listen)
        self._settings = settings
        self._tell = tell
        self._inbox = Inbox()
        self._lock = threading.Lock()
        self._fleet = Fleet(sparklines=False)
        self._answer: tuple[float, bytes] = (float("-inf"), b"")
        self._silence = ""

    def stop(self) -> None:
        """Ends it soon; may be called by a signal's handler or another thread."""
        self._inbox.press(Stop())

    def run(self) -> None:
        """Listens and answers until ``stop`` is called.

        Raises:
            BrokerError: the broker will never let us in.
            FanwhyError: the address cannot be listened on.
        """
        server = self._server()
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        thread.start()
        host, port = self._address
        self._tell(f"answering on http://{host}:{port}/metrics")
        try:
            self._listen()
        finally:
            server.shutdown()
            server.server_close()

    def metrics(self) -> bytes:
        """The answer now; may be called by any thread."""
        with self._lock:
            made, answer = self._answer
            if time.monotonic() - made >= _FRESH_SECONDS:
                answer = exposition(self._fleet, time.time()).encode()
                self._answer = time.monotonic(), answer
            return answer

    def _listen(self) -> None:
        settings = self._settings
        with Stream(settings.broker, settings.prefix, self._inbox) as stream:
            while not isinstance(item := stream.get(), Stop):
                if isinstance(item, Received):
                    with self._lock:
                        self._fleet.apply(item, time.time())
                        skipped = self._fleet.complaint()
                    if skipped:
                        self._tell(skipped)
                elif isinstance(item, Connected):
                    self._silence = ""
                    self._tell(f"connected to {item.endpoint} with {item.version}")
                elif isinstance(item, Trouble):
                    if item.final:
                        raise BrokerError(item.text)
                    if self._silence != item.text:
                        self._tell(f"{item.text}; trying again until it works")
                    self._silence = item.text

    def _server(self) -> HTTPServer:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_SECONDS

            def do_GET(self) -> None:  # http.server's name
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._reply(200, CONTENT_TYPE, exporter.metrics())
                elif path == "/":
                    self._reply(200, "text/html; charset=utf-8", _PAGE)
                else:
                    self._reply(404, "text/plain", b"ask for /metrics\n")

            def _reply(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # likewise
                """Who asks is of no interest."""

        host, port = self._address
        try:
            # One after the other: a scraper asks four times a minute.
            return (_SixServer if ":" in host else HTTPServer)((host, port), Handler)
        except OSError as error:
            where = f"{printable(host)}:{port}"
            raise FanwhyError(
                f"metrics: cannot listen on {where}: {error.strerror}; set listen in [metrics]"
            ) from error


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        found = printable(text)[:60]
        raise ConfigError(f'metrics.listen: expected "127.0.0.1:9741" or the like, found "{found}"')
    return host.strip("[]"), int(port)
