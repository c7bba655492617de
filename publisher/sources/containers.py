"""Names and images of containers, from what their runtimes leave on disk or tell on a socket.

docker keeps ``config.v2.json`` per container and answers on its socket, or whoever stands in for it
where ``DOCKER_HOST`` says; podman and CRI-O their storage's list of
containers, containerd the OCI bundle's ``config.json`` with the annotations of Kubernetes or
nerdctl; all of it is for root to read. Anybody may read what LXC says of a container, and in the
names of the kubelet's logs. Proxmox VE keeps its guests' names in a file system of its cluster,
which stands still while that has lost its quorum. Without all of it a guest is known by its id.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.bounded import Bounded, HangingError
from publisher.sources.container_names import of_pod, plain_name
from publisher.sources.files import KernelFiles
from publisher.sources.local_time import below
from publisher.sources.remedies import in_engine

_TIMEOUT = 0.5  # seconds that a runtime's daemon may take for its whole answer
_SLOW = 0.2  # seconds: one that takes so long has other things to do,
_PAUSE = 10.0  # and is not asked again for so long
_LIMIT = 4 << 20
_STORAGES = ("/var/lib/containers/storage", "/run/containers/storage")
_STATES = (  # of containerd: alone, and as k3s, MicroK8s and k0s bring their own
    "/run/containerd",
    "/run/k3s/containerd",
    "/var/snap/microk8s/common/run/containerd",
    "/run/k0s/containerd",
)
_DOCKER_FOLDERS = ("/var/lib/docker", "/var/snap/docker/common/var-lib-docker")
_NAMESPACES = ("k8s.io", "default", "moby")
_LOGS = "/var/log/containers"
_HOSTNAME = re.compile(r"^lxc\.(?:uts\.name|utsname)\s*=\s*(\S+)", re.MULTILINE)
_LXC_MONITOR = re.compile(r"\[lxc monitor\] \S*/(?:lxd|incus)/")
_CLUSTER_SECONDS = 0.2  # that Proxmox' file system may take; it answers in much less, or not
_CLUSTER_SLOW = 0.05


class Container(NamedTuple):
    """What people call a container; the image without registry, digest and ``latest``.

    Attributes:
        called: by what its runtime knows it, where that is another name.
    """

    name: str
    image: str
    called: str = ""


def named(name: str, labels: Mapping[str, object], image: str) -> Container:
    """A container by the name, the labels and the image that its runtime tells."""
    plain, short = plain_name(name, labels, image=image), short_image(image)
    return Container(plain, short, "" if plain == name else name)


class Runtimes:
    """The container runtimes of a machine.

    Args:
        clock: monotonic seconds.

    Attributes:
        failure: why docker told no name when it was last asked for one.
    """

    failure: SourceError | None = None

    def __init__(self, files: KernelFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._pause_until = float("-inf")
        self._cluster_from = float("-inf")
        self._cluster = Bounded("cluster", "/etc/pve", _CLUSTER_SECONDS, clock)

    def container(self, runtime: str, identity: str) -> Container | None:
        """What is known of one container; ``None`` where this user may not know."""
        files = self._files
        if runtime in ("lxc", "qemu") and re.fullmatch(r"\d{1,9}", identity):
            return self._numbered(runtime, identity)
        if not re.fullmatch(r"[0-9a-f]{32,64}", identity):
            return None
        return self._with_id(runtime, identity) or _logged(files, identity)

    def _with_id(self, runtime: str, identity: str) -> Container | None:
        files = self._files
        if runtime == "docker":
            for folder in _DOCKER_FOLDERS:
                facts = _json(files, f"{folder}/containers/{identity}/config.v2.json")
                if found := _docker(facts):
                    self.failure = None
                    return found
            return _docker(self._ask(f"/containers/{identity}/json"))
        if runtime in ("podman", "cri-o"):
            return _storage(files, identity) or _bundle(files, identity)
        return _bundle(files, identity)

    def _numbered(self, runtime: str, number: str) -> Container | None:
        """A guest of Proxmox VE: a container's host name, a virtual machine's name."""
        name = ""
        if runtime == "lxc":
            told = _HOSTNAME.search(self._files.hint(f"/var/lib/lxc/{number}/config"))
            name = told[1] if told else ""
        if not name:
            folder, key = ("lxc", "hostname") if runtime == "lxc" else ("qemu-server", "name")
            # What a snapshot was called then stands further down.
            now = self._of_cluster(f"/etc/pve/{folder}/{number}.conf").partition("\n[")[0]
            found = re.search(rf"^{key}:[ \t]*(\S+)", now, re.MULTILINE)
            name = found[1] if found else ""
        return Container(name, "") if name else None

    def _of_cluster(self, path: str) -> str:
        """A file of Proxmox' cluster; one that is slow or mute keeps us waiting once."""
        began = self._clock()
        if began < self._cluster_from:
            return ""
        try:
            return self._cluster.run(lambda: self._files.text(path, keep=False))
        except HangingError:
            self._cluster_from = began + _PAUSE
        except SourceError:
            pass
        finally:
            self._cluster.close()
            if self._clock() - began >= _CLUSTER_SLOW:
                self._cluster_from = began + _PAUSE
        return ""

    def _ask(self, resource: str) -> Any:
        """What docker's daemon answers; one that is slow or mute keeps us waiting once."""
        began = self._clock()
        if began < self._pause_until:
            return None
        path = self._docker_socket()
        try:
            answer = ask(path, resource)
        except TimeoutError:
            self._pause_until = began + _PAUSE
            return None
        except (OSError, ValueError, RecursionError) as error:
            self.failure = _untold(path, error)
            return None
        self.failure = None
        if self._clock() - began >= _SLOW:
            self._pause_until = began + _PAUSE
        return answer

    def _docker_socket(self) -> str:
        """Where docker answers: ``unix://`` of ``DOCKER_HOST``, else its own place on the machine.

        On the machine ``/var/run`` is a link; where its root is moved, it must not lead out of it.
        """
        told = os.environ.get("DOCKER_HOST", "") if self._files.live else ""
        if told.startswith("unix:///"):
            return told.removeprefix("unix://")
        return below(self._files.root, "/var/run/docker.sock")


