"""What goes wrong with a request, as RFC 9457 has it: JSON for programs, one line for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that cannot be answered as asked.

    Args:
        status: of HTTP.
        detail: what happened and what mends it, in one line.
        headers: that go with it.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """What the client is told."""
        return problem(self.status, self.detail, self.headers)


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that says what is wrong."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }
    return Response(json.dumps(body), int(status), headers, MEDIA_TYPE)
