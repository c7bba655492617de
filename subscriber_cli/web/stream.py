"""Server-sent events: what a page is told as it happens (HTML standard, section 9.2).

A browser that does not read holds up nobody: while it is busy its news wait nowhere, and what it
gets next is the latest state.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from subscriber_cli.web.live import Live, Watch
from subscriber_cli.web.problems import ProblemError

MEDIA_TYPE: Final = "text/event-stream"
_MOST_BROWSERS: Final = 400
_LONGEST_NAME: Final = 200
_PACE_SECONDS: Final = 0.25  # between two answers to one browser
_BEAT_SECONDS: Final = 10.0
_FIRST: Final = b"retry: 2000\n\n"


class Streams:
    """Opens a stream for each page that is looked at.

    Args:
        live: what hosts say.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Ends all streams: the server is to stop."""
        self._closing.set()
        self._live.wake_all()

    async def open(self, request: Request) -> Response:
        """The stream of one host, by its id or name in ``host``, or of all where none is named."""
        live = self._live
        if live.watched >= _MOST_BROWSERS:
            detail = f"{_MOST_BROWSERS} pages look already"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": "30"})
        wanted = request.query_params.get("host", "")[:_LONGEST_NAME]
        # nginx would else keep news until a page of them has come together.
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._frames(live.open(wanted)), headers=headers, media_type=MEDIA_TYPE
        )

    async def _frames(self, watch: Watch) -> AsyncIterator[bytes]:
        live = self._live
        try:
            yield _FIRST + live.beat(watch) + live.news(watch)
            beats_at = time.monotonic() + _BEAT_SECONDS
            while not self._closing.is_set():
                await asyncio.sleep(_PACE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    left = max(beats_at - time.monotonic(), 0.0)
                    await asyncio.wait_for(watch.woken.wait(), left)
                watch.woken.clear()
                news = live.news(watch)
                if time.monotonic() >= beats_at:
                    beats_at = time.monotonic() + _BEAT_SECONDS
                    news += live.beat(watch)
                if news:
                    yield news
        finally:
            live.close(watch)
