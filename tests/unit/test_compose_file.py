"""The compose file: as locked as it says. What it does in an engine: ``tests/containers``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_OURS = {"broker", "names", "publisher", "recorder", "notifier", "web"}
_OTHERS = {"homeassistant", "nodered"}  # whose makers say what they need


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_nothing_has_a_right_that_it_does_not_need(services: dict[str, Any]) -> None:
    assert set(services) == _OURS | _OTHERS
    for service in services.values():
        assert not {"privileged", "cap_add", "devices"} & set(service)
    for name in _OURS:
        service = services[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["start_interval"]


def test_the_host_is_there_to_be_read_and_docker_for_one_alone(services: dict[str, Any]) -> None:
    mounts = {name: service.get("volumes", []) for name, service in services.items()}

    assert "/:/host:ro,rslave" in mounts["publisher"], "and what is mounted there later"
    assert {name for name, found in mounts.items() if "docker.sock" in str(found)} == {"names"}
    assert services["names"]["network_mode"] == "none"
    for name in _OURS:
        binds = [mount for mount in mounts[name] if mount.startswith(("/", "."))]
        assert all("ro" in mount.rpartition(":")[2].split(",") for mount in binds)


def test_only_tls_is_offered_to_the_network_and_that_when_asked(services: dict[str, Any]) -> None:
    assert services["broker"]["ports"] == [
        "127.0.0.1:1883:1883",
        "${FANWHY_TLS_PORT:-127.0.0.1:8883}:8883",
    ]


def test_no_password_stands_in_it(services: dict[str, Any]) -> None:
    for service in services.values():
        variables = service.get("environment", {})
        assert "FANWHY_BROKER__PASSWORD" not in variables
        assert "password" not in variables.get("FANWHY_BROKER", "")
    assert services["publisher"]["secrets"] == ["fanwhy-password"]


def test_the_image_holds_what_it_copies() -> None:
    ignored = (_ROOT / ".dockerignore").read_text().splitlines()
    for line in (_ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            sources = [word for word in line.split()[1:-1] if not word.startswith("--")]
            assert sources
            for source in sources:
                assert f"!{source}" in ignored
                assert (_ROOT / source).exists()
