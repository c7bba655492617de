"""What a machine's owner may decide about attribution."""

from __future__ import annotations

from dataclasses import dataclass

from publisher.config.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """How hard fanwhy tries to name who used the machine."""

    attribution: str = setting(
        "auto",
        "How CPU time of processes that die at once, their parents already gone, is traced. "
        "light: from counters alone. auto: fork events of the kernel while counters leave more "
        "than 5 % open, where permitted. exact: fork events always, where permitted.",
        options=("light", "auto", "exact"),
    )
    publish_arguments: bool = setting(
        False,
        "Show the words after the command in labels. Off, since arguments may hold secrets; "
        "even then options are shown by name alone, and words only of programs that take none.",
    )
    publish_clients: bool = setting(
        False,
        "Name the machines for which a file server works by their addresses. Off, since these may "
        "tell who is at home; they are counted even then.",
    )
    services: bool = setting(
        False,
        "Publish containers and the largest systemd units one by one, on the topic services; Home "
        "Assistant then has entities of each, disabled until you enable them.",
    )
    programs_file: str | None = setting(
        None,
        "A TOML file with wrappers, interpreters, shells and other programs of your own through "
        "which names are found; it is laid over what fanwhy knows. `fanwhy-pub classify PID` shows "
        "what comes of it.",
        example="/etc/fanwhy/programs.toml",
    )
