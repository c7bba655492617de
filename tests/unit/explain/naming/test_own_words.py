"""Words in people's own names, places of scripts, and what was put into somebody else's house."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.own_words import telling_word, tokens_of
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Clues, WorkGroup


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load()


def found(book: RuleBook, kind: str = "program", label: str = "", **clues: Any) -> Classification:
    name = label or clues.get("script") or clues.get("unit", "").partition(".")[0] or "frob"
    return Classifier(book).classify(WorkGroup("k", GroupKind(kind), name), Clues(**clues))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("pumpStatusReader.jar", ["pump", "status", "reader"]),
        ("HTTPProbe2.py", ["http", "probe"]),
        ("attic_lamp-3.sh", ["attic", "lamp"]),
        ("orders-0.1.0-SNAPSHOT.jar", ["orders"]),
        ("ftpServer-1.0-SNAPSHOT-all.jar", ["ftp", "server"]),
        ("zfs-snapshot.sh", ["zfs", "snapshot"]),
        ("photo-wall/index.php", ["photo", "wall"]),
    ],
)
def test_the_words_of_a_name(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("script", "category"),
    [
        ("pumpStatusReader.jar", "monitoring"),
        ("attic_lamp-3.sh", "smart_home"),
        ("mybackup.sh", "backup"),
        ("backup-check.sh", "monitoring"),
        ("backup_db.py", "backup"),
        ("sync_photos.py", "backup"),
        ("monitor_minecraft.sh", "monitoring"),
        ("pricescraper.py", "downloads"),
        ("apencoder.sh", "unknown"),
        ("make_thumbs.py", "media"),
        ("startvms.sh", "unknown"),
        ("start-vms.sh", "virtualization"),
        ("orders-0.1.0-SNAPSHOT.jar", "unknown"),
    ],
)
def test_what_a_name_of_somebodys_own_says(book: RuleBook, script: str, category: str) -> None:
    answer = found(book, program="bash", script=script, interpreter="bash")
    assert answer.category == category
    assert answer.confidence <= 0.6


def test_what_says_little_gives_way_and_leaves_the_name(book: RuleBook) -> None:
    told = telling_word(book, ["model_api.py"])
    assert told is not None
    assert not told.strong
    weak = found(book, program="python", script="my_api.py", interpreter="python")
    assert (weak.category, weak.label, weak.confidence) == ("web", "my_api.py", 0.4)
    better = telling_word(book, ["my_api.py", "nightly-backup.timer"])
    assert better is not None
    assert better.word == "backup"


def test_a_word_for_where_a_place_runs_says_nothing(book: RuleBook) -> None:
    box = {"container_name": "acme-web", "program": "frob"}
    assert found(book, "container", "acme-web", **box).category == "unknown"


@pytest.mark.parametrize(
    ("path", "category"),
    [
        ("/usr/syno/bin/frob.sh", "system"),
        ("/usr/syno/bin/photo_rotate.sh", "media"),
        ("/usr/local/emhttp/plugins/frob/frob.php", "system"),
        ("/usr/local/cpanel/scripts/frob", "web"),
        ("/var/www/shop/frob.php", "web"),
        ("/home/u/frob.php", "unknown"),
    ],
)
def test_a_script_in_a_systems_folder_is_the_systems(
    book: RuleBook, path: str, category: str
) -> None:
    script = path.rpartition("/")[2]
    clues = {"program": "php", "script": script, "interpreter": "php", "script_path": path}
    assert found(book, **clues).category == category


def test_an_interpreter_is_no_shell_job_where_its_script_is_known(book: RuleBook) -> None:
    answer = found(book, label="frobd", program="python3", worker_script="gnarl")
    assert (answer.category, answer.confidence) == ("unknown", 0.3)
    started = found(
        book, label="start.sh", program="java", script="start.sh", worker_script="gnarl.jar"
    )
    assert started.label == "gnarl.jar"


@pytest.mark.parametrize(
    ("executable", "category"),
    [
        ("/tmp/gnarl", "unknown"),
        ("/dev/shm/gnarl", "unknown"),
        ("/var/lib/mysql/gnarl", "unknown"),
        ("/usr/sbin/gnarl", "database"),
    ],
)
def test_what_was_put_into_a_container_is_not_what_that_is(
    book: RuleBook, executable: str, category: str
) -> None:
    box = {"container_name": "shop-db", "container_image": "mariadb", "program": "gnarl"}
    answer = found(book, "container", "shop-db", **box, executable=executable)
    assert answer.category == category
    if category == "unknown":
        assert answer.label == "gnarl"
        assert "shop-db" in answer.reason


@pytest.mark.parametrize(
    ("unit", "program", "executable", "category"),
    [
        ("pinger.service", "ask.sh", "/usr/bin/dash", "monitoring"),
        ("pinger.service", "pinger", "/usr/lib/squid/pinger", "web"),
        ("cargo.service", "frob", "/opt/frob/frob", "unknown"),
        ("app-flatpak-org.acme.Frob-77.scope", "frob", "/app/bin/frob", "desktop"),
    ],
)
def test_a_unit_is_not_called_after_a_helper_or_a_tool(
    book: RuleBook, unit: str, program: str, executable: str, category: str
) -> None:
    answer = found(book, "unit", unit=unit, program=program, executable=executable)
    assert answer.category == category


def test_whatever_lies_in_a_games_folder_is_the_games(book: RuleBook) -> None:
    path = "/home/u/.steam/steamapps/common/Frob/reaper"
    assert found(book, program="reaper", executable=path).category == "gaming"
    assert found(book, program="reaper", executable="/opt/reaper/reaper").category == "media"


def test_what_an_installer_starts_is_an_update(book: RuleBook) -> None:
    answer = found(book, label="apt-get", command="apt-get install", program="frob")
    assert answer.category == "updates"
