"""The page's application without a server: requests go in and answers come out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from publisher.config.companions import RecordSettings
from publisher.errors import BrokerError
from publisher.mqtt.broker import Endpoint
from subscriber_cli.client import Connected, Stream
from subscriber_cli.inbox import Inbox
from subscriber_cli.terminal_settings import TerminalSettings
from subscriber_cli.web import live as live_module
from subscriber_cli.web.guard import Door
from subscriber_cli.web.live import Live
from subscriber_cli.web.past import Past
from subscriber_cli.web.routes import Application

PLACE = Endpoint("localhost", 1883, tls=False, websocket_path=None, username=None, password=None)
HOST = "localhost:8642"


class Source(Stream):
    """Gives what a test puts into its inbox, and notes what hosts are asked."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.endpoint = PLACE
        self.asked: list[tuple[str, str]] = []
        self.left = 0

    def say(self, *items: Any) -> None:
        """Leaves messages for the page."""
        self.left += len(items)
        for item in items:
            self.inbox.put(item)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def get(self, timeout: float | None = None) -> Any:
        item = self.inbox.get(timeout)
        self.left -= item is not None
        return item

    def command(self, prefix: str, word: str) -> None:
        self.asked.append((prefix, word))


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Page:
    """The application, and a way to ask it."""

    live: Live
    source: Source
    application: Application
    failures: list[BrokerError] = field(default_factory=list)

    def say(self, *items: Any) -> None:
        """Has the page take in messages, and whatever waits besides."""
        self.source.say(*items)

        async def run() -> None:
            running = asyncio.create_task(self.live.run())
            await when(lambda: not self.source.left)
            running.cancel()

        asyncio.run(run())

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        peer: str = "127.0.0.1",
        most: int = 1 << 30,
        **headers: str,
    ) -> Answer:
        """One request; "_" in names of headers is "-". A stream ends after ``most`` bytes."""
        told = {"host": HOST} | headers
        return asyncio.run(self.asking(path, method, body=body, peer=peer, most=most, **told))

    async def asking(
        self,
        path: str,
        method: str = "GET",
        *,
        body: bytes = b"",
        peer: str = "127.0.0.1",
        most: int = 1 << 30,
        **headers: str,
    ) -> Answer:
        """The same in a loop that runs."""
        place, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": place, "raw_path": place.encode(), "root_path": "",
            "query_string": query.encode(), "client": (peer, 50000), "server": ("127.0.0.1", 8642),
            "headers": [
                (name.replace("_", "-").encode(), value.encode("latin-1"))
                for name, value in headers.items()
            ],
        }  # fmt: skip
        told: dict[str, Any] = {"status": 0, "headers": {}, "body": b""}
        enough = asyncio.Event()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": body, "more_body": False}
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                told["headers"] = {
                    name.decode(): value.decode("latin-1") for name, value in message["headers"]
                }
            else:
                told["body"] += message.get("body", b"")
                if len(told["body"]) >= most:
                    enough.set()

        await asyncio.wait_for(self.application.asgi(scope, receive, send), 20)
        return Answer(told["status"], told["headers"], told["body"])


MakePage = Callable[..., Page]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are made as soon as they are asked for."""
    monkeypatch.setattr(live_module, "_PACES", {})


@pytest.fixture
def make_page(
    tmp_path: Path,
    now: float,
    say: Callable[..., Any],
    catalogue: dict[str, Any],
    fleet_contents: dict[str, Any],
) -> MakePage:
    """A page that knows one busy machine, called nas."""

    def make(door: Door | None = None, database: Path | None = None) -> Page:
        source = Source()
        failures: list[BrokerError] = []
        live = Live(source, source.inbox, failures.append, lambda: now)
        record = RecordSettings(database=str(database or tmp_path / "none.sqlite"))
        past = Past(TerminalSettings(record=record))
        page = Page(
            live, source, Application(live, past, door or Door(names=frozenset({"localhost"}))),
            failures,
        )  # fmt: skip
        source.say(Connected(PLACE, "5"), say("catalogue", catalogue), say("status", "online"))
        page.say(*(say(leaf, content) for leaf, content in fleet_contents.items()))
        return page

    return make


@pytest.fixture
def page(make_page: MakePage) -> Page:
    return make_page()


async def when(condition: Callable[[], object]) -> None:
    """Waits for what nobody notifies us of."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # there is no event
            await asyncio.sleep(0.001)
