"""Which fans have ever turned: what has not may be a connector that nobody plugged a fan into.

They stand in ``fans.json`` in the state directory, written when another one turns for the first
time, so that a fan which fails while the machine is switched off is missed all the same.
"""

from __future__ import annotations

import json
from pathlib import Path

from publisher.config.state_folder import save

_FILE = "fans.json"
_MOST = 1000


class Turned:
    """The identities of fans that have turned.

    Args:
        state_dir: where they outlive a restart; ``None`` keeps them in memory only.
    """

    def __init__(self, state_dir: str | None) -> None:
        self._path = f"{state_dir}/{_FILE}" if state_dir else None
        self._known: set[str] = set(_load(self._path)) if self._path else set()

    def __contains__(self, identity: object) -> bool:
        return identity in self._known

    def add(self, identity: str) -> None:
        """Keeps one for good, if that can be; else until fanwhy ends."""
        if identity in self._known or len(self._known) >= _MOST:
            return
        self._known.add(identity)
        if self._path:
            try:
                save(Path(self._path), json.dumps({"turned": sorted(self._known)}))
            except OSError:
                self._path = None  # what else is kept there says so


def _load(path: str) -> list[str]:
    try:
        kept = json.loads(Path(path).read_text("utf-8"))["turned"]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [each for each in kept if isinstance(each, str)] if isinstance(kept, list) else []
