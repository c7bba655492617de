"""``fanwhy-sub serve``: runs in one process what is enabled in the configuration."""

from __future__ import annotations

import signal
import threading
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from publisher.errors import ConfigError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings_apart
from subscriber_cli.service import aside, stopping
from subscriber_cli.terminal_settings import TerminalSettings

_LEAVING_SECONDS: Final = 10.0
_WAKE_SECONDS: Final = 60.0


class Part(Protocol):
    """Something that runs until it is stopped, by any thread."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


def serve(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> None:
    """Runs in one process what the configuration enables: record, notify, metrics, web."""
    settings = load_settings_apart(broker, prefix, config)
    parts = _enabled(settings)
    if not parts:
        raise ConfigError(
            "nothing to serve; set enabled = true in [record], [notify], [metrics] or [web]"
        )
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def stop() -> None:
        for part in parts:
            part.stop()

    def run(part: Part) -> None:
        try:
            part.run()
        except BaseException as error:  # noqa: BLE001  # raised in the main thread
            ended.put(error)
        else:
            ended.put(None)

    threads = [threading.Thread(target=run, args=(part,), daemon=True) for part in parts]
    with stopping(stop, _doing(settings)) as stopped:
        for thread in threads:
            thread.start()
        failure = _first(ended)
        stop()
        for thread in threads:
            thread.join(_LEAVING_SECONDS)
    if failure is not None:
        raise failure
    if signal.SIGINT in stopped:
        raise KeyboardInterrupt


def _first(ended: SimpleQueue[BaseException | None]) -> BaseException | None:
    """Waits until one part ends; awake now and then, so that signals are looked at."""
    while True:
        try:
            return ended.get(timeout=_WAKE_SECONDS)
        except Empty:
            continue


def _doing(settings: TerminalSettings) -> str:
    """What is enabled, in words."""
    parts = {
        "recording": settings.record.enabled,
        "sending messages": settings.notify.enabled,
        "answering Prometheus": settings.metrics.enabled,
        "showing the page": settings.web.enabled,
    }
    return ", ".join(words for words, enabled in parts.items() if enabled)


def _enabled(settings: TerminalSettings) -> list[Part]:
    """What is to run; loaded only where it is."""
    parts: list[Part] = []
    if settings.record.enabled:
        from subscriber_cli.record import Recording  # noqa: PLC0415

        parts.append(Recording(settings))
    if settings.notify.enabled:
        from subscriber_cli.notify.notifier import Notifier  # noqa: PLC0415

        parts.append(Notifier(settings, aside))
    if settings.metrics.enabled:
        from subscriber_cli.metrics.exporter import Exporter  # noqa: PLC0415

        parts.append(Exporter(settings, aside))
    if settings.web.enabled:
        from subscriber_cli.web.command import server_of  # noqa: PLC0415

        parts.append(server_of(settings))
    return parts
