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
        (box("a", "entry", "castopod/app:1"), "media", 0.6),
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


@pytest.mark.parametrize("name", ["app", "main", "web-server", "webhook"])
def test_a_container_that_is_called_like_any_goes_by_its_image(book: RuleBook, name: str) -> None:
    answer = asked(book, **box(name, "entry", "frobco/frobnicator:1"))
    assert (answer.category, answer.label) == ("unknown", "frobnicator")
    known = asked(book, **box(name, "exporter", "frobco/frob_exporter:1"))
    assert known.told == "Metrics exporter (frob_exporter)"
    part = asked(book, **box(name, "entry", "frobco/server:1"))
    assert part.label == name


def test_what_serves_in_a_container_of_another_name_is_less_sure(book: RuleBook) -> None:
    assert asked(book, **box("frob", "nginx")).confidence == 0.8
    assert asked(book, **box("frob", "php-fpm")).confidence == 0.8
    assert asked(book, **box("nginx", "nginx")).confidence >= 0.9


def test_a_bridge_between_two_products_is_neither(book: RuleBook) -> None:
    assert asked(book, **box("smtp_to_telegram", "entry")).category != "desktop"


def test_a_script_works_for_the_program_that_the_group_is_called_after(book: RuleBook) -> None:
    clues = {"program": "bash", "worker_script": "tc-frob.sh", "interpreter": "bash"}
    found = asked(book, label="netdata", **clues, ancestors=("netdata",))
    assert (found.category, found.confidence) == ("monitoring", 0.8)


def test_a_short_folder_is_nobodys_in_particular(book: RuleBook) -> None:
    clues = {"program": "python3", "script": "pod/run", "interpreter": "python3"}
    assert asked(book, label="pod", **clues).category == "unknown"
