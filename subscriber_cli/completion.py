"""What the shell is told of the hosts on the broker while a command is typed."""

from __future__ import annotations

import contextlib
import io

import typer

from publisher.errors import FanwhyError
from subscriber_cli.arguments import load_settings
from subscriber_cli.client import Stream
from subscriber_cli.listening import listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost

_PATIENCE_SECONDS = 1.0  # of somebody who has pressed a key
_REST_SECONDS = 0.2


def hosts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names that begin like that; none where the broker does not answer at once."""
    given = (ctx.params.get(name) for name in ("broker", "prefix", "config"))
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(FanwhyError):
        heard = listen(
            load_settings(*given), _PATIENCE_SECONDS, _is_named, missing="", rest=_REST_SECONDS
        )
        names = {host.name for host in heard.fleet}
        return sorted(name for name in names if name.startswith(incomplete) and " " not in name)
    return []


def _is_named(_stream: Stream, _item: Received, host: KnownHost) -> bool:
    return host.is_machine and host.named
