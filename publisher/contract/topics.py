"""Every topic that fanwhy uses: one row a topic with all that holds for it, and its addresses.

Publisher, readers and reference pages take these facts from the rows. An empty payload, which
withdraws what is retained, is always sent with QoS 1.
The rows of subsystems are made from their readings, the others stand here.

The prefix is ``host`` unless configured; ``{hostname}`` in it is replaced, so that several
machines can share a broker as ``host/{hostname}``. The last level, the leaf, names the content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from publisher.contract.metric import Reading
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
TIMELINE = "timeline"
REPORT = "report"
ENERGY = "energy"
SERVICES = "services"

ONLINE = b"online"
OFFLINE = b"offline"
COMMANDS = ("refresh", "why")

DEFAULT_PREFIX = "host"
_UNSAFE = re.compile(r"[^\w.-]+")
_LONGEST_PREFIX, _LONGEST_HOST = 256, 128  # characters; the kernel's host names have 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What holds for one topic; the defaults are those of a subsystem's.

    Attributes:
        leaf: the last level of its address.
        doc: one sentence: what is on it.
        reading: what its payload holds besides the envelope; ``None`` where it is no reading.
        retained: the broker keeps the newest message for those who come later.
        qos: quality of service of what is published (MQTT 5 section 4.3).
        expires: a retained state that the broker forgets after a few heartbeats, so that a dead
            host shows by age as well.
        heartbeat: sent again after the longest silence, even if nothing has changed.
        min_interval_seconds: between two messages about numbers, where that is longer than the
            user's setting.
        content_type: MIME type of the payload.
        words: the payloads there are, where each is a plain word.
        received: the daemon listens here, and publishes nothing.
        subsystem: filled by the subsystem of that name, and emptied when that has no reading.
        entities: its values are Home Assistant's entities.
        constant: these entities are there from the start, whatever can be read yet.
    """

    leaf: str
    doc: str
    reading: type[Reading] | None = None
    retained: bool = True
    qos: int = 0
    expires: bool = True
    heartbeat: bool = True
    min_interval_seconds: float = 0.0
    content_type: str = "application/json"
    words: tuple[str, ...] = ()
    received: bool = False
    subsystem: bool = False
    entities: bool = False
    constant: bool = False


# The rows that are there whatever subsystems run; ``registry`` puts those of subsystems between.
ROWS = (
    Topic(
        leaf=EXPLANATION,
        doc="The verdict: state, sentence, causes with shares and confidence, evidence.",
        qos=1,
        min_interval_seconds=5.0,
        entities=True,
        constant=True,
    ),
    Topic(
        leaf=EVENT,
        doc="A cause began or ended, an alert was raised or cleared; none lost, none twice.",
        retained=False,
        qos=1,
        expires=False,
        heartbeat=False,
    ),
    Topic(
        leaf=OVERVIEW,
        doc="The few numbers that matter, and the sentence.",
        # It is for those who keep what they hear, in a row of a database for each change.
        min_interval_seconds=30.0,
    ),
    Topic(
        leaf=INFO,
        doc="Who this is, what it can tell, and what it cannot and why.",
        qos=1,
        expires=False,
        heartbeat=False,
        entities=True,
    ),
    Topic(
        leaf=SELF,
        doc="What fanwhy itself costs.",
        min_interval_seconds=60.0,
        entities=True,
        constant=True,
    ),
    Topic(
        leaf=ENERGY,
        doc="Energy by kind of work; where power is measured.",
        min_interval_seconds=300.0,
        entities=True,
    ),
    Topic(
        leaf=SERVICES,
        doc="Containers and the largest units, one by one; where `ledger.services` is set.",
        min_interval_seconds=30.0,
        entities=True,
    ),
    Topic(
        leaf=CATALOGUE,
        doc="The JSON Schema of every reading that this daemon publishes.",
        qos=1,
        expires=False,
        heartbeat=False,
    ),
    Topic(
        leaf=STATUS,
        doc="Whether the daemon is there; the broker says offline when it dies.",
        qos=1,
        content_type="text/plain",
        words=(ONLINE.decode(), OFFLINE.decode()),
    ),
    Topic(
        leaf=COMMAND,
        doc="Publish everything anew; or answer with the verdict on the response topic (MQTT 5).",
        retained=False,
        qos=1,
        expires=False,
        heartbeat=False,
        content_type="text/plain",
        words=COMMANDS,
        received=True,
    ),
    Topic(
        leaf=TIMELINE,
        doc="The last 48 hours: causes, states, alerts, gaps, small series; 32 kB at most.",
        qos=1,
        # What was is also asked for where the daemon is gone.
        expires=False,
        heartbeat=False,
    ),
    Topic(
        leaf=PICTURE,
        doc="The last 24 hours as a drawing (SVG).",
        expires=False,
        heartbeat=False,
        content_type="image/svg+xml",
    ),
)
_MEASURED_FROM = 3

