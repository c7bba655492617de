"""What stands between fanwhy and docker's socket: one question, and names for an answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from publisher.sources.containers import Container, Runtimes, ask
from publisher.sources.docker_names import names_of, serve
from publisher.sources.files import KernelFiles

_ID = "4f9c2d0e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d"
_FACTS = {
    "Name": "/shop-db-1",
    "Path": "postgres",
    "Config": {
        "Image": "postgres:16",
        "Env": ["POSTGRES_PASSWORD=hunter2"],
        "Labels": {
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": "db",
            "token": "hunter2",
        },
    },
}


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[str]:
    """A path on which names are told that a docker tells."""
    docker, path = tmp_path / "docker.sock", tmp_path / "names.sock"
    with socket.socket(socket.AF_UNIX) as behind, socket.socket(socket.AF_UNIX) as before:
        for each, where in ((behind, docker), (before, path)):
            each.bind(str(where))
            each.listen()
        threading.Thread(target=_be_docker, args=(behind,), daemon=True).start()
        threading.Thread(target=_stand_in, args=(before, str(docker)), daemon=True).start()
        yield str(path)


def _stand_in(listening: socket.socket, docker: str) -> None:
    with suppress(OSError):  # until it is closed
        serve(listening, docker)


def _be_docker(listening: socket.socket) -> None:
    while True:
        try:
            client = listening.accept()[0]
        except OSError:
            return
        with client:
            known = f"/containers/{_ID}/json " in client.recv(4096).decode()
            body = json.dumps(_FACTS) if known else '{"message": "no such container"}'
            client.sendall(f"HTTP/1.0 {200 if known else 404} X\r\n\r\n{body}".encode())


def _said(path: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(question)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_a_container_is_called_as_docker_would_have_it_called(
    stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{stand_in}")
    runtimes = Runtimes(KernelFiles(tmp_path))

    assert runtimes.container("docker", _ID) == Container("shop-db", "postgres:16", "shop-db-1")
    assert runtimes.failure is None


def test_nothing_but_names_comes_through(stand_in: str) -> None:
    told = _said(stand_in, f"GET /containers/{_ID}/json HTTP/1.1\r\n\r\n".encode())

    assert b"hunter2" not in told
    assert json.loads(told.partition(b"\r\n\r\n")[2]) == names_of(_FACTS)
    assert ask(stand_in, f"/containers/{'0' * 64}/json") is None


@pytest.mark.parametrize(
    "question",
    [
        b"GET /info HTTP/1.0\r\n\r\n",
        b"GET /containers/json HTTP/1.0\r\n\r\n",
        f"POST /containers/{_ID}/json HTTP/1.0\r\n\r\n".encode(),
        f"DELETE /containers/{_ID} HTTP/1.0\r\n\r\n".encode(),
        f"GET /containers/{_ID}/json?size=1 HTTP/1.0\r\n\r\n".encode(),
        f"GET /containers/{_ID}/logs HTTP/1.0\r\n\r\n".encode(),
        f"GET /v1.41/containers/{_ID}/json HTTP/1.0\r\n\r\n".encode(),
        b"\xff\xfe\n",
    ],
)
def test_every_other_question_is_refused(stand_in: str, question: bytes) -> None:
    assert _said(stand_in, question).startswith(b"HTTP/1.0 403 ")


@pytest.mark.parametrize("facts", [None, [], {}, {"Config": 3}, "x"])
def test_an_answer_of_another_shape_names_nothing(facts: Any) -> None:
    assert names_of(facts) is None


@pytest.mark.parametrize(("inside", "remedy"), [(False, "CAP_DAC_READ_SEARCH"), (True, '"names"')])
def test_what_keeps_names_from_us_is_told_with_what_helps_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool, remedy: str
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("publisher.sources.containers.in_engine", lambda: inside)
    runtimes = Runtimes(KernelFiles(tmp_path))

    assert runtimes.container("docker", _ID) is None
    assert runtimes.failure is not None
    assert "docker tells no names" in str(runtimes.failure)
    assert remedy in runtimes.failure.remedy


def test_dockers_socket_is_found_below_a_root_whose_var_run_is_an_absolute_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    with socket.socket(socket.AF_UNIX) as docker:
        docker.bind(str(tmp_path / "run/docker.sock"))
        docker.listen()
        threading.Thread(target=_be_docker, args=(docker,), daemon=True).start()
        found = Runtimes(KernelFiles(tmp_path)).container("docker", _ID)

    assert found == Container("shop-db", "postgres:16", "shop-db-1")
