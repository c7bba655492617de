"""``fanwhy-sub metrics``: every number of every machine for Prometheus."""

from __future__ import annotations

import signal

from subscriber_cli.arguments import Broker, Config, Prefix, load_settings
from subscriber_cli.service import aside, stopping


def metrics(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> None:
    """Answers Prometheus with every number of every machine, where [metrics] says so."""
    from subscriber_cli.metrics.exporter import Exporter  # noqa: PLC0415  # its HTTP server

    exporter = Exporter(load_settings(broker, prefix, config), aside)
    with stopping(exporter.stop, "answering Prometheus") as stopped:
        exporter.run()
    if signal.SIGINT in stopped:
        raise KeyboardInterrupt
