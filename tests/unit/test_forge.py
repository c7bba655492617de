"""The files for the forge can be read, and what they call is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from publisher.cli import COMMANDS

_ROOT = Path(__file__).resolve().parents[2]
_FORGE = _ROOT / ".github"
_WORKFLOWS = sorted((_FORGE / "workflows").glob("*.yml"))
_TEMPLATES = sorted((_FORGE / "ISSUE_TEMPLATE").glob("*.yml"))
_MAKE = re.compile(r"\bmake ((?:[a-z][a-z-]* ?)+)")
_COMMAND = re.compile(r"`fanwhy-pub ([a-z]+)[^`]*`")
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def _targets() -> set[str]:
    heads = re.findall(r"^([a-z][a-z -]*):(?!=)", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for head in heads for name in head.split()}


def _steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def _made(text: str) -> set[str]:
    return {name for names in _MAKE.findall(text) for name in names.split()}


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.name)
def test_workflows_make_what_can_be_made(path: Path) -> None:
    steps = [step["run"] for step in _steps(_load(path)) if "run" in step]

    assert all(_made(step) for step in steps)
    assert set().union(*map(_made, steps)) <= _targets()


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_only_read_and_use_pinned_actions(path: Path) -> None:
    workflow = _load(path)
    used = [step["uses"] for step in _steps(workflow) if "uses" in step]

    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    assert [action for action in used if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []


def test_every_python_that_is_promised_is_tested() -> None:
    unit = _load(_FORGE / "workflows" / "tests.yml")["jobs"]["unit"]
    promised = re.findall(r":: (3\.\d+)'", str(_PROJECT["project"]["classifiers"]))

    assert unit["strategy"]["matrix"]["python"] == promised


def test_pages_make_what_can_be_made() -> None:
    pages = [_ROOT / "CONTRIBUTING.md", _ROOT / "README.md", _FORGE / "pull_request_template.md"]
    quoted = [
        line
        for page in pages
        for line in re.findall(r"`(make [^`]+)`|^\$ (make [^#\n]+)", page.read_text(), re.MULTILINE)
    ]
    named = set().union(*(_made("".join(pair)) for pair in quoted))

    assert {"fix", "package", "unit"} <= named <= _targets()


def test_hooks_call_the_projects_own_tools() -> None:
    hooks = [
        (repository["repo"], hook["language"], hook["entry"].split()[0])
        for repository in _load(_ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in repository["hooks"]
    ]
    tools = {"ruff", "mypy", "lint-imports", "python"}

    assert {(repo, language) for repo, language, _ in hooks} == {("local", "system")}
    assert {program for *_, program in hooks} == {f".venv/bin/{tool}" for tool in tools}


@pytest.mark.parametrize("path", _TEMPLATES, ids=lambda path: path.name)
def test_issue_templates_ask_for_what_there_is(path: Path) -> None:
    template = _load(path)
    if path.name == "config.yml":
        assert all(link["url"].startswith("https://") for link in template["contact_links"])
        return
    identities = [field["id"] for field in template["body"]]

    assert template["name"]
    assert template["description"]
    assert len(set(identities)) == len(identities)
    assert set(_COMMAND.findall(path.read_text())) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("template", "commands"),
    [("bug", {"doctor", "capture"}), ("wrong_culprit", {"why", "top"}), ("hardware", {"capture"})],
)
def test_issue_templates_ask_for_what_helps(template: str, commands: set[str]) -> None:
    text = (_FORGE / "ISSUE_TEMPLATE" / f"{template}.yml").read_text()

    assert commands <= set(_COMMAND.findall(text))


def test_the_lock_pins_what_the_groups_name_and_no_place() -> None:
    lock = (_ROOT / "requirements-dev.lock").read_text()
    groups = _PROJECT["dependency-groups"]
    wanted = {
        re.split(r"[^\w.-]", item)[0]
        for group in ("lint", "test")
        for item in [*groups[group], *_PROJECT["project"]["dependencies"]]
    }

    assert wanted <= set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert not re.search(r"://|^-", lock, re.MULTILINE)
