"""How to reach the broker: one URL, credentials and TLS, the same for daemon and terminal.

``mqtt://``, ``mqtts://``, ``ws://`` and ``wss://`` with the ports that IANA and custom give
them (1883, 8883, 80, 443); a path only for websockets (``/mqtt`` by default).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from publisher.config.setting import setting
from publisher.errors import ConfigError

if TYPE_CHECKING:
    import ssl  # 4 MB of memory: loaded by those who use TLS

DEFAULT_URL = "mqtt://localhost"
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_FOREIGN = ("http", "https", "ftp", "tcp", "ssl", "tls", "amqp", "amqps", "unix", "file")
"""Schemes that people try; any other word before ``://`` may be half of a password."""
_MISSPELT = re.compile(r"(?:mqtts?|wss?):/?(?!/).*[@/]", re.IGNORECASE | re.DOTALL)
"""``mqtt:/me:secret@host``; ``mqtt:1883`` is a host of that name."""
_ESCAPES = "in a user name or password write %2F for /, %23 for #, %3F for ?, %40 for @"
_NO_HOST = "no host name; write mqtt://host or mqtts://user@host:port"
_WRONG = {
    "the port": f"the port must be a number from 1 to 65535; {_ESCAPES}",
    "the address": f"not an address such as mqtts://user@host:8883; {_ESCAPES}, "
    "and [ ] around an IPv6 address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How to reach the MQTT broker."""

    url: str | None = setting(
        None,
        "Address: mqtt://host, mqtts://user@host:8883, ws://host/mqtt or wss://host/mqtt. "
        "Unset: the broker on localhost:1883, else one of our own on loopback.",
        example="mqtt://homeassistant.local",
        variable="FANWHY_BROKER",
        may_hold_secret=True,
    )
    username: str | None = setting(None, "User name; goes before the one in the URL.")
    password: str | None = setting(None, "Password. Better kept in password_file.", secret=True)
    password_file: str | None = setting(
        None,
        "File whose first line is the password. Unset: the systemd credential "
        "'fanwhy-broker-password', where there is one.",
        example="/etc/fanwhy/broker-password",
    )
    ca_file: str | None = setting(
        None,
        "Certificate authorities to trust, in PEM. Unset: those of the system.",
        example="/etc/fanwhy/ca.crt",
    )
    certificate_file: str | None = setting(
        None, "Our own certificate in PEM, for brokers that ask for one."
    )
    key_file: str | None = setting(None, "The private key of our certificate, in PEM.")
    client_id: str | None = setting(
        None, "MQTT client id. Unset: fanwhy- and a part of the machine id."
    )
    protocol: str = setting(
        "auto",
        "MQTT version. auto: 5, and 3.1.1 with brokers that do not speak 5.",
        options=("auto", "5", "3.1.1"),
    )
    keepalive_seconds: int = setting(
        60, "Longest silence on the connection before either side checks.", minimum=5, maximum=3600
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker's address taken apart.

    Attributes:
        websocket_path: ``None`` for plain TCP.
    """

    host: str
    port: int
    tls: bool
    websocket_path: str | None
    username: str | None
    password: str | None

    def __str__(self) -> str:
        """Without credentials, for people and logs."""
        scheme = (
            ("wss" if self.tls else "ws")
            if self.websocket_path
            else ("mqtts" if self.tls else "mqtt")
        )
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{self.websocket_path or ''}"


def parse_url(url: str) -> Endpoint:
    """Takes a broker URL apart; a bare ``host`` or ``host:port`` means ``mqtt://``.

    Raises:
        ConfigError: unknown scheme, no host, a bad port, or a path without websockets. The
            message repeats nothing of the URL: any part of it may be a password in the wrong place.
    """
    if _MISSPELT.match(url):
        raise ConfigError(f"broker: {_NO_HOST}")
    try:
        parts = urlsplit(url if "://" in url else f"mqtt://{url}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        wrong = "the port" if "ort" in str(error) else "the address"
        raise ConfigError(f"broker: {_WRONG[wrong]}") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        shown = f" {scheme!r}" if scheme in _FOREIGN else ""
        raise ConfigError(f"broker: unknown scheme{shown}; use mqtt, mqtts, ws or wss")
    if port == 0:
        raise ConfigError(f"broker: {_WRONG['the port']}")
    if not host or not host.isprintable() or " " in host:
        raise ConfigError(f"broker: {_NO_HOST}")
    path = parts.path if parts.path != "/" else ""
    websocket = scheme in ("ws", "wss")
    if parts.query or parts.fragment or "@" in path or (path and ":" in path):
        raise ConfigError(f"broker: what stands behind the host is no plain path; {_ESCAPES}")
    if path and not websocket:
        raise ConfigError(f"broker: a path is only for ws:// and wss://; {_ESCAPES}")
    return Endpoint(
        host=host,
        port=port or _PORTS[scheme],
        tls=scheme in ("mqtts", "wss"),
        websocket_path=(path or "/mqtt") if websocket else None,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


CREDENTIAL = "fanwhy-broker-password"
TLS_FILES = ("ca_file", "certificate_file", "key_file")


def resolve_password(
    settings: BrokerSettings, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The password to use: the password file's, the systemd credential, the setting, the URL's.

    Raises:
        ConfigError: the file that should hold it cannot be read or holds none.
    """
    if settings.password_file:
        return _first_line("broker.password_file", Path(settings.password_file))
    credentials = environment.get("CREDENTIALS_DIRECTORY")  # man 5 systemd.exec, LoadCredential=
    if credentials and (path := Path(credentials) / CREDENTIAL).is_file():
        return _first_line("systemd credential", path)
    if settings.password:
        return settings.password
    return parse_url(settings.url).password if settings.url else None


def resolve_username(settings: BrokerSettings) -> str | None:
    """The user name to use: the setting, else the URL's."""
    if settings.username:
        return settings.username
    return parse_url(settings.url).username if settings.url else None


def readable_by_all(path: str | Path) -> bool:
    """Whether every user of this machine may read a file; false where modes mean nothing."""
    try:
        return os.name == "posix" and bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _first_line(what: str, path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{what}: {path}: not a text file in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{what}: {path}: cannot be read: {error.strerror}") from error
    line = content.split("\n", 1)[0]
    if not line:
        raise ConfigError(f"{what}: {path}: its first line should be the password; it is empty")
    return line


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """A client context that verifies the broker's certificate and name.

    Raises:
        ConfigError: a file is missing or holds something else.
    """
    for name in TLS_FILES:
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise ConfigError(f"broker.{name}: no such file: {path}")
    import ssl  # noqa: PLC0415

    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"broker: the TLS files cannot be used: {error}") from error
    return context
