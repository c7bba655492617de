"""A walk over everything that can be set."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from publisher.cli.loading import load_settings
from publisher.config.load import load
from publisher.config.template import first_paragraph, render, section_class, toml
from publisher.config.walk import Declared, declared
from publisher.daemon.settings import Settings

_ALL = list(declared(Settings))


@pytest.mark.parametrize("item", _ALL, ids=lambda item: item.key)
def test_every_setting_is_explained(item: Declared) -> None:
    description = item.setting.description
    assert description[:1].isupper() or description.startswith("`")
    assert description.endswith(".")
    assert len(description) > 15


def test_every_section_is_explained() -> None:
    sections = {item.path[0] for item in _ALL if len(item.path) > 1}
    assert len(sections) > 5
    for section in sections:
        assert first_paragraph(section_class(Settings, section)).endswith(".")


@pytest.mark.parametrize(
    "item", [item for item in _ALL if item.default is not None], ids=lambda item: item.key
)
def test_every_default_would_be_accepted(tmp_path: Path, item: Declared) -> None:
    file = tmp_path / "config.toml"
    file.write_text(render(Settings, {item.key: item.default}))
    assert load_settings(config=str(file), environment={}).settings == Settings()


@pytest.mark.parametrize(
    "item", [item for item in _ALL if item.setting.example], ids=lambda item: item.key
)
def test_every_example_would_be_accepted(tmp_path: Path, item: Declared) -> None:
    example = item.setting.example
    value = tomllib.loads(f"x = {example}")["x"] if example[:1] in "[{" else example
    file = tmp_path / "config.toml"
    file.write_text(render(Settings, {item.key: value}))
    assert load(Settings, flags={}, config=str(file), environment={}).settings != Settings()


def test_variables_are_unique() -> None:
    assert len({item.variable for item in _ALL}) == len(_ALL)


def test_the_whole_template_holds_the_defaults(tmp_path: Path) -> None:
    """Uncommenting every line that shows a default changes nothing."""
    shown = {item.key: item.default for item in _ALL if not item.setting.secret}
    file = tmp_path / "config.toml"
    file.write_text(render(Settings, {key: "" if v is None else v for key, v in shown.items()}))
    assert load_settings(config=str(file), environment={}).settings == Settings()


@pytest.mark.parametrize(
    "value",
    [True, 2.0, 0.25, 7, "plain", 'quo"te\\ \n\x1b\x7fé', ["a", "b"], {"cpu": 60}, {}, []],
)
def test_values_survive_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value


def test_a_secret_is_not_in_what_a_log_would_show() -> None:
    settings = load_settings(
        config="/dev/null", environment={"FANWHY_BROKER__PASSWORD": "hunter2"}
    ).settings
    assert settings.broker.password == "hunter2"
    assert "hunter2" not in repr(settings)
