"""Names and images, from what runtimes leave behind or tell on a socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from publisher.sources.containers import Container, Runtimes, short_image
from publisher.sources.files import KernelFiles

ID = "4f9c2d0e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d"


def put(root: Path, name: str, content: Any) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_docker_by_file(tmp_path: Path) -> None:
    facts = {"Name": "/web", "Config": {"Image": "docker.io/library/nginx:latest"}}
    put(tmp_path, f"var/lib/docker/containers/{ID}/config.v2.json", facts)
    assert Runtimes(KernelFiles(tmp_path)).container("docker", ID) == Container("web", "nginx")


def test_docker_by_socket(tmp_path: Path) -> None:
    (tmp_path / "var/run").mkdir(parents=True)
    body = json.dumps({"Name": "/db", "Config": {"Image": "ghcr.io/x/postgres:16@sha256:ab"}})
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "var/run/docker.sock"))
        server.listen()

        def answer() -> None:
            with server.accept()[0] as client:
                asked = client.recv(1000).decode()
                status = "200 OK" if f"/containers/{ID}/json " in asked else "404 No"
                client.sendall(f"HTTP/1.0 {status}\r\n\r\n{body}".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        found = Runtimes(KernelFiles(tmp_path)).container("docker", ID)
        thread.join()
    assert found == Container("db", "x/postgres:16")


class Mute:
    """A docker that accepts and drips a byte now and then, or says nothing at all."""

    def __init__(self, root: Path, *, drips: bool) -> None:
        (root / "var/run").mkdir(parents=True)
        self.asked = 0
        self._drips = drips
        self._ended = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(root / "var/run/docker.sock"))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            client = self._server.accept()[0]
            with client, contextlib.suppress(OSError):  # the asker has left
                if self._ended.is_set():
                    return
                self.asked += 1
                while not self._ended.wait(0.05) and (self._drips or client.recv(1000)):
                    client.send(b"x" if self._drips else b"")

    def close(self) -> None:
        self._ended.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self._server.getsockname())
        self._thread.join()
        self._server.close()


@pytest.mark.parametrize("drips", [False, True])
def test_a_docker_that_does_not_answer_is_waited_for_once(tmp_path: Path, drips: bool) -> None:
    docker = Mute(tmp_path, drips=drips)
    now = [0.0]
    runtimes = Runtimes(KernelFiles(tmp_path), lambda: now[0])
    try:
        for number in range(5):
            assert runtimes.container("docker", f"{number:064x}") is None
        assert docker.asked == 1
        now[0] += 10.0
        assert runtimes.container("docker", ID) is None
        assert docker.asked == 2
    finally:
        docker.close()


def test_podman(tmp_path: Path) -> None:
    listed = [
        {"id": "0" * 64},
        {"id": ID, "names": ["web"], "metadata": json.dumps({"image-name": "localhost/app:2"})},
    ]
    put(tmp_path, "var/lib/containers/storage/overlay-containers/containers.json", listed)
    assert Runtimes(KernelFiles(tmp_path)).container("podman", ID) == Container("web", "app:2")


def test_kubernetes(tmp_path: Path) -> None:
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.sandbox-name": "shop-7d9f",
        "io.kubernetes.cri.image-name": "registry.local:5000/shop:1.2",
    }
    path = f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"
    put(tmp_path, path, {"annotations": notes})
    assert Runtimes(KernelFiles(tmp_path)).container("containerd", ID) == Container(
        "shop-7d9f/app", "shop:1.2"
    )


@pytest.mark.parametrize("content", ["", "[]", "{", '{"Config": 3}', '"x"', "[{}]"])
def test_files_of_another_shape_tell_nothing(tmp_path: Path, content: str) -> None:
    for name in (
        f"var/lib/docker/containers/{ID}/config.v2.json",
        "var/lib/containers/storage/overlay-containers/containers.json",
        f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for runtime in ("docker", "podman", "containerd"):
        assert Runtimes(KernelFiles(tmp_path)).container(runtime, ID) in (None, Container("", ""))


def test_what_is_no_id_is_not_looked_for(tmp_path: Path) -> None:
    assert Runtimes(KernelFiles(tmp_path)).container("lxc", "../../etc") is None


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("nginx", "nginx"),
        ("library/redis:7", "redis:7"),
        ("sha256:abcdef", "abcdef"),
        ("ghcr.io/home-assistant/home-assistant:stable", "home-assistant/home-assistant:stable"),
    ],
)
def test_images_are_short(image: str, short: str) -> None:
    assert short_image(image) == short


# -- by number, and without privilege -------------------------------------------------------------


def tell(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_containers_of_proxmox_by_number(tmp_path: Path) -> None:
    tell(tmp_path, "var/lib/lxc/101/config", "lxc.arch = amd64\nlxc.uts.name = web\n")
    assert Runtimes(KernelFiles(tmp_path)).container("lxc", "101") == Container("web", "")


@pytest.mark.parametrize(
    ("runtime", "file", "content", "name"),
    [
        ("lxc", "lxc/101.conf", "arch: amd64\nhostname: web\nmemory: 512\n", "web"),
        ("qemu", "qemu-server/101.conf", "# name: no\nname: truenas\n", "truenas"),
        ("qemu", "qemu-server/101.conf", "cores: 2\n\n[before]\nname: old\n", None),
        ("qemu", "qemu-server/101.conf", "name: new\n\n[before]\nname: old\n", "new"),
    ],
)
def test_guests_of_proxmox_in_its_cluster(
    tmp_path: Path, runtime: str, file: str, content: str, name: str | None
) -> None:
    tell(tmp_path, f"etc/pve/{file}", content)
    found = Runtimes(KernelFiles(tmp_path)).container(runtime, "101")
    assert (found.name if found else None) == name


def test_a_cluster_without_quorum_is_waited_for_once(tmp_path: Path) -> None:
    (tmp_path / "etc/pve/lxc").mkdir(parents=True)
    stuck = tmp_path / "etc/pve/lxc/101.conf"
    os.mkfifo(stuck)  # opening it stands still until somebody writes
    tell(tmp_path, "etc/pve/lxc/102.conf", "hostname: mail\n")
    now = [0.0]
    runtimes = Runtimes(KernelFiles(tmp_path), lambda: now[0])
    began = time.monotonic()
    assert runtimes.container("lxc", "101") is None
    for number in range(50):
        now[0] += number
        assert runtimes.container("lxc", "102") is None, "the thread is still there"
    assert time.monotonic() - began < 5
    stuck.write_text("hostname: web\n")
    deadline = time.monotonic() + 10
    while runtimes.container("lxc", "102") is None and time.monotonic() < deadline:
        now[0] += 60
        threading.Event().wait(0.01)
    assert runtimes.container("lxc", "102") == Container("mail", "")


def test_pods_by_the_names_of_their_logs(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/containers"
    folder.mkdir(parents=True)
    (folder / f"shop-6d4cf56db6-x7k2p_prod_web-{ID}.log").symlink_to("/var/log/pods/x/0.log")
    files = KernelFiles(tmp_path)
    assert Runtimes(files).container("containerd", ID) == Container("shop/web", "")
    assert Runtimes(files).container("containerd", ID[::-1]) is None
