"""The addresses for programs: what hosts said last, and what was."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from publisher.contract import topics
from publisher.contract.when import parse
from publisher.errors import ConfigError
from subscriber_cli.archive.schema import ArchiveError
from subscriber_cli.hosts import document_of
from subscriber_cli.listening import is_called
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import worst_first
from subscriber_cli.model.values import clean
from subscriber_cli.then import window
from subscriber_cli.web import documents
from subscriber_cli.web.answers import JSON, encoded, tagged
from subscriber_cli.web.live import Live
from subscriber_cli.web.past import PERIODS, Past, Told, told_by
from subscriber_cli.web.problems import ProblemError
from subscriber_cli.web.table import Address, Parameter

_T = TypeVar("_T")

NAMED: Final = (
    "overview", "cpu", "memory", "disk", "network", "gpu", "thermal", "power", "explanation",
)  # fmt: skip
"""Topics that have a row of their own; any other is asked for in the same way."""

_MOST_KEPT: Final = 4 << 20  # bytes of answers that are kept to be sent again
_REPORT_SECONDS: Final = 60.0
_MOST_REPORTS: Final = 50
_AT_ONCE: Final = 2  # questions about the past
_WAITING: Final = 50  # others before it; then it is refused
_PATIENCE_SECONDS: Final = 30.0
_SINCE: Final = Parameter("since", "From when on: 22:00, 'yesterday 3am', RFC 3339.", "22:00")
_UNTIL: Final = Parameter("until", "Until when; the first such time after since.", "07:00")


@dataclass(slots=True)
class Kept:
    """Answers by what they were made of, the oldest forgotten, of ``_MOST_KEPT`` bytes in all."""

    _kept: OrderedDict[object, tuple[object, bytes]] = field(default_factory=OrderedDict)
    _size: int = 0

    def get(self, key: object, stamp: object, make: Callable[[], bytes]) -> bytes:
        """The answer for a key, made anew where the stamp is another."""
        known = self._kept.pop(key, None)
        if known is None or known[0] != stamp:
            self._size -= len(known[1]) if known else 0
            known = (stamp, make())
            self._size += len(known[1])
        self._kept[key] = known
        while self._size > _MOST_KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1][1])
        return known[1]


class Api:
    """Answers programs.

    Args:
        live: what hosts said last.
        past: what was.
    """

    def __init__(self, live: Live, past: Past) -> None:
        self._live = live
        self._past = past
        self._kept = Kept()
        self._reports: OrderedDict[object, tuple[float, Any]] = OrderedDict()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "fanwhy-past")
        self._waiting = 0

    def addresses(self) -> list[Address]:
        """The rows of the table, in the order in which they are looked for."""
        at = Parameter("at", "When: 03:12, 'yesterday 3am', RFC 3339.", "03:12", needed=True)
        period = Parameter("period", "How long (default: day).", "week", options=tuple(PERIODS))
        end = Parameter("until", "The end of that time; without it, now.", "monday 00:00")
        most = Parameter("limit", "How many at most (default: 200).", "50")
        named = [
            Address(path=f"/api/{{host}}/{leaf}", answer=self._topic(leaf), what=f"{_WHAT[leaf]}")
            for leaf in NAMED
        ]
        metric = Parameter(
            "metric", "A value or a pattern; may be given several times.", "cpu/usage_percent"
        )
        step = Parameter("step", "Seconds of one row; 0: every value.", "300")
        return [
            Address(path="/api/hosts", answer=self.hosts, what="Every machine, the worst first."),
            *named,
            Address(
                path="/api/{host}/events",
                answer=self.events,
                what="What happened, the last of it first; of the archive, where there is one.",
                parameters=(_SINCE, _UNTIL, most),
            ),
            Address(
                path="/api/{host}/history",
                answer=self.history,
                what="Causes, states, alerts and measurements of a time; with metric its rows, "
                "of the archive.",
                parameters=(metric, _SINCE, _UNTIL, step),
            ),
            Address(
                path="/api/{host}/metrics",
                answer=self.metrics,
                what="The names that history takes as metric; of the archive.",
            ),
            Address(
                path="/api/{host}/why",
                answer=self.why,
                what="The verdict of one moment.",
                parameters=(at,),
            ),
            Address(
                path="/api/{host}/report",
                answer=self.report,
                what="The bill: who made it loud, hot and busy, what that cost; of the archive.",
                parameters=(period, end),
            ),
            Address(
                path="/api/{host}/refresh",
                answer=self.refresh,
                what="Has the host say everything again.",
                changes=True,
            ),
            Address(
                path="/api/{host}/{topic}",
                answer=self.topic,
                what="The newest message of any other topic.",
            ),
        ]

    # --- what hosts said last ----------------------------------------------------------------

    async def hosts(self, request: Request) -> Response:
        live = self._live
        found = [
            {"id": documents.key_of(ranked.host), **document_of(ranked)}
            for ranked in worst_first(live.hosts, live.clock())
        ]
        return tagged(request, encoded({"hosts": found}))

    def _topic(self, leaf: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            return self._newest(request, leaf)

        return answer

    async def topic(self, request: Request) -> Response:
        return self._newest(request, request.path_params["topic"])

    def _newest(self, request: Request, leaf: str) -> Response:
        host = self._host(request)
        latest = host.latest.get(leaf)
        if latest is None:
            said = ", ".join(sorted(map(clean, host.latest)))
            detail = f"{host.name} has said nothing of {clean(leaf)[:40]}; there is {said}"
            raise ProblemError(HTTPStatus.NOT_FOUND, detail)
        message = latest.message
        content = self._kept.get(
            (host.prefix, leaf), message, lambda: encoded(message.open().content)
        )
        return tagged(request, content, JSON)

    async def refresh(self, request: Request) -> Response:
        host = self._host(request)
        if not self._live.refresh(host):
            detail = f"{host.name} was asked just now"
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, {"retry-after": "5"})
        return Response(encoded({"asked": host.name}), HTTPStatus.ACCEPTED, media_type=JSON)

    # --- what was ----------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        host, told = self._asked(request)
        begin, end = _span(request, 7 * 86400.0)
        most = int(_number(request, "limit", 200, 1, 5000))
        try:
            found = await self._ask(lambda: self._past.events(told, begin, end, most))
        except ProblemError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            now = self._live.clock()  # nothing is kept: what was heard since we listen
            entries = [documents.entry(each, host, now) for each in self._live.entries(host)]
            found = {"host": host.name, "events": entries[:most]}
        return tagged(request, encoded(found))

    async def history(self, request: Request) -> Response:
        _, told = self._asked(request)
        span = _span(request, 86400.0)
        metrics = tuple(request.query_params.getlist("metric")[:20])
        given = "step" in request.query_params
        step = _number(request, "step", 0.0, 0.0, 366 * 86400.0) if given else None
        if metrics:
            found = await self._ask(lambda: self._past.values(told, metrics, span, step))
        else:
            found = await self._ask(lambda: self._past.night(told, *span))
        return tagged(request, encoded(found))

    async def metrics(self, request: Request) -> Response:
        _, told = self._asked(request)
        return tagged(request, encoded(await self._ask(lambda: self._past.metrics(told))))

    async def why(self, request: Request) -> Response:
        _, told = self._asked(request)
        now = time.time()
        when = parse(request.query_params.get("at", ""), now, option="at")
        return tagged(request, encoded(await self._ask(lambda: self._past.why(told, when, now))))

    async def report(self, request: Request) -> Response:
        _, told = self._asked(request)
        period = request.query_params.get("period", "day")
        if period not in PERIODS:
            raise ConfigError(f"period: {clean(period)[:20]}: is one of {', '.join(PERIODS)}")
        until = request.query_params.get("until", "")
        now = time.time()
        end = min(parse(until, now, option="until").end, now) if until else now
        key = (told.prefix, period, until)
        known = self._reports.get(key)
        if known is None or now - known[0] > _REPORT_SECONDS:
            known = (now, await self._ask(lambda: self._past.report(told, period, end)))
            self._reports[key] = known
            self._reports.move_to_end(key)
            while len(self._reports) > _MOST_REPORTS:
                self._reports.popitem(last=False)
        return tagged(request, encoded(known[1]))

    def close(self) -> None:
        """Waits for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # --- inside ------------------------------------------------------------------------------

    def _host(self, request: Request) -> KnownHost:
        """The host that is meant.

        Raises:
            ProblemError: there is none, or more than one.
        """
        wanted = request.path_params["host"]
        hosts = self._live.hosts
        found = [host for host in hosts if documents.key_of(host) == wanted]
        found = found or [host for host in hosts if is_called(host, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(documents.key_of(host) for host in found)
            detail = f"more than one host is called {clean(wanted)[:40]}; their ids are {ids}"
            raise ProblemError(HTTPStatus.CONFLICT, detail)
        names = ", ".join(host.name for host in hosts[:20]) or "none yet"
        detail = f"no host is called {clean(wanted)[:40]}; there are: {names}"
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)

    def _asked(self, request: Request) -> tuple[KnownHost, Told]:
        host = self._host(request)
        return host, told_by(host)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        """Asks in a thread; refuses where too many wait."""
        if self._waiting >= _WAITING:
            detail = "too many ask what was; try again in a moment"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": "5"})
        self._waiting += 1
        asked = asyncio.get_running_loop().run_in_executor(self._threads, question)
        asked.add_done_callback(self._is_answered)
        try:
            return await asyncio.wait_for(asyncio.shield(asked), _PATIENCE_SECONDS)
        except TimeoutError:
            detail = "that took too long; ask for a shorter time"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None
        except ArchiveError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error

    def _is_answered(self, asked: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not asked.cancelled():
            asked.exception()  # whoever asked may be gone


def _span(request: Request, length: float) -> tuple[float, float]:
    """The time that is asked about.

    Raises:
        ConfigError: one is no time, or they come in the wrong order.
    """
    asked: Mapping[str, str] = request.query_params
    now = time.time()
    since, until = asked.get("since", ""), asked.get("until", "")
    begin, end = window(since, until, now)
    return (begin if since else end - length), end


def _number(request: Request, name: str, default: float, least: float, most: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ConfigError(f"{name}: {clean(text)[:20]}: is a number from {least:g} to {most:g}")
    return value


_WHAT: Final[Mapping[str, str]] = {
    topics.OVERVIEW: "The few numbers that say how it is, and the sentence.",
    "cpu": "Processors: usage, frequencies, load, and who uses most.",
    "memory": "Memory and swap, and who holds most.",
    "disk": "Disks and file systems, and who reads and writes most.",
    "network": "Interfaces, and who receives and transmits most.",
    "gpu": "Graphics cards.",
    "thermal": "Temperatures and fans.",
    "power": "Power and energy.",
    topics.EXPLANATION: "The verdict: state, sentence, causes, evidence.",
}
