"""What is known by its place: an image's maker, a pod, a product's folder; and miners by a coin."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Clues, WorkGroup


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load()


def asked(book: RuleBook, kind: str = "program", label: str = "", **clues: Any) -> Classification:
    group = WorkGroup("k", GroupKind(kind), label or clues.get("program", ""))
    return Classifier(book).classify(group, Clues(**clues))


def program(name: str, **more: Any) -> dict[str, Any]:
    return {"program": name, "members": (name,), **more}


def unit(unit: str, name: str, **more: Any) -> dict[str, Any]:
    label = unit.removesuffix(".service")
    return {"kind": "unit", "label": label, "unit": unit, **program(name, **more)}


def box(container: str, name: str, image: str = "") -> dict[str, Any]:
    place = {"container_name": container, "container_image": image}
    return {"kind": "container", "label": container, **place, **program(name)}


@pytest.mark.parametrize(
    ("clues", "category", "confidence"),
    [
        # An image called after a program, whatever kind that is; its maker's; what it is built for.
        (box("a", "entry", "linuxserver/gimp:latest"), "media", 0.9),
        (box("a", "entry", "wger/server:1"), "web", 0.8),
        (box("a", "entry", "castopod/app:1"), "web", 0.6),
        (box("a", "entry", "frobco/app:1"), "unknown", 0.3),
        (box("a", "entry", "ghcr.io/hassio-addons/node-red/amd64:17"), "smart_home", 0.95),
        (box("addon_a0d7b954_adguard", "entry"), "system", 0.9),
        # Parts of Kubernetes by their pods.
        (box("cnpg-controller-manager/manager", "entry"), "virtualization", 0.8),
        (box("redis-operator", "entry"), "virtualization", 0.8),
        (box("redis-exporter", "entry"), "monitoring", 0.9),
        (box("shop-unifi-controller-1", "entry"), "web", 0.8),
        # What a runner runs in a unit is the unit's.
        (unit("mealie.service", "npm"), "web", 0.9),
        (unit("frobco.service", "docker"), "virtualization", 0.8),
        # A virtual environment is no hiding place.
        (
            unit("tautulli.service", "python3", executable="/opt/T/.venv/bin/python3"),
            "monitoring",
            0.9,
        ),
    ],
)
def test_a_place_by_what_it_is_called_after(
    book: RuleBook, clues: dict[str, Any], category: str, confidence: float
) -> None:
    found = asked(book, **clues)
    assert (found.category, found.confidence) == (category, confidence), found


@pytest.mark.parametrize(
    ("clues", "category", "confidence"),
    [
        (program("python3", script="x.py", script_path="/opt/kometa/x.py"), "media", 0.6),
        (program("python3", script="x.py", script_path="/home/bob/kometa/x.py"), "unknown", 0.3),
        (program("python3", script="x.py", script_path="/opt/recipes/x.py"), "unknown", 0.3),
        (program("gunicorn", executable="/opt/immich/venv/bin/gunicorn"), "media", 0.8),
        (program("php", script="artisan", script_path="/var/www/akaunting/artisan"), "web", 0.8),
        (program("ruby", command="puma"), "web", 0.9),
        (program("python3", script="webcheck", interpreter="python"), "web", 0.6),
        (program("python3", script="analytics.py", interpreter="python"), "unknown", 0.3),
    ],
)
def test_a_script_by_the_folder_that_it_lies_in(
    book: RuleBook, clues: dict[str, Any], category: str, confidence: float
) -> None:
    found = asked(book, **clues)
    assert (found.category, found.confidence) == (category, confidence), found


@pytest.mark.parametrize(
    "name", ["kaspa-miner", "tari_miner", "verus-cpu-miner", "dero-miner-linux-amd64"]
)
def test_a_coin_and_that_it_is_mined(book: RuleBook, name: str) -> None:
    assert asked(book, **program(name)).category == "cryptomining"
    assert asked(book, **unit(f"{name}.service", "start.sh")).category == "cryptomining"


@pytest.mark.parametrize(
    "name", ["process-miner", "text-miner", "kaspa-miner-exporter", "coreminer-ui"]
)
def test_other_things_are_mined_too(book: RuleBook, name: str) -> None:
    assert asked(book, **program(name)).category != "cryptomining"
