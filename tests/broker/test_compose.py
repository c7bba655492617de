"""The compose file: accepted by the real docker-compose, and as locked as it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def resolved() -> str:
    done = subprocess.run(
        ["docker-compose", "-f", ROOT / "docker-compose.yml", "config"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_services_are_there_and_healthy_means_something(resolved: str) -> None:
    assert re.findall(r"^  (\w+):$", resolved, re.MULTILINE)[:2] == ["broker", "publisher"]
    assert resolved.count("healthcheck:") == 2
    assert "condition: service_healthy" in resolved


def test_nothing_is_privileged_or_writable(resolved: str) -> None:
    assert "privileged: true" not in resolved
    assert "cap_add" not in resolved
    services = resolved.count("restart: unless-stopped")
    assert services in (2, 4)  # recorder and page show where profiles are not asked for
    assert resolved.count("- ALL") == services
    assert resolved.count("read_only: true") == services
    assert resolved.count("no-new-privileges:true") == services
    mounts = re.findall(r"- (/\S*:\S+)$", resolved, re.MULTILINE)
    assert "/:/host:ro,rslave" in mounts, "the host's root, and what is mounted there later"
    assert all("ro" in mount.rpartition(":")[2].split(",") for mount in mounts)


def test_nothing_is_offered_to_the_network(resolved: str) -> None:
    offered = re.findall(r"- (\S+)/tcp$", resolved, re.MULTILINE)
    assert "127.0.0.1:1883:1883" in offered
    assert all(each.startswith("127.0.0.1:") for each in offered)


def test_no_password_stands_in_it(resolved: str) -> None:
    assert "FANWHY_BROKER__PASSWORD:" not in resolved
    assert "FANWHY_BROKER__PASSWORD_FILE: /run/secrets/fanwhy-password" in resolved


def test_the_image_holds_what_it_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert f"!{source}" in ignored
                assert (ROOT / source).exists()
