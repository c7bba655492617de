"""What a machine's owner may decide about Home Assistant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from publisher.config.setting import setting
from publisher.contract.printable import printable

FORMS = ("one", "via_device", "child_devices")
_PAGE = re.compile(r"https?://[^\s/?#\x00-\x1f]+[^\s\x00-\x1f]*")
_PLAIN_TOPIC = re.compile(r"[^+#\x00-\x1f]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """What Home Assistant is told."""

    enabled: bool = setting(
        True, "Announce this machine to Home Assistant; false withdraws what was announced."
    )
    discovery_prefix: str = setting(
        "homeassistant", "First level of discovery topics, as set in Home Assistant."
    )
    status_topic: str = setting(
        "homeassistant/status", "Where Home Assistant says that it has started."
    )
    picture: bool = setting(
        True,
        "Send a picture of the last 24 hours, at most every 15 minutes; it is sent where enabled "
        "is false, too.",
    )
    page: str = setting(
        "", "Where the device's page links to: http:// or https:// and on; empty without a link."
    )
    update_topic: str = setting(
        "",
        "A topic on which something of yours tells fanwhy's newest version, retained: there is an "
        "update entity then. fanwhy itself asks nobody.",
        example="fanwhy/newest",
    )
    devices: str = setting(
        "one",
        "One device for the whole machine, or disks, GPUs and network cards as devices of their "
        "own below it: via_device, or child_devices for Home Assistant 2026.11 and newer.",
        options=FORMS,
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        """What Home Assistant would refuse, and the whole device with it: setting and reason."""
        if self.page and not _PAGE.fullmatch(self.page):
            yield "page", f"no address of a page: {printable(self.page)}; http://nas:8080/ is one"
        if self.update_topic and not _PLAIN_TOPIC.fullmatch(self.update_topic):
            yield "update_topic", "a topic without wildcards is wanted, such as fanwhy/newest"
