"""``/metrics``: every number of every machine, as Prometheus asks for it.

What it is called and counted in stands in ``subscriber_cli.metrics.exposition``; here it becomes
OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/), unless only the older
text is wanted.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from subscriber_cli.metrics.exposition import CONTENT_TYPE, exposition
from subscriber_cli.web.live import Live

MEDIA_TYPE: Final = "application/openmetrics-text"
_OPENMETRICS: Final = f"{MEDIA_TYPE}; version=1.0.0; charset=utf-8"
_FRESH_SECONDS: Final = 1.0  # in which the same answer is given again
# A family of counters goes by the name that its samples have before "_total".
_COUNTER: Final = re.compile(r"^# (HELP|TYPE) (\w+?)_total\b", re.MULTILINE)


class Scrape:
    """Answers scrapers.

    Args:
        live: what hosts said last.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._made = (float("-inf"), "")
        self._lock = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """All of it, in the form that is asked for."""
        text = await self._text()
        accepted = request.headers.get("accept", "*/*")
        if "text/plain" in accepted and "openmetrics" not in accepted:
            return Response(text, media_type=CONTENT_TYPE)
        return Response(openmetrics(text), headers={"content-type": _OPENMETRICS})

    async def _text(self) -> str:
        async with self._lock:
            if time.monotonic() - self._made[0] >= _FRESH_SECONDS:
                hosts = self._live.hosts
                for host in hosts:  # reading takes longest: others have their turn in between
                    for leaf in list(host.latest):
                        host.row(leaf)
                    await asyncio.sleep(0)
                self._made = time.monotonic(), exposition(hosts, self._live.clock())
        return self._made[1]


def openmetrics(text: str) -> str:
    """The older text as OpenMetrics."""
    return _COUNTER.sub(r"# \1 \2", text) + "# EOF\n"
