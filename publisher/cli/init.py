"""``fanwhy-pub init``: a handful of questions, and a configuration file with every setting."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from publisher.cli.options import Broker, Config, Prefix
from publisher.cli.writing import write_whole
from publisher.config.paths import CONFIG_VARIABLE, system_config, user_config
from publisher.config.template import render
from publisher.contract.printable import printable
from publisher.contract.topics import TopicAddresses
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.mqtt.broker import parse_url

_SHARED_PREFIX = "host/{hostname}"
_PASSWORD_FILE = "broker-password"  # noqa: S105  # the name of the file


def command(
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take the flags and the defaults.")
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Write a configuration file with every setting explained.

    Asks where the broker is, who you are to it, whether several machines share it, what this one
    is called, and whether Home Assistant is to show it. The password goes into a file of its own
    that no other user may read.

    Examples:
        fanwhy-pub init
        fanwhy-pub init --yes --broker mqtt://nas.local --prefix 'host/{hostname}'
        fanwhy-pub init --config ./fanwhy.toml --force
    """
    named = config or os.environ.get(CONFIG_VARIABLE)
    path = Path(named).absolute() if named else default_path()
    if path.exists() and not force:
        raise ConfigError(f"{path}: already there; --force replaces it")
    answers = _Answers(url=broker, prefix=prefix)
    if not yes:
        answers.ask()
    values, password = answers.settle()
    secret = path.with_name(_PASSWORD_FILE)
    if password:
        if secret.exists() and not force:
            raise ConfigError(f"{secret}: already there; --force replaces it")
        values["broker.password_file"] = secret.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(f"{path.parent}: not a folder") from None
    if password:
        write_whole(secret, f"{password}\n", mode=0o600)
        print(f"wrote {secret}, which only you may read")
    write_whole(path, render(Settings, values), mode=0o644)
    print(f"wrote {path}")
    there = f" --config {path}" if config else ""
    print(f"next: fanwhy-pub check{there}, then fanwhy-pub run{there}")


class _Answers:
    """What the user said, so far."""

    def __init__(self, *, url: str | None, prefix: str | None) -> None:
        self.url = url or ""
        self.prefix = prefix or ""
        self.username = ""
        self.password = ""
        self.hostname = ""
        self.announced = True

    def ask(self) -> None:
        """Asks for what the flags did not say.

        Raises:
            ConfigError: there is no answer.
        """
        try:
            if not self.url:
                self.url = _ask_url()
            if self.url and not parse_url(self.url).username:
                self.username = _ask("User name there, if it wants one")
            if self.username or (self.url and not parse_url(self.url).password):
                self._ask_password()
            if not self.prefix and self.url:
                answer = _ask("Will several machines publish to it? y/N")
                self.prefix = _SHARED_PREFIX if answer.lower() in ("y", "yes") else ""
            own = printable(socket.gethostname()) or "none"
            self.hostname = _ask(f"What is this machine to be called (empty: {own})")
            self.announced = _ask("Shall Home Assistant show it? Y/n").lower() not in ("n", "no")
        except EOFError:
            print()
            raise ConfigError("no answer; --yes takes the flags and the defaults") from None

    def settle(self) -> tuple[dict[str, Any], str]:
        """(settings by key, password); a password leaves the URL for a file of its own.

        Raises:
            ConfigError: a flag or an answer cannot be used.
        """
        values: dict[str, Any] = {}
        password = self.password
        if self.url:
            endpoint = parse_url(self.url)
            password = password or endpoint.password or ""
            values["broker.url"] = _without_password(self.url) if endpoint.password else self.url
        if self.username:
            values["broker.username"] = self.username
        if self.prefix:
            TopicAddresses.for_host(self.prefix, "check")
            values["prefix"] = self.prefix
        if self.hostname:
            values["hostname"] = self.hostname
        if not self.announced:
            values["homeassistant.enabled"] = False
        return values, password

    def _ask_password(self) -> None:
        user = self.username or parse_url(self.url).username
        if not user:
            return
        prompt = f"Password of {printable(user)}, if there is one: "
        self.password = getpass.getpass(prompt) if sys.stdin.isatty() else input(prompt)


def _ask(question: str) -> str:
    return input(f"{question}: ").strip()


def _ask_url() -> str:
    while True:
        url = _ask("Broker, such as mqtt://nas.local (empty: the one on this machine, or our own)")
        try:
            if url:
                parse_url(url)
        except ConfigError as error:
            if not sys.stdin.isatty():
                raise
            print(error)
            continue
        return url


def _without_password(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.split(':', 1)[0]}@{place}").geturl()


def default_path() -> Path:
    """Where the configuration of this user belongs; of root, that of the machine.

    Raises:
        ConfigError: this user has no home folder.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return system_config()
    path = user_config()
    if path is None:
        raise ConfigError("no home folder to write to; name a file with --config")
    return path
