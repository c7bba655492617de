"""Names of docker's containers for one who may ask docker nothing: ``python -m … SOCKET``.

Whoever may speak to docker's socket may do everything on the machine, so fanwhy itself, which looks
at what strangers chose, had better not. This small program may, takes one question
(``GET /containers/<id>/json``), and hands on of the answer what a container is called: its name,
its image, and the labels that compose, Swarm and Nomad name it by. Nothing else of it leaves, for a
container's variables may hold passwords.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from contextlib import suppress
from typing import Any

from publisher.sources.container_names import LABELS
from publisher.sources.containers import ask

_DOCKER = "/var/run/docker.sock"
_QUESTION = re.compile(rb"GET (/containers/[0-9a-f]{64}/json) HTTP/1\.[01]\r\n")
_LONGEST = 4096  # bytes of a question
_TIMEOUT = 1.0


def serve(listening: socket.socket, docker: str = _DOCKER) -> None:
    """Answers one after the other, for ever; one that is slow or says nothing holds up little."""
    while True:
        with listening.accept()[0] as client, suppress(OSError):
            client.settimeout(_TIMEOUT)
            client.sendall(_answer(client.recv(_LONGEST), docker))


def _answer(question: bytes, docker: str) -> bytes:
    asked = _QUESTION.match(question)
    if asked is None:
        return b"HTTP/1.0 403 Forbidden\r\n\r\n"
    try:
        named = names_of(ask(docker, asked[1].decode()))
    except (OSError, ValueError, RecursionError):
        named = None
    if named is None:
        return b"HTTP/1.0 404 Not Found\r\n\r\n"
    return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(named).encode()


def names_of(facts: Any) -> dict[str, Any] | None:
    """What a container is called, of all that docker says of it; ``None`` where that is nothing."""
    config = facts.get("Config") if isinstance(facts, dict) else None
    if not isinstance(config, dict):
        return None
    labels = config.get("Labels")
    labels = labels if isinstance(labels, dict) else {}
    return {
        "Name": str(facts.get("Name", "")),
        "Config": {
            "Image": str(config.get("Image", "")),
            "Labels": {label: str(labels[label]) for label in LABELS if label in labels},
        },
    }


def main(path: str) -> None:
    """Listens at a path that any user may reach who finds it, until it is ended."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  # left by one that was killed
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        os.chmod(path, 0o666)  # noqa: PTH101, S103  # it tells names, to all in the same volume
        listening.listen(16)
        serve(listening)


if __name__ == "__main__":
    main(sys.argv[1])
