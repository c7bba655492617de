"""``fanwhy-pub service``: the daemon as a service of systemd."""

from __future__ import annotations

from publisher.service.commands import commands

app = commands("fanwhy-pub", "the daemon")
