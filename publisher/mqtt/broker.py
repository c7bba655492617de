"""How to reach the broker: one URL, credentials and TLS, the same for daemon and terminal.

``mqtt://``, ``mqtts://``, ``ws://`` and ``wss://`` with the ports that IANA and custom give
them (1883, 8883, 80, 443); a path only for websockets (``/mqtt`` by default).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from publisher.config.setting import setting
from publisher.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    import ssl  # 4 MB of memory: loaded by those who use TLS

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


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
            message never repeats the URL's password.
    """
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise ConfigError(f"broker: unknown scheme {scheme!r}; use mqtt, mqtts, ws or wss")
    try:
        port = parts.port or _PORTS[scheme]
    except ValueError:
        raise ConfigError("broker: the port must be a number from 1 to 65535") from None
    if not parts.hostname:
        raise ConfigError("broker: no host name; write mqtt://host or mqtts://user@host:port")
    websocket = scheme in ("ws", "wss")
    if parts.path not in ("", "/") and not websocket:
        raise ConfigError(f"broker: a path ({parts.path!r}) is only for ws:// and wss://")
    return Endpoint(
        host=parts.hostname,
        port=port,
        tls=scheme in ("mqtts", "wss"),
        websocket_path=(parts.path if parts.path not in ("", "/") else "/mqtt")
        if websocket
        else None,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


CREDENTIAL = "fanwhy-broker-password"


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


def tls_context(
    ca_file: str | None, certificate_file: str | None, key_file: str | None
) -> ssl.SSLContext:
    """A client context that verifies the broker's certificate and name.

    Args:
        ca_file: trusted authorities in PEM; the system's own when ``None``.
        certificate_file: our certificate in PEM, for brokers that ask for one.
        key_file: its private key; ``None`` when it stands in the certificate's file.

    Raises:
        ConfigError: a file is missing or holds something else.
    """
    for name, path in (
        ("ca_file", ca_file),
        ("certificate_file", certificate_file),
        ("key_file", key_file),
    ):
        if path and not Path(path).is_file():
            raise ConfigError(f"broker.{name}: no such file: {path}")
    import ssl  # noqa: PLC0415

    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate_file:
            context.load_cert_chain(certificate_file, key_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"broker: the TLS files cannot be used: {error}") from error
    return context


def connection_failure(endpoint: Endpoint, error: OSError) -> BrokerError:
    """The sentence for a connection that could not be made, with what mends it."""
    if type(error).__module__ == "ssl":
        return _tls_failure(endpoint, error)
    if isinstance(error, ConnectionRefusedError):
        return BrokerError(f"{endpoint}: nothing listens there; is the broker running?")
    if isinstance(error, ConnectionResetError):
        return BrokerError(f"{endpoint}: it hung up at once; does this port want TLS, or none?")
    if isinstance(error, TimeoutError):
        return BrokerError(f"{endpoint}: no answer; is the host up and the port open?")
    if isinstance(error, socket.gaierror):
        return BrokerError(f"{endpoint}: the name {endpoint.host!r} cannot be resolved")
    return BrokerError(f"{endpoint}: {error.strerror or error}")


def _tls_failure(endpoint: Endpoint, error: OSError) -> BrokerError:
    import ssl  # noqa: PLC0415  # it is loaded: the error comes from there

    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerError(
            f"{endpoint}: its certificate is not trusted ({error.verify_message}); "
            "set broker.ca_file to the authority that signed it"
        )
    reason = error.reason if isinstance(error, ssl.SSLError) else error
    return BrokerError(f"{endpoint}: no TLS there ({reason}); is this port for mqtts?")


# MQTT 5 section 3.2.2.2 (values from 128) and MQTT 3.1.1 section 3.2.2.3 (values 1 to 5).
_REFUSALS = {
    1: "it does not speak this version of MQTT",
    2: "it does not accept our client id",
    3: "its server is unavailable",
    4: "wrong user name or password",
    5: "not authorised; check user name and password",
    132: "it does not speak this version of MQTT",
    133: "it does not accept our client id",
    134: "wrong user name or password",
    135: "not authorised; check user name and password",
    136: "its server is unavailable",
    137: "it is busy",
    138: "this client is banned",
    140: "it wants another way of authentication",
    149: "it finds our message too large",
    151: "our quota is exceeded",
    154: "it keeps no retained messages",
    159: "too many connections in a short time",
}
UNSUPPORTED_VERSION = frozenset({1, 132})


def refusal(endpoint: Endpoint, reason_code: int) -> BrokerError:
    """The sentence for a CONNACK that says no."""
    words = _REFUSALS.get(reason_code, f"it refused the connection (reason code {reason_code})")
    return BrokerError(f"{endpoint}: {words}")
