"""What no rule knows is looked up in the tables of programs and of applications."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.readings import CATEGORIES, GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.packages import (
    APPLICATIONS,
    PACKAGES,
    PROGRAMS,
    Entry,
    find,
)
from publisher.explain.naming.rules import fold
from publisher.ledger.accounts import Clues, WorkGroup
from tools.packages_table import shipped_stop_words

# Few rules, so that what the shipped ones come to know makes no difference here.
RULES = {
    "shell": {
        "scripts": {
            "label": "Script",
            "role": "interpreter",
            "program": ["python3", "bash", "java"],
        }
    }
}
TABLES = [PACKAGES, APPLICATIONS, PROGRAMS]


def lines_of(table: Path) -> list[list[str]]:
    text = table.read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if not line.startswith("#")]


def found(kind: str = "program", label: str = "", **clues: Any) -> Classification:
    group = WorkGroup("k", GroupKind(kind), label or clues.get("program", ""))
    return Classifier(fold(RULES, {})).classify(group, Clues(**clues))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_table_is_sorted_and_well_formed(table: Path) -> None:
    text = table.read_text("utf-8")
    letters = dict(pair.split("=") for pair in text.splitlines()[0].removeprefix("# ").split())
    assert set(letters.values()) == set(CATEGORIES)
    assert text.endswith("\n")
    names = [words[0].encode() for words in lines_of(table)]
    assert names == sorted(set(names))
    for name, letter, *package in lines_of(table):
        assert re.fullmatch(r"[a-z0-9][a-z0-9+._@-]{2,48}", name)
        assert letters[letter] not in ("unknown", "cryptomining")
        assert len(package) <= 1
        assert package != [name]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_table_has_no_name_that_anybody_may_use(table: Path) -> None:
    names = {words[0].removesuffix(".service") for words in lines_of(table)}
    assert not names & shipped_stop_words()


def test_the_table_is_small() -> None:
    assert PACKAGES.stat().st_size < 660_000
    assert APPLICATIONS.stat().st_size < 100_000
    assert PROGRAMS.stat().st_size < 140_000


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_line_is_found_and_what_is_not_there_is_not(table: Path) -> None:
    lines = lines_of(table)
    for words in (lines[0], lines[1], *lines[2:-1:997], lines[-1]):
        entry = find(table, words[0])
        assert entry is not None
        assert entry.name == words[0]
    for name in ("", "a", "!", "#", "zzzzzzzz", "rrdcache", "rrdcached\t", "x\ny", "é", "\ud800"):
        assert find(table, name) is None


def test_a_name_that_the_kernel_has_cut_is_found_where_it_means_one_thing(tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text(
        "# a=desktop b=system\n"
        "# somewhere\n"
        "evolution-addressbook-factory\ta\tevolution-data-server\n"
        "evolution-alarm\ta\n"
        "networkd-dispatcher\tb\n"
        "networkd-dispatches\ta\n"
        "zephyrine\tq\n"
    )
    assert find(table, "evolution-addre") == Entry(
        "evolution-addressbook-factory", "desktop", "evolution-data-server"
    )
    assert find(table, "evolution-alarm") == Entry("evolution-alarm", "desktop", "evolution-alarm")
    assert find(table, "evolution-add") is None
    assert find(table, "networkd-dispat") is None
    assert find(table, "zephyrine") is None


def test_a_table_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    assert find(tmp_path / "none.tsv", "rrdcached") is None
    (tmp_path / "empty.tsv").touch()
    assert find(tmp_path / "empty.tsv", "rrdcached") is None


KNOWN = [
    ("desktop", "swaybg", {"program": "swaybg"}),
    ("smart_home", "knxd", {"program": "knxd", "executable": "/usr/bin/knxd"}),
    ("desktop", "evolution-calendar-factory", {"program": "evolution-calendar-factory"}),
    ("system", "networkd-dispatcher", {"program": "networkd-dispat"}),
    (
        "monitoring",
        "cache service",
        {
            "kind": "unit",
            "label": "cache",
            "unit": "cache.service",
            "program": "rrdcached",
        },
    ),
    # a script that lies in a folder of programs
    (
        "system",
        "networkd-dispatcher",
        {"label": "networkd-dispatcher", "program": "python3", "script": "networkd-dispatcher"},
    ),
    # applications, by container, image and unit
    (
        "web",
        "writefreely",
        {"kind": "container", "label": "writefreely", "container_name": "writefreely"},
    ),
    (
        "web",
        "frob service",
        {
            "kind": "unit",
            "label": "frob",
            "unit": "frob.service",
            "program": "java",
            "script": "writefreely.jar",
        },
    ),
    # a program that Debian has not
    ("gaming", "VRisingServer.exe", {"program": "VRisingServer.exe"}),
    # an image by its name without what is said of its making
    (
        "web",
        "frob",
        {
            "kind": "container",
            "label": "frob",
            "container_name": "frob",
            "container_image": "frobco/docker-writefreely",
        },
    ),
    # what desktops call applications
    (
        "desktop",
        "swaybg",
        {
            "kind": "unit",
            "label": "swaybg",
            "unit": "app-gnome-org.swaywm.swaybg-4711.scope",
            "program": "frob",
        },
    ),
    # modules, packages and folders that are called after a product
    ("web", "writefreely.server", {"program": "python3", "script": "writefreely.server"}),
    (
        "web",
        "com.frob.writefreely.Main",
        {"program": "java", "script": "com.frob.writefreely.Main"},
    ),
    (
        "web",
        "writefreely.py",
        {
            "program": "python3",
            "script": "writefreely.py",
            "script_path": "/opt/writefreely/writefreely.py",
        },
    ),
    (
        "web",
        "frobd",
        {"program": "frobd", "executable": "/snap/writefreely/12/bin/frobd"},
    ),
    (
        "web",
        "frobd",
        {
            "program": "frobd",
            "executable": f"/nix/store/{'a1' * 16}-writefreely-0.15.1/bin/frobd",
        },
    ),
]


@pytest.mark.parametrize(("category", "label", "clues"), KNOWN)
def test_what_no_rule_knows_gets_the_kind_of_work_and_keeps_its_name(
    category: str, label: str, clues: dict[str, Any]
) -> None:
    answer = found(**clues)
    assert (answer.category, answer.label, answer.confidence) == (category, label, 0.6)
    assert answer.rule == ""
    assert "Debian's package" in answer.reason or "public catalogues" in answer.reason


OWN = [
    # scripts of one's own that have a program's name
    {"program": "python3", "script": "swaybg.py"},
    {"program": "bash", "script": "rrdcached.sh"},
    # what hides, or goes by a name that is not its own
    {"program": "swaybg", "executable": "/tmp/swaybg"},
    {"program": "swaybg", "executable": "/home/u/.x/swaybg"},
    {"program": "knxd", "executable": "/usr/bin/knxd", "disguise": "calls itself knxd, is perl"},
    # a short name in a folder of one's own
    {"program": "knxd", "executable": "/home/u/src/knxd"},
    # another program than the one that the group is called after
    {"program": "swaybg", "command": "frobd", "label": "frobd"},
    # words that anybody may use
    {"program": "backend"},
    {"program": "worker"},
    {"kind": "unit", "label": "pinger", "unit": "pinger.service", "program": "bash"},
    # a folder of one's own, a temporary one, and a module that a product is only a part of
    {"program": "python3", "script": "x.py", "script_path": "/home/u/writefreely/x.py"},
    {"program": "python3", "script": "x.py", "script_path": "/tmp/writefreely/x.py"},
    {"program": "python3", "script": "frob.writefreely"},
    # short names of units and containers, which anybody may give
    {"kind": "unit", "label": "lora", "unit": "lora.service", "program": "frob"},
]


@pytest.mark.parametrize("clues", OWN)
def test_what_is_somebodys_own_stays_unknown(clues: dict[str, Any]) -> None:
    assert found(**clues).category == "unknown"


def test_a_rule_goes_first() -> None:
    book = fold(RULES, {"media": {"mine": {"label": "My wallpaper", "program": ["swaybg"]}}})
    group = WorkGroup("k", GroupKind.PROGRAM, "swaybg")
    answer = Classifier(book).classify(group, Clues(program="swaybg"))
    assert (answer.category, answer.label) == ("media", "My wallpaper")
