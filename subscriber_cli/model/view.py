"""What the screen is about: the hosts, what happened on them, and how the broker is."""

from __future__ import annotations

from dataclasses import dataclass, field

from subscriber_cli.model.fleet import Fleet
from subscriber_cli.model.journal import Journal

_NOTICE_SECONDS = 10.0


@dataclass(slots=True)
class View:
    """The state of the screen, whatever its size.

    Attributes:
        place: the broker, for people.
        connected: whether messages can come now.
        trouble: why they cannot.
        retry_at: when the next attempt begins, in seconds since the epoch.
        notice: the last thing worth a line, until ``notice_until``.
    """

    place: str
    fleet: Fleet = field(default_factory=Fleet)
    journal: Journal = field(default_factory=Journal)
    connected: bool = False
    trouble: str = ""
    retry_at: float = 0.0
    notice: str = ""
    notice_until: float = 0.0

    def connect(self) -> None:
        """The connection stands."""
        self.connected, self.trouble = True, ""

    def disconnect(self, trouble: str, retry_at: float) -> None:
        """The broker cannot be reached until ``retry_at`` at least."""
        self.connected, self.trouble, self.retry_at = False, trouble, retry_at

    def notify(self, text: str, now: float) -> None:
        """Shows a line for a while."""
        self.notice, self.notice_until = text, now + _NOTICE_SECONDS
