"""What was told to begin and not to end, on disk: a daemon that is killed leaves nothing open.

``kill -9``, a power cut, a crash: whoever counts on the end of what began (a light, an automation,
a bill) would wait for ever. So the next start tells it, with ``unwatched``: nobody has seen it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.readings import EventReading, HostState
from publisher.errors import MALFORMED

log = logging.getLogger(__name__)

_FILE: Final = "open.json"
_VERSION: Final = 1
_MOST: Final = 256
_LONGEST: Final = 1000
_ENDS: Final = {"cause_began": "cause_ended", "alert_raised": "alert_cleared"}
_KEPT: Final = (
    "id", "event", "message", "alert", "category", "label", "resource", "began",
)  # fmt: skip


class Unfinished:
    """What is open now, and what an earlier run left open.

    Args:
        folder: where it is kept; ``None`` keeps nothing.
    """

    def __init__(self, folder: str | None) -> None:
        self._path = Path(folder, _FILE) if folder else None
        # Several of one key: two that read alike and began together, as all do at the start.
        self._open: dict[str, list[dict[str, Any]]] = {}
        self._state_id = ""
        self._saved = ""
        self._left, self._left_state = self._load()
        self._state = self._left_state  # until another is told
        self._failed = False

    def left(self) -> list[EventReading]:
        """The ends of what an earlier run has left open; they are told once."""
        events = [_end(began) for began in self._left]
        self._left = []
        return events

    def expect(self, events: Iterable[EventReading]) -> None:
        """Keeps what begins with events that are about to be told.

        Before anybody hears of them: who is killed right after he has told it ends it, too.
        """
        begun = list(self._all)
        state, state_id = self._state, self._state_id
        for event in events:
            if event.event in _ENDS and len(begun) < _MOST:
                begun.append(_kept(event))
            elif event.event == "state_changed" and event.state != HostState.QUIET:
                state, state_id = event.state, str(event.id)
        if len(begun) > len(self._all) or state_id != self._state_id:
            self._save(begun, state, state_id)

    def note(self, events: Iterable[EventReading]) -> None:
        """Takes events into account that were told and are kept until they arrive."""
        changed = False
        for event in events:
            key = _key(event)
            if event.event in _ENDS and len(self._all) < _MOST:
                # An alert that is raised again, for it is worse by now, is cleared once.
                self._open[key] = [*([] if event.alert else self._open.get(key, [])), _kept(event)]
                changed = True
            elif event.event in _ENDS.values():
                self._close(key)
                changed = True
            if event.event == "state_changed":
                self._state, self._state_id = event.state, str(event.id)
                self._left_state, changed = None, True
        if changed:
            self._save(self._all, self._state, self._state_id)

    @property
    def _all(self) -> list[dict[str, Any]]:
        return [began for alike in self._open.values() for began in alike]

    def _close(self, key: str) -> None:
        """Forgets what began first of those that have the key."""
        alike = self._open.get(key)
        if alike:
            del alike[0]
        if not alike:
            self._open.pop(key, None)

    def state_now(self, state: str | None) -> list[EventReading]:
        """That the machine is quiet again, where an earlier run has left it in another state.

        Args:
            state: as of the first verdict; where it is not quiet that is told anyway.
        """
        before, self._left_state = self._left_state, None
        if before in (None, state) or state != HostState.QUIET:
            return []
        found = EventReading(
            id=f"{self._state_id}-end",
            event="state_changed",
            message="The machine is quiet",
            state=state,
            previous_state=before,
            unwatched=True,
        )
        return [found]

    def _load(self) -> tuple[list[dict[str, Any]], str | None]:
        if self._path is None:
            return [], None
        try:
            kept = load_json(self._path)
            if kept["version"] != _VERSION:
                return [], None
            state = kept["state"]
            known = state if state in list(HostState) else None
            self._state_id = str(kept["state_id"])[:_LONGEST]
            left = [began for began in kept["open"][:_MOST] if _is_sound(began)]
        except (OSError, *MALFORMED):
            return [], None  # none was left, or a crash has spoilt it
        return left, known

    def _save(self, begun: list[dict[str, Any]], state: str | None, state_id: str) -> None:
        if self._path is None:
            return
        body = {"version": _VERSION, "state": state, "state_id": state_id, "open": begun}
        content = json.dumps(body, separators=(",", ":"))
        if content == self._saved:
            return
        try:
            save(self._path, content)
        except OSError as error:
            if not self._failed:
                words = "%s: what is open cannot be kept for the next start: %s"
                log.warning(words, self._path, error.strerror)
            self._failed = True
        else:
            self._saved = content
            self._failed = False


def _kept(event: EventReading) -> dict[str, Any]:
    facts = {name: getattr(event, name) for name in _KEPT}
    return {name: fact for name, fact in facts.items() if fact is not None}


def _key(event: EventReading) -> str:
    """What the beginning and the end of one thing have in common."""
    if event.alert:
        return f"alert {event.alert} {event.label or ''}"
    return f"cause {event.resource} {event.label} {event.began}"


def _is_sound(began: Any) -> bool:
    """Whether it is an event that was written here."""
    words = [began[name] for name in _KEPT if name in began]
    return began["event"] in _ENDS and all(
        isinstance(word, str) and len(word) <= _LONGEST for word in words
    )


def _end(began: dict[str, Any]) -> EventReading:
    told = EventReading(**{name: began[name] for name in _KEPT if name in began})
    message = str(told.message).removesuffix(" began")
    words = f"No longer watched: {message}" if told.alert else f"{message}: no longer watched"
    return replace(
        told,
        # Of the event that it ends: a start that is killed, too, tells nothing twice.
        id=f"{told.id}-end",
        event=_ENDS[str(told.event)],
        message=words,
        severity="info" if told.alert else None,
        state=HostState.QUIET,
        causes=(),
        unwatched=True,
    )
