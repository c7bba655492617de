"""What is checked of ``[broker]`` beside types: the address, and where its credentials come from.

Loaded by the command lines of daemon and terminal, not by the resident process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from publisher.config.layers import Layer, Layers
from publisher.config.load import Loaded, SectionChecks
from publisher.errors import ConfigError
from publisher.mqtt.broker import BrokerSettings, Endpoint, parse_url, readable_by_all


def keep_credentials_together(layers: Layers) -> Layers:
    """Credentials go together: a place with a user or a password takes no part from elsewhere.

    ``--broker mqtt://me@other`` must not send the password of the file's user to another broker,
    nor may the file's password file go before a password from the environment.
    """
    kept = list(layers)
    for index, layer in enumerate(kept):
        below = slice(index + 1, None)
        kept[below] = [_lesser(layer, other) for other in kept[below]]
    return tuple(kept)


def _lesser(layer: Layer, other: Layer) -> Layer:
    """``other`` without the credentials that those of ``layer`` take the place of."""
    endpoint = _endpoint(layer.get("broker", "url"))
    user = layer.get("broker", "username") or (endpoint.username if endpoint else None)
    password = layer.get("broker", "password") or (endpoint.password if endpoint else None)
    theirs = other.get("broker", "username")
    if user and endpoint and endpoint.username:
        other = other.without("broker", "username")
    if password or (user and theirs and user != theirs):
        other = other.without("broker", "password", "password_file")
    return other


def _address_problems(loaded: Loaded[Any]) -> Iterator[str]:
    broker: BrokerSettings = loaded.settings.broker
    if not broker.url:
        return
    try:
        parse_url(broker.url)
    except ConfigError as error:
        yield f"{loaded.where('broker.url')}: {str(error).removeprefix('broker: ')}"


def _exposed_passwords(loaded: Loaded[Any]) -> Iterator[str]:
    """Passwords that every user of this machine may read."""
    broker: BrokerSettings = loaded.settings.broker
    if broker.password_file and readable_by_all(broker.password_file):
        yield (
            f"{broker.password_file}: every user of this machine may read this password; "
            f"chmod 600 {broker.password_file}"
        )
    flag = _endpoint(loaded.layers[0].get("broker", "url"))
    if flag and flag.password:
        yield (
            f"{loaded.where('broker.url')}: every user of this machine may read the password in it "
            "(ps shows command lines); put it into broker.password_file or FANWHY_BROKER"
        )
    endpoint = _endpoint(loaded.in_file("broker.url"))
    in_file = loaded.in_file("broker.password") or (endpoint and endpoint.password)
    if loaded.path and in_file and readable_by_all(loaded.path):
        yield (
            f"{loaded.path}: every user of this machine may read the password in it; "
            f"chmod 600 {loaded.path}, or move the password to broker.password_file"
        )


def _endpoint(url: Any) -> Endpoint | None:
    """A broker's address taken apart; ``None`` where the check will refuse it."""
    try:
        return parse_url(url) if isinstance(url, str) else None
    except ConfigError:
        return None


BROKER_CHECKS = SectionChecks(
    reconcile=keep_credentials_together, problems=_address_problems, warnings=_exposed_passwords
)
