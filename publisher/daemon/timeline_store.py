"""The timeline in the state folder: for the next run, and for commands beside the daemon."""

from __future__ import annotations

import json
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.daemon.timeline import (
    MEMORY_SECONDS,
    MOST,
    AlertSpan,
    Gap,
    Span,
    StateSpan,
    Timeline,
)
from publisher.errors import MALFORMED

log = logging.getLogger(__name__)

_FILE: Final = "day.json"
_VERSION: Final = 2
_LARGEST: Final = 1 << 20
_LATEST: Final = 2.0e11  # in the year 8307
_KINDS: Final = {"spans": Span, "states": StateSpan, "alerts": AlertSpan, "gaps": Gap}
_FIELDS: Final = {kind: tuple(each.name for each in fields(kind)) for kind in _KINDS.values()}


def keep(timeline: Timeline, state_dir: str | None) -> None:
    """Writes it down; where that cannot be, says so once and goes on."""
    if state_dir is None:
        return
    body: dict[str, Any] = {
        "version": _VERSION,
        "looked": timeline.looked,
        "forgotten": timeline.forgotten,
        "points": timeline.points.dump(),
        "fine": timeline.fine.dump(),
    }
    for name in _KINDS:
        body[name] = [_plain(entry) for entry in getattr(timeline, name)]
    path = Path(state_dir, _FILE)
    try:
        save(path, json.dumps(body, separators=(",", ":")))
    except OSError as error:
        if not timeline.unkept:
            log.warning("%s: the last two days cannot be kept: %s", path, error.strerror)
        timeline.unkept = True
    else:
        timeline.unkept = False


def recall(state_dir: str | None) -> Timeline:
    """What was kept; an empty timeline where there is nothing that can be read."""
    timeline = Timeline()
    if state_dir is None:
        return timeline
    try:
        kept = load_json(Path(state_dir, _FILE), most=_LARGEST)
        if kept["version"] != _VERSION:
            return timeline
        _fill(timeline, kept)
    except (OSError, *MALFORMED):
        return Timeline()  # none was kept, or a crash has spoilt it
    return timeline


def _fill(timeline: Timeline, kept: dict[str, Any]) -> None:
    looked = kept["looked"]
    if looked is not None and not _is_number(looked):
        raise TypeError("looked")
    timeline.looked = looked
    timeline.forgotten = int(kept["forgotten"])
    timeline.points.load(kept["points"][-round(MEMORY_SECONDS / timeline.points.step) :])
    timeline.fine.load(kept["fine"][-round(MEMORY_SECONDS / timeline.points.step) :])
    for name, kind in _KINDS.items():
        entries = [_sound(kind(**entry)) for entry in kept[name][-MOST:]]
        getattr(timeline, name).extend(entries)


def _plain(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _FIELDS[type(entry)]}


def _sound(entry: Any) -> Any:
    """An entry whose fields are of the types that it was written with.

    Raises:
        TypeError: they are not.
    """
    for name, value in _plain(entry).items():
        if name in ("began", "ended", "blamed"):
            sound = _is_number(value)
        elif name in ("share", "energy"):
            sound = value is None or _is_number(value)
        elif name in ("lasting", "unwatched"):
            sound = isinstance(value, bool)
        else:
            sound = isinstance(value, str)
        if not sound:
            raise TypeError(name)
    return entry


def _is_number(value: Any) -> bool:
    """Whether it is one that a date can be made of."""
    return isinstance(value, int | float) and 0 <= value < _LATEST
