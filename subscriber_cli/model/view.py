"""What the screen is about: the hosts, which of them is shown, and how the broker is."""

from __future__ import annotations

from dataclasses import dataclass, field

from subscriber_cli.model.fleet import Fleet, KnownHost

_NOTICE_SECONDS = 10.0


@dataclass(slots=True)
class View:
    """The state of the screen, whatever its size.

    Attributes:
        place: the broker, for people.
        chosen: the prefix of the host shown in full; empty for the first.
        connected: whether messages can come now.
        trouble: why they cannot.
        retry_at: when the next attempt begins, in seconds since the epoch.
        notice: the last thing worth a line, until ``notice_until``.
    """

    place: str
    fleet: Fleet = field(default_factory=Fleet)
    chosen: str = ""
    connected: bool = False
    trouble: str = ""
    retry_at: float = 0.0
    notice: str = ""
    notice_until: float = 0.0

    @property
    def host(self) -> KnownHost | None:
        """The host shown in full."""
        hosts = list(self.fleet)
        return next(
            (host for host in hosts if host.prefix == self.chosen), hosts[0] if hosts else None
        )

    def connect(self) -> None:
        """The connection stands."""
        self.connected, self.trouble = True, ""

    def disconnect(self, trouble: str, retry_at: float) -> None:
        """The broker cannot be reached until ``retry_at`` at least."""
        self.connected, self.trouble, self.retry_at = False, trouble, retry_at

    def notify(self, text: str, now: float) -> None:
        """Shows a line for a while."""
        self.notice, self.notice_until = text, now + _NOTICE_SECONDS

    def step(self, by: int) -> None:
        """Chooses the next host, or the one before."""
        prefixes = [host.prefix for host in self.fleet]
        host = self.host
        if host is not None:
            self.chosen = prefixes[(prefixes.index(host.prefix) + by) % len(prefixes)]
