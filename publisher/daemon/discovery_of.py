"""What Home Assistant is shown of this machine, by its settings."""

from __future__ import annotations

from dataclasses import replace

from publisher import __version__
from publisher.contract import topics
from publisher.contract.metric import Reading
from publisher.contract.readings import ExplanationReading, InfoReading, SelfReading
from publisher.daemon.settings import Settings
from publisher.homeassistant.discovery import Discovery, Host
from publisher.subsystems import SUBSYSTEMS

# Retained states outlive a few heartbeats, no more: a dead host must also show by age.
_EXPIRY_HEARTBEATS = 3


def discovery_of(settings: Settings, identity: InfoReading) -> tuple[Host, Discovery]:
    """What Home Assistant is shown of this machine."""
    identity = replace(identity, fanwhy_version=__version__)
    host = Host(settings.host, identity.machine_id or settings.host, identity)
    contents: dict[str, type[Reading]] = {
        cls.name: cls.reading for cls in SUBSYSTEMS if cls.name not in settings.senses.disabled
    }
    contents |= {
        topics.EXPLANATION: ExplanationReading,
        topics.INFO: InfoReading,
        topics.SELF: SelfReading,
    }
    return host, Discovery(
        host,
        settings.topics,
        contents,
        settings.homeassistant,
        expire_seconds=lambda leaf: expiry_seconds(settings, leaf),
    )


def expiry_seconds(settings: Settings, leaf: str) -> int:
    """The age in seconds at which the broker and Home Assistant forget a state."""
    publishing = settings.publishing
    heartbeat = publishing.heartbeats.get(leaf, publishing.heartbeat_seconds)
    return round(_EXPIRY_HEARTBEATS * heartbeat)
