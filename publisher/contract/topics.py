"""Every topic that fanwhy uses, built and taken apart in one place.

The prefix is ``host`` unless configured; ``{hostname}`` in it is replaced, so that several
machines can share a broker as ``host/{hostname}``. The last level names the topic's content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from publisher.errors import ConfigError

STATUS = "status"
CATALOGUE = "catalogue"
INFO = "info"
OVERVIEW = "overview"
EXPLANATION = "explanation"
EVENT = "event"
SELF = "self"
COMMAND = "command"
PICTURE = "picture"

ALL = (STATUS, CATALOGUE, INFO, OVERVIEW, EXPLANATION, EVENT, SELF, COMMAND)

ONLINE = b"online"
OFFLINE = b"offline"

DEFAULT_PREFIX = "host"
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one host under a resolved prefix such as ``host`` or ``host/nas``."""

    prefix: str

    @classmethod
    def for_host(cls, template: str, hostname: str) -> Topics:
        """Resolves ``{hostname}`` in a prefix template.

        Raises:
            ConfigError: the prefix is empty, has empty levels, or holds characters that MQTT
                reserves (``+``, ``#``, NUL; MQTT 5 section 4.7) or that we do (a leading ``$``).
        """
        prefix = template.replace("{hostname}", _UNSAFE.sub("-", hostname) or "unnamed")
        if not prefix or "" in prefix.split("/"):
            raise ConfigError(
                f"prefix {template!r}: every level between slashes needs a name, such as 'host'"
            )
        if re.search(r"[+#\x00{}]", prefix) or prefix.startswith("$"):
            raise ConfigError(
                f"prefix {template!r}: may not hold + # {{ }} or start with $; "
                "only {hostname} is replaced"
            )
        return cls(prefix)

    def of(self, leaf: str) -> str:
        """The full topic of a leaf such as ``cpu``."""
        return f"{self.prefix}/{leaf}"

    def leaf(self, topic: str) -> str | None:
        """The leaf of a topic of this host, ``None`` for any other topic."""
        head, _, leaf = topic.rpartition("/")
        return leaf if head == self.prefix else None


def split(topic: str) -> tuple[str, str]:
    """A topic of any host as (prefix, leaf)."""
    prefix, _, leaf = topic.rpartition("/")
    return prefix, leaf


def subscription(template: str) -> str:
    """The filter that receives every host that publishes under a prefix template."""
    before, found, _ = template.partition("{hostname}")
    # Whole levels only: of "rack-{hostname}" nothing is the same for every host.
    literal = before.rpartition("/")[0] if found else before
    return f"{literal}/#" if literal else "#"
