"""The topics that the terminal treats apart, by their last level; all others are alike.

What a topic *is* stands in ``publisher.contract.topics``; here stands what the terminal makes of
it. A leaf that is named in neither is a subsystem, and shown by the catalogue.
"""

from __future__ import annotations

from publisher.contract import topics

NOT_SHOWN = frozenset(
    row.leaf
    for row in (*topics.ROWS, *topics.COMPANIONS)
    if row.received or row.content_type.startswith("image/") or row in topics.COMPANIONS
)
"""Topics below a host's prefix that hold no readings of its own: requests to it, an image, and what
companions such as this one publish there."""

STANDARD = tuple(row.leaf for row in topics.ROWS if row.leaf not in NOT_SHOWN)
"""Topics that every host may have, whatever its catalogue says."""

SUGGESTED = ("cpu", "memory", "disk", "network", "gpu", "thermal", "power", *STANDARD)
"""Names that the shell completes before a broker was asked."""

WITHOUT_PANEL = frozenset(
    {topics.EXPLANATION, topics.OVERVIEW, topics.EVENT, topics.CATALOGUE, topics.TIMELINE}
)
"""Topics with no block on the screen: shown in another place of it, or not about the work."""

LAST = (topics.INFO, topics.SELF)
"""Topics about the host and the daemon rather than its work: below all others, without a bar."""

AGELESS = frozenset(row.leaf for row in topics.ROWS if row.entities and not row.heartbeat)
"""Topics whose age is not shown, since they are not said again while nothing changes."""

ANSWERS = "reply"
"""The level below which the answers to a client's requests are published."""


def panel_order(leaves: list[str]) -> list[str]:
    """The leaves that get a block on the screen, those in ``LAST`` moved to the end."""
    shown = [leaf for leaf in leaves if leaf not in WITHOUT_PANEL]
    return sorted(shown, key=lambda leaf: LAST.index(leaf) + 1 if leaf in LAST else 0)
