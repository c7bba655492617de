"""The file with the user's own rules, and the setting that names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from publisher.cli.init import default_path
from publisher.cli.toml_lines import EditError, with_line
from publisher.cli.writing import rewrite
from publisher.config import template
from publisher.config.documents import file_text, toml
from publisher.config.load import Loaded
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.explain.naming import rules

_NAME = "rules.toml"


@dataclass(frozen=True, slots=True)
class RulesFile:
    """Where rules of one's own are or will be.

    Attributes:
        path: of the file.
        text: what it holds; empty where it is not there yet.
        document: the same, parsed and checked.
        unnamed_in: the configuration file that does not name it yet, if any.
    """

    path: Path
    text: str
    document: dict[str, Any]
    unnamed_in: Path | None

    @classmethod
    def of(cls, loaded: Loaded[Settings]) -> RulesFile:
        """The one in force; where there is none, one beside the configuration file.

        Raises:
            ConfigError: it cannot be read, or is not a file of rules.
        """
        named = loaded.settings.explain.rules_file
        config = loaded.path or default_path()
        path = Path(named) if named else config.with_name(_NAME)
        text = _text_of(path)
        document = toml(text, str(path))
        rules.check(document, str(path))
        return cls(path, text, document, None if named else config)

    def with_rule(self, category: str, name: str, body: dict[str, Any], *, over: str = "") -> str:
        """Its text with this rule in it; everything else stays as it is.

        Args:
            category: its table.
            name: one that the file has is replaced.
            body: what the rule says.
            over: the category that it is in now, if it is there.

        Raises:
            ConfigError: the file is written in a way that only a person can change.
        """
        try:
            return with_line(self.text, category, name, body, over=over)
        except EditError:
            raise ConfigError(
                f"{self.path}: cannot be changed by a program as it is written; in [{category}] it "
                f"wants the line {name} = {template.toml(body)}"
            ) from None

    def name_it(self) -> bool:
        """Has the configuration name the file, if it does not yet; whether it does now.

        Raises:
            ConfigError: the configuration is not to be written by this user or program.
        """
        config = self.unnamed_in
        if config is None:
            return True
        try:
            text = with_line(_text_of(config), "explain", "rules_file", self.path.name)
        except EditError:
            return False
        try:
            rewrite(config, text)
        except ConfigError:
            return False
        return True


def _text_of(path: Path) -> str:
    return file_text(path, str(path)) if os.path.exists(path) else ""
