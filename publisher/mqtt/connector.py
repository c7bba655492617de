"""The way into a broker, the same for daemon, commands and terminal.

``Connector.connect`` is the one place where the settings become a connection: it chooses the
version of MQTT, looks up credentials, and makes ready for TLS.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from publisher.mqtt.broker import (
    DEFAULT_URL,
    TLS_FILES,
    BrokerSettings,
    parse_url,
    resolve_password,
    resolve_username,
    tls_context,
)
from publisher.mqtt.connection import Connection, ConnectOptions, Timeouts
from publisher.mqtt.failures import HungUpError, QosError, RetainError, VersionError
from publisher.mqtt.interrupt import Interrupt
from publisher.mqtt.paho import MQTTProtocolVersion

_NEW, _OLD = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
_PATIENT = Timeouts()


class Connector:
    """Makes connections to one broker, one after the other.

    What it remembers from one to the next saves work: the TLS context, and that the broker speaks
    MQTT 3.1.1 only.

    Args:
        settings: without a URL the broker is on this machine.
        timeouts: of each connection.
        old_version_seconds: until a broker that wanted MQTT 3.1.1 is offered 5 again.

    Attributes:
        endpoint: where the broker is.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        timeouts: Timeouts = _PATIENT,
        old_version_seconds: float = 3600.0,
    ) -> None:
        self.endpoint = parse_url(settings.url or DEFAULT_URL)
        self._settings = settings
        self._timeouts = timeouts
        self._old_version_seconds = old_version_seconds
        self._old_version_since: float | None = None
        self._tls: tuple[Any, Any] | None = None

    def check(self) -> None:
        """Reads the files that the settings name, as each connection does.

        Raises:
            ConfigError: they cannot be used.
        """
        resolve_password(self._settings)
        self._tls_context()

    def connect(self, options: ConnectOptions, interrupt: Interrupt | None = None) -> Connection:
        """A connection that the broker has accepted; the caller closes it.

        With ``protocol = "auto"`` it is MQTT 5, and 3.1.1 with brokers that do not speak 5. Those
        say so or just hang up, and are asked again at once, while they are surely in the same
        state: one that hangs up because it is about to start must not pass for one that knows no
        MQTT 5, nor one whose answer the network has cut: who hangs up is asked in MQTT 5 twice.

        Args:
            options: what the client says of itself; a will that cannot be retained, or sent with
                QoS 1, goes without.
            interrupt: ends the attempt when it is stopped.

        Raises:
            BrokerError: there is no connection; the message says why.
            ConfigError: a file that the settings name cannot be used.
        """
        if self._settings.protocol != "auto":
            version = _NEW if self._settings.protocol == "5" else _OLD
            return self._open(version, options, interrupt)
        since = self._old_version_since
        if since is not None and time.monotonic() - since < self._old_version_seconds:
            return self._open(_OLD, options, interrupt)
        try:
            connection = self._open_new(options, interrupt)
        except VersionError:
            if interrupt is not None and interrupt.stopping:
                raise
            connection = self._open(_OLD, options, interrupt)
            self._old_version_since = time.monotonic()
        else:
            self._old_version_since = None
        return connection

    def _open_new(self, options: ConnectOptions, interrupt: Interrupt | None) -> Connection:
        try:
            return self._open(_NEW, options, interrupt)
        except HungUpError:
            if interrupt is not None and interrupt.stopping:
                raise
            return self._open(_NEW, options, interrupt)

    def _open(
        self, version: MQTTProtocolVersion, options: ConnectOptions, interrupt: Interrupt | None
    ) -> Connection:
        # What of our will a broker cannot do it says one by one.
        for _ in range(2):
            try:
                return self._open_once(version, options, interrupt)
            except (RetainError, QosError) as error:
                will = options.will
                if will is None:
                    raise
                lighter = (
                    replace(will.message, retain=False)
                    if isinstance(error, RetainError)
                    else replace(will.message, qos=0)
                )
                if lighter == will.message:
                    raise
                options = replace(options, will=replace(will, message=lighter))
        return self._open_once(version, options, interrupt)

    def _open_once(
        self, version: MQTTProtocolVersion, options: ConnectOptions, interrupt: Interrupt | None
    ) -> Connection:
        connection = Connection(
            self.endpoint,
            options,
            username=resolve_username(self._settings),
            password=resolve_password(self._settings),
            tls=self._tls_context(),
            version=version,
            keepalive_seconds=self._settings.keepalive_seconds,
            timeouts=self._timeouts,
            interrupt=interrupt,
        )
        try:
            connection.open()
        except BaseException:
            connection.close()
            raise
        return connection

    def _tls_context(self) -> Any:
        """Made anew only when a file has changed: reading the system's authorities is dear."""
        if not self.endpoint.tls:
            return None
        stamp = [_modified(getattr(self._settings, name)) for name in TLS_FILES]
        if self._tls is None or self._tls[0] != stamp:
            self._tls = (stamp, tls_context(self._settings))
        return self._tls[1]


def _modified(path: str | None) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns if path else None
    except OSError:
        return None
