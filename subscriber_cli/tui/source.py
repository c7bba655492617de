"""Where the screen takes the broker's messages from, and how it hears that some are there."""

from __future__ import annotations

from typing import Any, Protocol


class Source(Protocol):
    """What ``client.Stream`` is to the screen."""

    def get(self, timeout: float | None = None) -> Any:
        """The next item; ``None`` when there is none."""

    def command(self, prefix: str, word: str) -> None:
        """Asks a host for something."""
