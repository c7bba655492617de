"""The image by itself: who it runs as, what it says of itself, how it begins and ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from containers.engine import SOCKET, Checkout, Engine
from servers import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

_MEGA = 1_000_000


@pytest.fixture(scope="module")
def image(checkout: Checkout) -> Any:
    """What the engine says of it."""
    checkout.run(
        "docker", "build", "--quiet", "--tag", "fanwhy", "--build-arg", "VERSION=1.2.3", "."
    )
    (found,) = json.loads(checkout.run("docker", "image", "inspect", "fanwhy"))
    return found


def _size(engine: Engine, name: str) -> int:
    return int(engine.run("docker", "image", "inspect", "--format", "{{.Size}}", name))


def test_it_is_nobodys_and_says_what_it_is(image: Any, engine: Engine) -> None:
    config = image["Config"]
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in config["Labels"].items()
    }

    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "fanwhy-pub", "health"]
    assert labels["version"] == "1.2.3"
    assert {"title", "description", "licenses", "source", "documentation", "revision"} <= set(
        labels
    )
    ours = _size(engine, "fanwhy") - _size(engine, "python:3.13-slim")
    print(f"on top of the base: {ours / _MEGA:.0f} MB")
    assert ours < 90 * _MEGA
    seen = engine.run("docker", "run", "--rm", "fanwhy", "--version")
    assert seen.startswith("fanwhy-pub ")


def test_it_holds_no_installer_and_no_compiler(image: Any, engine: Engine) -> None:
    for program in ("/opt/fanwhy/bin/pip", "/usr/bin/gcc", "/usr/bin/make"):
        looked = engine.try_to(
            "docker", "run", "--rm", "--entrypoint", "test", "fanwhy", "-e", program
        )
        assert looked.returncode == 1, program


@pytest.fixture
def wrong(image: Any, engine: Engine) -> Iterator[str]:
    """A container whose configuration cannot be used, set to be restarted for ever."""
    name = "fanwhy-wrong"
    engine.run("docker", "run", "--detach", "--name", name, "--restart", "unless-stopped",
               "--env", "FANWHY_BROKER=http://nas", "fanwhy")  # fmt: skip
    yield name
    engine.try_to("docker", "rm", "--force", name)


def test_what_is_set_up_wrongly_is_not_started_again_and_again(engine: Engine, wrong: str) -> None:
    def logs() -> str:
        done = engine.try_to("docker", "logs", wrong)
        return done.stdout + done.stderr

    wait_until(lambda: "not started again as it is" in logs(), 30)
    state = json.loads(engine.run("docker", "inspect", wrong))[0]

    assert "unknown scheme 'http'" in logs()
    assert state["RestartCount"] == 0
    assert state["State"]["Running"]
    assert engine.try_to("docker", "exec", wrong, "fanwhy-pub", "health").returncode == 1
    engine.run("docker", "stop", "--time", "20", wrong)
    assert json.loads(engine.run("docker", "inspect", wrong))[0]["State"]["ExitCode"] == 2


def test_a_question_can_be_asked_and_answered(image: Any, engine: Engine) -> None:
    """Only ``run`` has somebody in front of it: other commands have the terminal to themselves."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "fanwhy", "init", "--config", "/tmp/f.toml"],
        env=engine.environment, input="mqtt://nas.lan\n\n\n\n\n", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wrote /tmp/f.toml" in done.stdout


def test_a_container_without_the_host_says_that_it_is_one(image: Any, engine: Engine) -> None:
    told = json.loads(engine.run(
        "docker", "run", "--rm", "--memory", "200m", "--cpus", "1.5", "fanwhy", "doctor", "--json",
    ))  # fmt: skip

    assert told["machine"]["virtualization"].startswith("docker")
    processes = told["senses"]["ledger.processes"]
    assert processes["state"] == "absent"
    assert "only this container's processes are visible" in processes["reason"]
    assert "(it may use 1.5 processors and 200 MiB of memory)" in processes["reason"]


def test_the_setup_needs_no_root_where_docker_may_be_used(engine: Engine, tmp_path: Path) -> None:
    tree = Checkout(engine, tmp_path / "fanwhy")
    engine.run("chown", "-R", "1000:1000", str(tree.folder))
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    said = tree.run(
        "setpriv", "--reuid", "1000", "--regid", "1000", "--groups", str(SOCKET.stat().st_gid),
        "env", f"HOME={tmp_path}",
        "mosquitto/setup", "--tls", "nas",
    )  # fmt: skip

    owners = {
        path.relative_to(tree.folder).as_posix(): _owner(path)
        for path in (*tree.folder.glob("secrets/*"), *tree.folder.glob("mosquitto/certificates/*"),
                     tree.folder / "mosquitto/passwords", tree.folder / "mosquitto/acl.live")
    }  # fmt: skip
    assert said.count("password ") == 3
    assert owners == {
        "secrets/fanwhy-password": (10001, "0o400"),
        "secrets/reader-password": (10001, "0o400"),
        "secrets/homeassistant-password": (1000, "0o600"),
        "secrets/ca.key": (1000, "0o600"),
        "secrets/ca.srl": (1000, "0o600"),
        "mosquitto/certificates/ca.crt": (1000, "0o644"),
        "mosquitto/certificates/server.crt": (1000, "0o644"),
        "mosquitto/certificates/server.key": (1883, "0o400"),
        "mosquitto/passwords": (1883, "0o600"),
        "mosquitto/acl.live": (1883, "0o600"),
    }


def _owner(path: Path) -> tuple[int, str]:
    found = path.stat()
    return found.st_uid, oct(found.st_mode & 0o777)
