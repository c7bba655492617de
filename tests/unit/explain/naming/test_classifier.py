"""Classification by clues: the job wins over the tool, and nothing matches loosely."""

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


def found(
    book: RuleBook, kind: str = "program", label: str = "", own: bool = False, **clues: Any
) -> Classification:
    group = WorkGroup("k", GroupKind(kind), label or clues.get("program", ""), own)
    return Classifier(book).classify(group, Clues(**clues))


SHELL_JOB: dict[str, Any] = {
    "kind": "job",
    "label": "go.sh",
    "program": "bash",
    "script": "go.sh",
}
CASES = [
    # what a tool does for somebody is somebody's
    ("backup", "Duplicity backup", {"program": "gzip", "ancestors": ("duplicity",)}),
    ("development", "Software build", {"program": "cc1", "ancestors": ("gcc", "sh", "make")}),
    ("media", "Jellyfin media server", {"program": "ffmpeg", "ancestors": ("jellyfin",)}),
    ("media", "Frigate camera detection", {"program": "ffmpeg", "ancestors": ("frigate",)}),
    ("media", "Video transcoding", {"program": "ffmpeg"}),
    ("backup", "Archiving", {"program": "gzip", "ancestors": ("tar",)}),
    ("updates", "Unattended upgrades", {"program": "dpkg", "ancestors": ("unattended-upgr",)}),
    # scripts of interpreters
    ("backup", "Borg backup", {"program": "python3", "script": "borg"}),
    ("development", "JavaScript build", {"program": "node", "script": "vite"}),
    ("development", "JavaScript build", {"program": "MainThread", "command": "npm run build"}),
    ("ai", "ML training", {"program": "python3", "script": "train.py"}),
    ("web", "Web server", {"program": "python3", "script": "http.server"}),
    ("gaming", "Minecraft server", {"program": "java", "script": "paper-1.21.jar"}),
    ("unknown", "report.py", {"program": "python3", "script": "report.py"}),
    ("unknown", "go.js", {"program": "node", "script": "go.js"}),
    # units, containers, commands
    ("database", "PostgreSQL database", {"kind": "unit", "unit": "postgresql@15-main.service"}),
    ("updates", "APT package management", {"kind": "unit", "unit": "apt-daily-upgrade.service"}),
    ("indexing", "File index update", {"kind": "unit", "unit": "plocate-updatedb.service"}),
    (
        "ai",
        "Immich machine learning",
        {"kind": "container", "container_image": "ghcr.io/immich-app/immich-machine-learning:v1"},
    ),
    (
        "database",
        "PostgreSQL database",
        {"kind": "container", "container_name": "shop-postgres-1", "program": "postgres"},
    ),
    ("database", "PostgreSQL maintenance", {"command": "postgres: autovacuum worker"}),
    ("system", "Disk scrub", {"program": "btrfs", "command": "btrfs scrub start"}),
    # jobs
    ("development", "Software build", {"kind": "job", "command": "make -j8", "program": "cc1"}),
    ("backup", "Backup", {"kind": "job", "label": "./nightly-backup.sh", "program": "xz"}),
    ("backup", "Borg backup", {"kind": "job", "command": "borg create", "program": "python3"}),
    # where the program's own name says nothing
    ("gaming", "Steam game", {"program": "Game", "executable": "/x/steamapps/common/G/Game"}),
    ("development", "C/C++ compilation", {"program": "clang-15"}),
    ("web", "PHP web application", {"program": "php-fpm8.2"}),
    ("antivirus", "Microsoft Defender scan", {"program": "MsMpEng.exe"}),
    # kernel threads
    ("system", "RAID check", {"kind": "kernel", "program": "md0_resync"}),
    ("system", "memory reclaim", {"kind": "kernel", "program": "kswapd0"}),
    ("system", "ZFS", {"kind": "kernel", "program": "z_wr_iss"}),
    ("system", "writing to disks", {"kind": "kernel", "program": "kworker writeback"}),
    ("system", "kernel work", {"kind": "kernel", "program": "kworker events_unbound"}),
    ("system", "kernel (new_thing)", {"kind": "kernel", "program": "new_thing"}),
]


@pytest.mark.parametrize(("category", "label", "clues"), CASES, ids=[f"{c[1]}" for c in CASES])
def test_what_it_is_called(book: RuleBook, category: str, label: str, clues: Any) -> None:
    answer = found(book, **clues)
    assert (answer.category, answer.label) == (category, label)
    assert answer.reason


@pytest.mark.parametrize(
    ("clues", "confidence"),
    [
        ({"program": "backupd"}, 0.95),
        ({"program": "gzip", "ancestors": ("borg",)}, 0.9),
        ({"program": "helper-of-borg", "ancestors": ("borg",)}, 0.8),
        ({"program": "python3", "script": "train.py"}, 0.6),
        ({"program": "python3", "script": "stuff.py"}, 0.3),
        ({"program": "frobnicate"}, 0.3),
    ],
)
def test_how_sure_it_is(book: RuleBook, clues: Any, confidence: float) -> None:
    assert found(book, **clues).confidence == confidence


@pytest.mark.parametrize(
    "clues",
    [
        {"program": "makefile-viewer"},
        {"program": "mybackupd"},
        {"program": "foo", "executable": "/opt/make/foo"},
        {"program": "foo", "executable": "/home/borg/foo"},
        {"program": "foo", "ancestors": ("bash", "sshd", "systemd")},
        {"program": "foo", "members": ("foo", "gzip", "mosquitto")},
    ],
)
def test_nothing_matches_loosely(book: RuleBook, clues: Any) -> None:
    assert found(book, **clues).category == "unknown"


