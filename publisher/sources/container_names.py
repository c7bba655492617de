"""What people would call a container, from the name and labels that its runtime gave it.

Left out is what only tells one copy from another: the numbers that compose counts with, the hashes
of a Deployment's pods, task and allocation ids of Swarm, ECS and Nomad. A name that docker or
podman made up says nothing, and so goes behind the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # what Kubernetes makes random words of
_REPLICA = re.compile(rf"-(?:[{_SAFE}]{{6,10}}|\d{{7,10}})-[{_SAFE}]{{5}}$")
_RANDOM_END = re.compile(rf"-(?=[a-z]*\d)[{_SAFE}]{{5}}$")
_ANY_END = re.compile(rf"-[{_SAFE}]{{5}}$")
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KUBERNETES = re.compile(r"k8s_([^_]+)_([^_]+)_[^_]+_[^_]+_\d+")
_ECS = re.compile(r"ecs-(.+)-\d+-(.+)-[0-9a-f]{16,}")
_NOMAD = re.compile(rf"(.+)-{_UUID}")
_SWARM = re.compile(r"(.+)\.(?:\d+|[a-z0-9]{25})\.[a-z0-9]{25}")
_REPLACED = re.compile(r"[0-9a-f]{12}_(.+)")  # while compose makes another one

_SWARM_SERVICE = "com.docker.swarm.service.name"
_NOMAD_TASK = "com.hashicorp.nomad.task_name"
_COMPOSE_SERVICE = "com.docker.compose.service"
_COMPOSE_PROJECT = "com.docker.compose.project"
LABELS = (_SWARM_SERVICE, _NOMAD_TASK, _COMPOSE_SERVICE, _COMPOSE_PROJECT)
"""The labels that say what a container is called."""

_ADJECTIVE_NAMES = """
    admiring adoring affectionate agitated amazing angry awesome backstabbing beautiful berserk
    blissful bold boring brave busy charming clever cocky compassionate competent condescending
    confident cool cranky crazy dazzling desperate determined distracted dreamy drunk eager ecstatic
    elastic elated elegant eloquent epic evil exciting fervent festive flamboyant focused friendly
    frosty funny furious gallant gifted gigantic gloomy goofy gracious grave great happy hardcore
    heuristic hopeful hungry infallible insane inspiring intelligent interesting jolly jovial keen
    kickass kind laughing lonely loving lucid mad magical modest musing mystifying naughty nervous
    nice nifty nostalgic objective optimistic peaceful pedantic pensive practical priceless prickly
    quirky quizzical recursing relaxed reverent romantic sad serene sharp sick silly sleepy stoic
    strange stupefied suspicious sweet tender thirsty tiny trusting unruffled upbeat vibrant
    vigilant vigorous wizardly wonderful xenodochial youthful zealous zen
"""
_ADJECTIVES = frozenset(_ADJECTIVE_NAMES.split())
"""First words of the names that docker and podman make up (``tender_bose``)."""


def plain_name(name: str, labels: Mapping[str, object], *, image: str = "") -> str:
    """The name for people; empty where it was made up and the image says more."""
    swarm = str(labels.get(_SWARM_SERVICE) or "")
    task = str(labels.get(_NOMAD_TASK) or "")
    if swarm or task:
        return swarm or task
    if match := _KUBERNETES.fullmatch(name):
        return of_pod(match[2], match[1])
    if match := _ECS.fullmatch(name):
        family, container = match.groups()
        return container if family in container else f"{family}/{container}"
    for pattern in (_NOMAD, _SWARM, _REPLACED):
        if match := pattern.fullmatch(name):
            name = match[1]
    name = _REPLICA.sub("", name)
    service = str(labels.get(_COMPOSE_SERVICE) or "")
    project = str(labels.get(_COMPOSE_PROJECT) or "")
    if (
        service
        and project
        and re.fullmatch(rf"{re.escape(project)}[-_]{re.escape(service)}[-_](\d+|run[-_]\w+)", name)
    ):
        return service if service.startswith(project) else f"{project}-{service}"
    adjective, _, surname = name.partition("_")
    made_up = adjective in _ADJECTIVES and re.fullmatch(r"[a-z]+\d?", surname)
    return "" if made_up and image else name


def of_pod(pod: str, container: str) -> str:
    """The name of a container of Kubernetes: that of its Deployment, and its own if it differs."""
    owner = _REPLICA.sub("", pod)
    if owner == pod:
        owner = _RANDOM_END.sub("", pod)
    if _ANY_END.sub("", owner) == container:
        owner = container
    if not owner or not container or container == "POD" or container in owner:
        return owner or container
    return f"{owner}/{container}"
