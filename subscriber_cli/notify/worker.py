"""The process that sends: it alone loads Apprise, and it may hang or die.

Reads one JSON object a line: ``id``, ``url``, and either ``check`` or ``title``, ``body`` and
``kind``. Answers each with a line: ``id``, ``ok``, ``said``. Each is sent in a thread of its own.
The address comes in by the pipe, so that no list of processes shows it, and never goes out again.
Ends when its input does.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from itertools import islice
from typing import Any, Final

import apprise

from subscriber_cli.notify.targets import Secrets

_MOST_REASONS: Final = 5
_UNKNOWN: Final = "no address that Apprise knows; its pages list what it does know"


def main() -> None:
    """Answers until there is nothing more to read."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever a plug-in prints must not stand between the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lock = threading.Lock()

    def answer(**words: Any) -> None:
        with lock:
            answers.write(json.dumps(words) + "\n")
            answers.flush()

    # What it logs holds addresses; of a failure it tells in its result.
    logger = logging.getLogger("apprise")
    logger.handlers[:], logger.propagate = [logging.NullHandler()], False
    logger.setLevel(logging.WARNING)

    def serve(request: dict[str, Any]) -> None:
        try:
            ok, said = _perform(request)
        except Exception as error:  # noqa: BLE001  # of a plug-in: it is told, and tried again
            ok, said = False, type(error).__name__
        answer(id=request["id"], ok=ok, said="" if ok else Secrets([request["url"]]).hide(said))

    for line in sys.stdin:
        threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()


def _perform(request: dict[str, Any]) -> tuple[bool, str]:
    asset = apprise.AppriseAsset(app_id="fanwhy", app_desc="fanwhy", async_mode=False)
    server = apprise.Apprise.instantiate(request["url"], asset=asset)
    if not isinstance(server, apprise.NotifyBase):
        return False, _UNKNOWN
    if request.get("check"):
        return True, ""
    # What is too long for a service goes in parts.
    server.overflow_mode = apprise.OverflowMode.SPLIT
    sender = apprise.Apprise(asset=asset)
    sender.add(server)
    done = sender.notify(
        title=request["title"],
        body=request["body"],
        notify_type=request["kind"],
        body_format=apprise.NotifyFormat.TEXT,
    )
    if done:  # whatever else could be asked about it, it was taken
        return True, ""
    return False, "; ".join(entry.message for entry in islice(done.logs(), _MOST_REASONS))


if __name__ == "__main__":
    main()