def test_a_user_process_called_like_a_kernel_thread_is_none(book: RuleBook) -> None:
    assert found(book, program="kworker/0:1").category == "unknown"
    assert found(book, program="kdevtmpfsi").category == "cryptomining"


def test_a_shell_gives_its_name_to_nothing(book: RuleBook) -> None:
    assert found(book, **SHELL_JOB).label == "go.sh"
    assert found(book, **SHELL_JOB, members=("bash", "ffmpeg")).label == "Video transcoding"


UNIT = {"kind": "unit", "label": "burner", "unit": "burner.service"}
BOX = {"kind": "container", "label": "my-app", "container_name": "my-app"}
PLACES = [
    # what works most says little: the unit's own name says more than any helper's
    ("burner service", "unknown", 0.3, {**UNIT, "program": "bash", "members": ("bash",)}),
    (
        "burner service", "unknown", 0.3,
        {**UNIT, "program": "burner.sh", "script": "burner.sh", "executable": "/usr/bin/bash"},
    ),
    (
        "burner service", "unknown", 0.3,
        {**UNIT, "program": "bash", "members": ("bash", "mosquitto")},
    ),
    (
        "burner service", "unknown", 0.3,
        {**UNIT, "program": "burn", "executable": "/bin/sh", "members": ("burn", "mosquitto")},
    ),
    ("burner service", "unknown", 0.3, {**UNIT, "program": "python3", "script": "burn.py"}),
    ("burner service", "unknown", 0.3, {**UNIT, "program": "frobnicate"}),
    (
        "burner service", "unknown", 0.3,
        {**UNIT, "program": "frob", "members": ("frob", "mosquitto")},
    ),
    ("my-app", "unknown", 0.3, {**BOX, "program": "node", "script": "go.js"}),
    ("my-app", "unknown", 0.3, {**BOX, "program": "sh", "members": ("sh", "nginx")}),
    ("my-app", "unknown", 0.3, {**BOX, "program": "frobnicate", "members": ("frob", "nginx")}),
    ("docker 3f2a1b", "unknown", 0.3, {**BOX, "label": "docker 3f2a1b", "program": "frob"}),
    # names that need no word behind them
    (
        "Frob", "unknown", 0.3,
        {"kind": "unit", "label": "Frob", "unit": "app-gnome-x.Frob-1.scope", "program": "frob"},
    ),
    (
        "backup-service", "unknown", 0.3,
        {"kind": "unit", "label": "backup-service", "unit": "x-service.service", "program": "frob"},
    ),
    # what is known says what it is
    ("Borg backup", "backup", 0.95, {**UNIT, "program": "borg", "members": ("borg", "bash")}),
    ("Video transcoding", "media", 0.8, {**UNIT, "program": "ffmpeg", "script": "burner.sh"}),
    ("MQTT client", "smart_home", 0.8, {**UNIT, "program": "mosquitto_sub"}),
    (
        "Backup", "backup", 0.6,
        {"kind": "unit", "label": "nas-backup", "unit": "nas-backup.service", "program": "bash"},
    ),
    (
        "Jellyfin", "media", 0.95,
        {**BOX, "container_image": "docker.io/jellyfin/jellyfin:10", "program": "frob"},
    ),
    ("nginx", "web", 0.8, {**BOX, "program": "nginx", "members": ("nginx", "sh")}),
]  # fmt: skip


@pytest.mark.parametrize(("label", "category", "confidence", "clues"), PLACES)
def test_a_unit_or_container_is_never_named_by_a_small_member(
    book: RuleBook, label: str, category: str, confidence: float, clues: Any
) -> None:
    answer = found(book, **clues)
    assert label in answer.label
    assert (answer.category, answer.confidence) == (category, confidence)


def test_a_shell_job_is_not_named_by_who_works_less(book: RuleBook) -> None:
    assert found(book, **SHELL_JOB, members=("bash", "frobnicate", "ffmpeg")).label == "go.sh"


def test_the_shell_that_a_line_was_given_to_is_not_what_it_runs(book: RuleBook) -> None:
    answer = found(
        book, "job", "frobnicate", program="frobnicate", command="frobnicate",
        executable="/usr/bin/bash", members=("frobnicate", "bash"),
    )  # fmt: skip
    assert (answer.category, answer.label) == ("unknown", "frobnicate")


def test_what_a_script_also_started_does_not_name_it(book: RuleBook) -> None:
    answer = found(
        book, "job", "python3 bench.py", program="python3", script="bench.py",
        command="python3 bench.py", members=("python3", "mosquitto", "make"),
    )  # fmt: skip
    assert (answer.category, answer.label) == ("unknown", "bench.py")


def test_fanwhy_knows_itself(book: RuleBook) -> None:
    answer = found(book, own=True, program="python3")
    assert (answer.category, answer.label, answer.confidence) == ("monitoring", "fanwhy", 1.0)


def test_answers_are_remembered_and_bounded(book: RuleBook) -> None:
    classifier = Classifier(book)
    group, clues = WorkGroup("k", GroupKind.PROGRAM, "make"), Clues(program="make")
    first = classifier.classify(group, clues)
    assert classifier.classify(group, Clues(program="make")) is first
    assert classifier.classify(group, Clues(program="borg")).label == "Borg backup"
    kept = classifier.classify(group, clues)
    for number in range(512):
        classifier.classify(WorkGroup(f"k{number}", GroupKind.PROGRAM, "x"), clues)
    assert classifier.classify(group, clues) == kept
    assert classifier.classify(group, clues) is not kept