def _untold(path: str, error: Exception) -> SourceError:
    if in_engine():
        remedy = 'take the service "names" of docker-compose.yml along, and DOCKER_HOST with it'
    else:
        remedy = (
            "let fanwhy's user read /var/lib/docker (AmbientCapabilities=CAP_DAC_READ_SEARCH), or "
            "put it into the group docker, whose members may do everything on this machine"
        )
    if isinstance(error, PermissionError):
        return DeniedError("docker tells this user no names", path=path, remedy=remedy)
    reason = error.strerror if isinstance(error, OSError) else "what it says is no JSON"
    return AbsentError(f"docker tells no names: {reason}", path=path, remedy=remedy)


def _docker(facts: Any) -> Container | None:
    if not isinstance(facts, dict):
        return None
    config = facts.get("Config")
    config = config if isinstance(config, dict) else {}
    labels = config.get("Labels")
    name = str(facts.get("Name", "")).lstrip("/")
    return named(name, labels if isinstance(labels, dict) else {}, str(config.get("Image", "")))


def _storage(files: KernelFiles, identity: str) -> Container | None:
    for storage in _STORAGES:
        for name in ("containers.json", "volatile-containers.json"):
            listed = _json(files, f"{storage}/overlay-containers/{name}")
            for item in listed if isinstance(listed, list) else ():
                if isinstance(item, dict) and item.get("id") == identity:
                    return _stored(item)
    return None


def _stored(item: dict[str, Any]) -> Container:
    names = item.get("names")
    image = ""
    try:
        facts = json.loads(item.get("metadata") or "{}")
        image = facts.get("image-name", "") if isinstance(facts, dict) else ""
    except (TypeError, ValueError, RecursionError):
        pass
    name = str(names[0]) if isinstance(names, list) and names else ""
    return named(name, {}, str(image))


def _bundle(files: KernelFiles, identity: str) -> Container | None:
    paths = [
        f"{state}/io.containerd.runtime.v2.task/{namespace}/{identity}/config.json"
        for state in _STATES
        for namespace in _NAMESPACES
    ]
    paths += [f"{storage}/overlay-containers/{identity}/userdata/config.json"
              for storage in _STORAGES]  # fmt: skip
    for path in paths:
        facts = _json(files, path)
        notes = facts.get("annotations") if isinstance(facts, dict) else None
        if isinstance(notes, dict):
            return _annotated(notes)
    return None


def _logged(files: KernelFiles, identity: str) -> Container | None:
    """By its log, ``<pod>_<namespace>_<container>-<id>.log``, which the kubelet links to."""
    try:
        logs = files.names(_LOGS)
    except SourceError:
        return None
    for log in logs:
        if log.endswith(f"-{identity}.log") and log.count("_") == 2:
            pod, _, container = log.removesuffix(f"-{identity}.log").split("_")
            return Container(of_pod(pod, container), "")
    return None


def monitored(words: Sequence[str], identity: str) -> Container | None:
    """What the command line of a container's monitor says of it.

    conmon is podman's and CRI-O's. LXC's is no more than a title; that of LXD or Incus puts the
    project in front of the name, in which there can be no underscore.

    Args:
        words: its command line, which anybody may read.
        identity: the container's id or name.
    """
    if _LXC_MONITOR.match(" ".join(words)):
        return Container(identity.rpartition("_")[2], "", identity)
    said = dict(pairwise(words))
    name = said.get("-n", "") if said.get("-c") == identity else ""
    return named(name, {}, "") if name else None


def _annotated(notes: dict[str, Any]) -> Container:
    def first(*keys: str) -> str:
        return next((str(notes[key]) for key in keys if notes.get(key)), "")

    name = first("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name")
    pod = first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
    image = first(
        "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "nerdctl/image-name"
    )
    nerdctl = not pod and notes.get("nerdctl/name")
    plain = plain_name(name, {}, image=image) if nerdctl else of_pod(pod, name)
    return Container(plain, short_image(image))


def short_image(image: str) -> str:
    """``docker.io/library/nginx:latest@sha256:…`` → ``nginx``."""
    name = image.partition("@")[0].removeprefix("sha256:")
    host, slash, rest = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        name = rest
    return name.removeprefix("library/").removesuffix(":latest")


def _json(files: KernelFiles, path: str) -> Any:
    try:
        return json.loads(files.read(path, keep=False))
    except (SourceError, ValueError, RecursionError):
        return None


def ask(path: str, resource: str) -> Any:
    """One request to a runtime's socket, in the HTTP that closes after its answer.

    Raises:
        TimeoutError: the whole answer was not there in time.
        OSError: nobody listens, or we may not ask.
        ValueError: the answer is no JSON.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no such sockets")
    deadline = time.monotonic() + _TIMEOUT
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT)
        connection.connect(path)
        connection.sendall(f"GET {resource} HTTP/1.0\r\nHost: runtime\r\n\r\n".encode())
        answer = bytearray()
        while len(answer) < _LIMIT:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            chunk = connection.recv(1 << 16)
            if not chunk:
                break
            answer += chunk
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    return json.loads(body) if b" 200 " in head.split(b"\r\n", 1)[0] else None
