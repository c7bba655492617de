"""What is no part of the place that it is found in, and which program an answer is said of."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.disguises import made_up
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Clues, WorkGroup


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load()


def found(book: RuleBook, kind: str, label: str, **clues: Any) -> Classification:
    return Classifier(book).classify(WorkGroup("k", GroupKind(kind), label), Clues(**clues))


@pytest.mark.parametrize("name", ["0DJbp5eh", "aB3xQ9kz", "x7Kp2mQ9"])
def test_a_name_made_up_at_random_is_no_part_of_its_container(book: RuleBook, name: str) -> None:
    assert made_up(name)
    box = {"container_name": "db", "container_image": "postgres:16"}
    answer = found(book, "container", "db", program=name, **box)
    assert (answer.category, answer.label, answer.confidence) == ("unknown", name, 0.3)


@pytest.mark.parametrize("name", ["tvuyQCRu", "oka", "rediserver", "x64k"])
def test_what_nobody_knows_is_no_part_of_a_database(book: RuleBook, name: str) -> None:
    box = {"container_name": "shop-db-1", "container_image": "postgres:16"}
    answer = found(book, "container", "shop-db-1", program=name, **box)
    assert (answer.category, answer.label, answer.confidence) == ("unknown", name, 0.3)
    assert "nobody knows it, in the container 'shop-db-1'" in answer.reason


def test_a_hidden_name_is_no_part_of_its_container(book: RuleBook) -> None:
    box = {"container_name": "xui", "container_image": "mhsanaei/3x-ui"}
    answer = found(book, "container", "xui", program=".cccig", **box)
    assert (answer.category, answer.label) == ("unknown", ".cccig")
    wrapped = found(book, "unit", "jellyfin", program=".jellyfin-wrapped", unit="jellyfin.service")
    assert wrapped.category == "media"


def test_a_container_whose_name_was_made_up_goes_by_its_program(book: RuleBook) -> None:
    box = {"container_name": "jovial_johnson", "program": "log_rot"}
    assert found(book, "container", "jovial_johnson", **box).label == "log_rot"


@pytest.mark.parametrize(
    "clues",
    [
        {"program": "postgres"}, {"program": "pg_isready"}, {"program": "healthcheck.sh"},
        {"program": "psql"}, {"program": "sh"},
        {"program": "postgres-repack"}, {"program": "gzip"},
        {"program": "gnarl", "executable": "/usr/lib/postgresql/16/bin/gnarl"},
        {"program": "python3", "script": "gnarl.py"},
    ],
)  # fmt: skip
def test_what_belongs_to_a_database_is_a_part_of_it(book: RuleBook, clues: dict[str, Any]) -> None:
    box = {"container_name": "shop-db-1", "container_image": "postgres:16"}
    assert found(book, "container", "shop-db-1", **box, **clues).category == "database"


@pytest.mark.parametrize(
    ("clues", "category"),
    [
        ({"container_name": "nextcloud-redis", "program": "redis-server"}, "database"),
        ({"container_name": "nextcloud-aio-borgbackup", "program": "borg"}, "backup"),
        ({"unit": "snap.nextcloud.redis-server.service", "program": "redis-server"}, "database"),
        ({"container_name": "nextcloud", "program": "redis-server"}, "file_sharing"),
    ],
)
def test_a_place_called_after_its_program_is_known_by_that(
    book: RuleBook, clues: dict[str, Any], category: str
) -> None:
    kind = "container" if "container_name" in clues else "unit"
    assert found(book, kind, "frob", **clues).category == category


@pytest.mark.parametrize("name", ["seamonkey-bin", "seamonkey.real", "seamonkey-wrapped"])
def test_what_a_script_of_its_name_starts_is_the_same_program(book: RuleBook, name: str) -> None:
    assert found(book, "program", name, program=name).label == "Web browser"


@pytest.mark.parametrize(
    "name", ["Xvnc4Server", "STARlong2", "python3", "MainThread", "node18", "HTTPProbe2", "7zz"]
)
def test_a_name_of_words_is_not_made_up(name: str) -> None:
    assert not made_up(name)


def test_a_miner_by_a_word_only_where_its_script_hides(book: RuleBook) -> None:
    box = {"container_name": "files", "container_image": "filebrowser/filebrowser:2"}
    clues = {"program": "sh", "worker_script": "xmr-go.sh", "interpreter": "sh", **box}
    hidden = found(book, "container", "files", script_path="/tmp/xmr-go.sh", **clues)
    assert hidden.category == "cryptomining"
    assert hidden.confidence <= 0.6
    own = found(book, "container", "files", script_path="/app/xmr-go.sh", **clues)
    assert own.category != "cryptomining"


def test_a_script_in_a_temporary_folder_of_a_container_says_nothing(book: RuleBook) -> None:
    box = {"container_name": "tools", "container_image": "acme/tools:1"}
    clues = {"program": "node", "script": "watcher.js", "interpreter": "node", **box}
    answer = found(book, "container", "tools", script_path="/var/tmp/watcher.js", **clues)
    assert (answer.category, answer.worker) == ("unknown", "watcher.js")


def test_a_shell_that_is_given_away_is_no_shell_job(book: RuleBook) -> None:
    reason = "gives a shell to another machine"
    answer = found(book, "job", "bash", program="bash", command="bash", disguise=reason)
    assert (answer.category, answer.label) == ("unknown", "bash")
    assert reason in answer.reason


def test_a_service_that_runs_a_script_is_not_the_program_it_is_called_after(book: RuleBook) -> None:
    clues = {"unit": "discord.service", "program": "bash", "interpreter": "bash"}
    assert found(book, "unit", "discord", script="discord.sh", **clues).category == "unknown"
    assert found(book, "unit", "discord", **{**clues, "program": "discord"}).category == "desktop"


def test_a_product_goes_before_the_framework_that_works_for_it(book: RuleBook) -> None:
    clues = {"unit": "tubearchivist-celery.service", "program": "celery", "script": "celery"}
    assert found(book, "unit", "tubearchivist-celery", **clues).category == "media"


def test_a_service_manager_in_a_container_is_not_its_work(book: RuleBook) -> None:
    clues = {"container_name": "shop", "container_image": "acme/shop:1", "script": "supervisord"}
    answer = found(book, "container", "shop", program="php", worker_script="artisan", **clues)
    assert answer.category == "web"


@pytest.mark.parametrize(
    ("clues", "worker"),
    [
        ({"program": "cc1plus", "members": ("cc1plus",), "ancestors": ("cmake",)}, ""),
        ({"program": "gmx", "members": ("gmx",)}, "gmx"),
        ({"program": "uwsgi", "container_name": "w", "container_image": "sentry:9"}, "sentry"),
    ],
)
def test_which_program_it_is_said_of(book: RuleBook, clues: dict[str, Any], worker: str) -> None:
    kind = "container" if "container_name" in clues else "program"
    assert found(book, kind, "frob", **clues).worker == worker
