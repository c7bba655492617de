"""What messages are sent to: a webhook, a server that speaks as ntfy does, a mail server."""

from __future__ import annotations

import email
import email.policy
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from servers import free_port

_SUBJECT = re.compile(r"Disk sd\d+ fails")


class Receiver:
    """Takes messages, or does not.

    Attributes:
        mode: ``ok``; ``refuse`` says that it cannot now; ``hang`` takes nothing and says nothing.
        taken: title and text of each message that was taken.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.mode = "ok"
        self.taken: list[tuple[str, str]] = []
        self.refused = 0
        self.released = threading.Event()

    @property
    def subjects(self) -> Counter[str]:
        """How often each disk was told of."""
        taken = list(self.taken)
        return Counter(each for title, text in taken for each in _SUBJECT.findall(title + text))


class Webhook(Receiver):
    """An HTTP server that Apprise posts JSON to, as webhook or as ntfy."""

    def __init__(self) -> None:
        super().__init__()
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if receiver.mode == "hang":
                    receiver.released.wait(20)
                    return
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.mode == "refuse":
                    receiver.refused += 1
                    self.send_response(500)
                else:
                    said = json.loads(body)
                    receiver.taken.append((said["title"], said["message"]))
                    self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Mailbox(Receiver):
    """An SMTP server with one mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self._server: Controller | None = None
        self.start()

    def start(self) -> None:
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)
        self._server.start()

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        if self.mode == "refuse":
            self.refused += 1
            return "451 try again later"
        said = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = said.get_body(("plain", "html"))
        assert text is not None
        self.taken.append((str(said["Subject"]), text.get_content()))
        return "250 taken"

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
