"""What an archive keeps of a message besides measurements: whose it is, and what happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from publisher.contract.payload import to_json
from publisher.contract.reader import read
from publisher.contract.readings import EventReading
from subscriber_cli.model.decode import Received
from subscriber_cli.model.values import Document, moment, words

_LONGEST_NAME = 64  # characters of a host's name
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """One event, without what only a screen needs.

    Attributes:
        id: by which it is the same wherever it comes from.
        body: the fields of ``host/event``, as JSON.
    """

    id: str
    body: str
    reading: EventReading


def name_of(message: Received) -> str:
    """What the host calls itself in a message; empty where it does not, as in ``status``."""
    content = message.content
    return words(content, "host")[:_LONGEST_NAME] if isinstance(content, Mapping) else ""


def event_of(document: Document) -> ToldEvent:
    """The event in a payload of ``event``; its causes are kept elsewhere, with their times."""
    event = replace(read(EventReading, document), causes=())
    body = json.dumps(
        {key: value for key, value in to_json(event).items() if value != []},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    # Without an id of its own (no daemon of ours says so) it is the same if it says the same.
    own = (event.id or "")[:_LONGEST_ID]
    made = moment(document.get("time"))
    known_by = own or blake2b(f"{made}{body}".encode(), digest_size=12).hexdigest()
    return ToldEvent(known_by, body, event)
