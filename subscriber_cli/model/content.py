"""What one message says, as one of a few things that can be shown."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from publisher.contract import topics
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.event import EventMessage
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.info import identity
from subscriber_cli.model.row import Cell, Row

_LONGEST_NAME = 128  # characters in which a field's topic is looked for


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The topic holds nothing any more."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The topics that a catalogue describes."""

    leaves: tuple[str, ...]


Content = Withdrawn | OnlineStatus | Explanation | EventMessage | Contents | Row


def content_of(message: Received, catalogue: Catalogue) -> Content:
    """What a message says, by the newest catalogue of its host."""
    leaf, content = message.leaf, message.content
    if content is None:
        return Withdrawn()
    if isinstance(content, OnlineStatus):
        return content
    if leaf == topics.EXPLANATION:
        return Explanation.read(content, catalogue)
    if leaf == topics.CATALOGUE:
        return Contents(tuple(catalogue.topics))
    if leaf == topics.EVENT and (event := EventMessage.read(content)).message:
        return event
    row = catalogue.row(leaf, content)
    if leaf == topics.INFO:
        return identity(row)
    if leaf == topics.OVERVIEW:
        return replace(row, cells=tuple(_titled(cell, catalogue.topics) for cell in row.cells))
    return row


def _titled(cell: Cell, leaves: Container[str]) -> Cell:
    """A field of the overview, whose title names the topic that it was taken from."""
    column = cell.column
    parts = column.name[:_LONGEST_NAME].split("_")
    beginnings = ("_".join(parts[:count]) for count in range(1, len(parts)))
    leaf = next((leaf for leaf in beginnings if leaf in leaves), "")
    if not leaf:
        return cell
    return replace(cell, column=replace(column, title=f"{leaf} {column.title.lower()}"))