COMPANIONS = (
    Topic(
        leaf=REPORT,
        doc="The bill of the last whole day, where `fanwhy-sub record` is told to publish it.",
        qos=1,
        expires=False,
        heartbeat=False,
    ),
)
"""What stands beside a daemon's topics and is published by a companion of it, not by itself."""


def registry(subsystems: Mapping[str, type[Reading]]) -> dict[str, Topic]:
    """All topics by leaf, with what they hold, in the order in which people read of them.

    Args:
        subsystems: their readings, by name.
    """
    # The terminal makes do with the rows: declaring all readings would take a tenth of its start.
    from publisher.contract.readings import (  # noqa: PLC0415
        EventReading,
        ExplanationReading,
        InfoReading,
        SelfReading,
        ServicesReading,
        WorkEnergyReading,
        overview_of,
    )
    from publisher.contract.timeline import TimelineReading  # noqa: PLC0415

    held: dict[str, type[Reading]] = {
        EXPLANATION: ExplanationReading,
        EVENT: EventReading,
        OVERVIEW: overview_of({**subsystems, EXPLANATION: ExplanationReading}),
        INFO: InfoReading,
        SELF: SelfReading,
        TIMELINE: TimelineReading,
        ENERGY: WorkEnergyReading,
        SERVICES: ServicesReading,
    }
    measured = (
        Topic(
            leaf=name,
            doc=(reading.__doc__ or "").partition("\n")[0],
            reading=reading,
            subsystem=True,
            entities=True,
        )
        for name, reading in subsystems.items()
    )
    rows = (*ROWS[:_MEASURED_FROM], *measured, *ROWS[_MEASURED_FROM:])
    return {
        row.leaf: replace(row, reading=held[row.leaf]) if row.leaf in held else row for row in rows
    }


def companion_topics() -> dict[str, Topic]:
    """The rows of ``COMPANIONS`` by leaf, with what they hold."""
    from publisher.contract.report import ReportReading  # noqa: PLC0415  # as above

    held: dict[str, type[Reading]] = {REPORT: ReportReading}
    return {row.leaf: replace(row, reading=held[row.leaf]) for row in COMPANIONS}


def readings_of(rows: Mapping[str, Topic]) -> dict[str, type[Reading]]:
    """What the payloads hold, by topic, of those that hold a reading."""
    return {row.leaf: row.reading for row in rows.values() if row.reading}


@dataclass(frozen=True, slots=True)
class TopicAddresses:
    """The topics of one host under a resolved prefix such as ``host`` or ``host/nas``."""

    prefix: str

    @classmethod
    def for_host(cls, template: str, hostname: str) -> TopicAddresses:
        """Resolves ``{hostname}`` in a prefix template.

        Raises:
            ConfigError: the prefix is empty, has empty levels, or holds characters that MQTT
                reserves (``+``, ``#``, NUL; MQTT 5 section 4.7) or that we do (a leading ``$``).
        """
        prefix = template.replace(
            "{hostname}", _UNSAFE.sub("-", hostname)[:_LONGEST_HOST] or "unnamed"
        )
        if not prefix or "" in prefix.split("/"):
            raise ConfigError(
                f"prefix {template!r}: every level between slashes needs a name, such as 'host'"
            )
        if re.search(r"[+#\x00{}]", prefix) or prefix.startswith("$"):
            raise ConfigError(
                f"prefix {template!r}: may not hold + # {{ }} or start with $; "
                "only {hostname} is replaced"
            )
        if len(prefix) > _LONGEST_PREFIX:
            raise ConfigError(f"prefix: longer than {_LONGEST_PREFIX} characters")
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
