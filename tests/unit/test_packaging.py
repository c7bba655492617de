"""What stores of other systems want of us, as far as their pages say it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from publisher import __version__

_PACKAGING = Path(__file__).parents[2] / "packaging"
# developers.home-assistant.io, "App configuration": what is required, and what else we use.
_REQUIRED = {"name", "slug", "version", "description", "arch"}
_KNOWN = _REQUIRED | {
    "url", "stage", "startup", "boot", "init", "host_pid", "host_network", "docker_api",
    "privileged", "services", "options", "schema",
}  # fmt: skip
# wiki.unraid.net, "DockerTemplateSchema", and the attributes that its own forms write.
_ELEMENTS = {
    "Name", "Repository", "Registry", "Network", "Shell", "Privileged", "Support", "Project",
    "Overview", "Category", "TemplateURL", "ExtraParams", "Config",
}  # fmt: skip
_ATTRIBUTES = {
    "Name", "Target", "Default", "Mode", "Description", "Type", "Display", "Required", "Mask",
}  # fmt: skip


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (_PACKAGING / "homeassistant/fanwhy/config.yaml").read_text()
    )
    return found


def test_the_app_of_home_assistant_is_as_its_pages_have_it(app: dict[str, Any]) -> None:
    assert _REQUIRED <= app.keys() <= _KNOWN
    assert app["version"] == __version__
    assert set(app["arch"]) <= {"aarch64", "amd64"}
    assert app["startup"] in {"initialize", "system", "services", "application", "once"}
    assert app["services"] == ["mqtt:want"]
    assert set(app["options"]) <= set(app["schema"])
    assert "full_access" not in app
    folder = _PACKAGING / "homeassistant"
    for name in ("repository.yaml", "fanwhy/Dockerfile", "fanwhy/DOCS.md", "fanwhy/run"):
        assert (folder / name).exists()


def test_the_app_says_what_it_lacks_where_the_supervisor_does_not_answer(tmp_path: Path) -> None:
    """It starts fanwhy with what its options say, which go before the Supervisor's word."""
    (tmp_path / "options.json").write_text(
        '{"broker": "mqtt://nas", "password": "x", "prefix": null}'
    )
    program = tmp_path / "fanwhy-pub"
    program.write_text('#!/bin/sh\necho "$1 $FANWHY_BROKER $FANWHY_BROKER__PASSWORD"\n')
    program.chmod(0o755)
    script = (_PACKAGING / "homeassistant/fanwhy/run").read_text()
    done = subprocess.run(
        [sys.executable, "-c", script.replace("/data/", f"{tmp_path}/")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "run mqtt://nas x\n"


def test_the_template_of_unraid_is_as_its_schema_has_it() -> None:
    root = ET.parse(_PACKAGING / "unraid/fanwhy.xml").getroot()
    settings = {one.attrib["Target"]: one for one in root.iter("Config")}

    assert (root.tag, root.attrib) == ("Container", {"version": "2"})
    assert {one.tag for one in root} == _ELEMENTS
    assert all(one.attrib.keys() == _ATTRIBUTES for one in settings.values())
    assert {one.attrib["Type"] for one in settings.values()} == {"Path", "Variable"}
    assert settings["/host"].attrib["Mode"] == "ro,slave"
    assert settings["FANWHY_BROKER__PASSWORD"].attrib["Mask"] == "true"
    assert root.findtext("Privileged") == "false"
    assert "--cap-drop=ALL" in str(root.findtext("ExtraParams"))
