"""Which fans have ever turned, and which have ever changed their speed.

What has never turned may be a connector that nobody plugged a fan into, and what never changes its
speed a pump. They stand in ``fans.json`` in the state directory, written when another one does so
for the first time: a fan that fails while the machine is switched off is missed all the same.
"""

from __future__ import annotations

import json
from pathlib import Path

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.errors import MALFORMED

_FILE = "fans.json"
_MOST = 1000


class Turned:
    """The identities of fans that have turned.

    Args:
        state_dir: where they outlive a restart; ``None`` keeps them in memory only.
    """

    def __init__(self, state_dir: str | None) -> None:
        self._path = f"{state_dir}/{_FILE}" if state_dir else None
        kept = _load(self._path) if self._path else {}
        self._turned = _names(kept.get("turned"))
        self.moving = _names(kept.get("moving"))
        """Those that have changed their speed."""

    def __contains__(self, identity: object) -> bool:
        return identity in self._turned

    def add(self, identity: str, *, moves: bool) -> None:
        """Keeps one for good, if that can be; else until fanwhy ends."""
        news = identity not in self._turned or (moves and identity not in self.moving)
        if not news or len(self._turned) >= _MOST:
            return
        self._turned.add(identity)
        if moves:
            self.moving.add(identity)
        if self._path:
            content = {"turned": sorted(self._turned), "moving": sorted(self.moving)}
            try:
                save(Path(self._path), json.dumps(content))
            except OSError:
                self._path = None  # what else is kept there says so


def _load(path: str) -> dict[str, object]:
    try:
        kept = load_json(Path(path))
    except (OSError, *MALFORMED):
        return {}
    return kept if isinstance(kept, dict) else {}


def _names(kept: object) -> set[str]:
    return {each for each in kept if isinstance(each, str)} if isinstance(kept, list) else set()
