"""What waits for one target, put into as few messages as it fits in.

A service takes 4 kB or so. What began and is over in the meantime is told as one; what there is no
room for goes into the next message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from publisher.contract.when import clock
from subscriber_cli.notify.incidents import Told
from subscriber_cli.notify.store import Waiting

_LONGEST: Final = 3500  # bytes of a body; ntfy and Telegram take 4,096
_LONGEST_ENTRY: Final = 400  # characters of one of several
_MANY: Final = 10  # from which on the title of each has to do
_MOST_IDS: Final = 500


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message.

    Attributes:
        ids: what is told by it.
        kind: as Apprise has it: ``info``, ``success``, ``warning`` or ``failure``.
    """

    ids: tuple[int, ...]
    title: str
    body: str
    kind: str


def parcel(waiting: Sequence[Waiting], now: float, *, dropped: int = 0) -> Parcel:
    """The next message, of what waits longest.

    Args:
        waiting: one thing at least, the earliest first.
        now: seconds since the epoch.
        dropped: how many things were given up before these.
    """
    told = _merged(waiting)
    note = f"{dropped} earlier ones are left out." if dropped else ""
    if len(told) == 1:
        item, ids = told[0]
        return Parcel(ids, item.title, "\n".join(filter(None, (item.body, note))), _kind([item]))
    lines = [note] if note else []
    taken: list[int] = []
    found: list[Waiting] = []
    brief = len(told) > _MANY
    room = _LONGEST - len(note.encode())
    for item, ids in told:
        line = _entry(item, now, brief=brief)
        room -= len(line.encode()) + 1
        if found and (room < 0 or len(taken) + len(ids) > _MOST_IDS):
            break
        lines.append(line)
        taken += ids
        found.append(item)
    left = len(told) - len(found)
    count = f"{len(found)} of {len(told)}" if left else f"{len(found)}"
    title = f"fanwhy: {count} things"
    return Parcel(tuple(taken), title, "\n".join(lines), _kind(found))


def _merged(waiting: Sequence[Waiting]) -> list[tuple[Waiting, tuple[int, ...]]]:
    """What is to be told, with the ids of all that is told by it.

    An end that waits tells of the beginning, too.
    """
    began: dict[str, list[int]] = {}
    found: dict[int, tuple[Waiting, tuple[int, ...]]] = {}
    for item in waiting:
        ids = [item.id]
        if item.incident and item.kind == Told.RAISED:
            began.setdefault(item.incident, []).append(item.id)
        elif item.incident and item.kind == Told.OVER:
            for earlier in began.pop(item.incident, []):
                del found[earlier]
                ids.append(earlier)
        found[item.id] = item, tuple(ids)
    return list(found.values())


def _entry(item: Waiting, now: float, *, brief: bool) -> str:
    """One of several, on a few lines; on one where there are many."""
    text = f"• {clock(item.at, now)} {item.title}"
    body = item.body.replace("\n", "\n  ")
    whole = f"{text}\n  {body}" if body and not brief else text
    longest = _LONGEST if item.kind == "news" else _LONGEST_ENTRY
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"


def _kind(items: Iterable[Waiting]) -> str:
    kinds = {("failure" if item.urgent else item.kind) for item in items}
    if "failure" in kinds:
        return "failure"
    if Told.RAISED in kinds:
        return "warning"
    return "success" if kinds == {Told.OVER} else "info"
