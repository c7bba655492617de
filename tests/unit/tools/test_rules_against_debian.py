"""The table of names against an excerpt of a package index: what contradicts is found and told."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from publisher.explain.naming.rules import shipped
from tools.debian_index import Index, read
from tools.rules_against_debian import (
    DEFENDED,
    Words,
    claims,
    contradictions,
    main,
    missing_units,
    words,
)

INDEX = Path(__file__).resolve().parents[2] / "fixtures" / "debian_index"
PACKAGES, CONTENTS = INDEX / "Packages", INDEX / "Contents"


@pytest.fixture(scope="module")
def index() -> Index:
    return read([PACKAGES], [CONTENTS])


@pytest.fixture(scope="module")
def said() -> Words:
    return words()


def found(index: Index, said: Words, **rules: Any) -> set[tuple[str, str]]:
    category = rules.pop("category")
    claimed = claims({category: {"x": rules}})
    return {(each.kind, each.name) for each in contradictions(claimed, index, said)}


def test_packages_and_what_they_ship(index: Index) -> None:
    assert [each.name for each in index.of_program("clamscan")] == ["clamav"]
    assert [each.name for each in index.of_unit("clamav-daemon")] == ["clamav"]
    assert [each.name for each in index.of_unit("exotic@")] == ["exotic-server"]
    assert [each.name for each in index.of_program("md5")] == ["tiger"]
    assert index.of_program("README") == index.of_program("tool") == []
    webmin = index.packages["webmin"]
    assert (webmin.section, webmin.description) == ("admin", "web-based administration interface")
    assert webmin.tags == {"admin::configuring", "interface::web", "role::program"}
    assert index.packages["fruit-games"].section == "games"


def test_packed_files_are_read(index: Index, tmp_path: Path) -> None:
    packed = []
    for path in (PACKAGES, CONTENTS):
        packed.append(tmp_path / f"{path.name}.gz")
        packed[-1].write_bytes(gzip.compress(path.read_bytes()))
    assert read(packed[:1], packed[1:]) == index


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        ({"category": "antivirus", "label": "ClamAV virus scan", "program": ["clamscan"]}, set()),
        (
            {"category": "gaming", "label": "ClamAV virus scan", "program": "clamscan"},
            {("category", "clamscan")},
        ),
        (
            {"category": "antivirus", "label": "DNS server", "unit": ["ClamAV-Daemon"]},
            {("label", "clamav-daemon")},
        ),
        (
            {"category": "downloads", "label": "DNS server", "program": ["webmin"]},
            {("category", "webmin"), ("label", "webmin")},
        ),
        (
            {"category": "shell", "label": "Parallel jobs", "program": ["parallel"]},
            {("ambiguous", "parallel")},
        ),
        ({"category": "gaming", "label": "Chess engine", "program": ["fruit"]}, set()),
        ({"category": "gaming", "label": "Chess engine", "program": ["not-shipped"]}, set()),
        # what says nothing of itself contradicts nothing
        ({"category": "web", "label": "Exotic fruit", "unit": ["exotic"]}, set()),
    ],
)
def test_contradictions(
    index: Index, said: Words, rule: dict[str, Any], kinds: set[tuple[str, str]]
) -> None:
    assert found(index, said, **rule) == kinds


def test_a_label_counts_by_the_words_that_are_given_for_it(index: Index) -> None:
    known = words()
    mine = Words(
        known.sections, known.broad, known.evidence, {"x": re.compile("administration")}, {}
    )
    rule = {"category": "web", "label": "DNS server", "program": ["webmin"]}
    assert found(index, mine, **rule) == set()


def test_units_that_no_rule_knows(index: Index) -> None:
    assert list(missing_units(index)) == [
        "exotic\texotic-server (net)\tserves exotic fruit",
        "exotic@\texotic-server (net)\tserves exotic fruit",
    ]


def test_the_command_fails_with_what_is_not_defended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Packages").write_text(
        "Package: borgbackup\nSection: games\nDescription: puzzle with wooden blocks\n"
    )
    (tmp_path / "Contents").write_text("usr/bin/borg   games/borgbackup\n")
    files = ["--packages", f"{tmp_path}/Packages", "--contents", f"{tmp_path}/Contents"]
    assert main([str(tmp_path), *files]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("category backup.borg: program borg is 'Borg backup'")
    assert told.err.startswith("1 open, 0 defended")
    assert main([str(tmp_path), *files, "--json"]) == 1
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["kind"], only["name"], only["category"]) == ("category", "borg", "backup")


def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--packages", f"{tmp_path}/none"]) == 2
    assert "none" in capsys.readouterr().err


def test_every_defence_is_of_the_table_and_has_its_reason() -> None:
    held = {(f"{each.category}.{each.rule}", each.name) for each in claims(shipped())}
    document = tomllib.loads(DEFENDED.read_text("utf-8"))
    for key, line in document["defended"].items():
        kind, _, rule = key.partition(" ")
        assert kind in ("category", "label", "ambiguous")
        assert line["reason"].strip()
        assert {(rule, name) for name in line["names"]} <= held, key
    assert document["labels"].keys() <= {each.rule for each in claims(shipped())}


def test_a_defended_name_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Packages").write_text("Package: boost\nSection: games\nDescription: puzzle\n")
    (tmp_path / "Contents").write_text("usr/bin/stash   games/boost\n")
    files = ["--packages", f"{tmp_path}/Packages", "--contents", f"{tmp_path}/Contents"]
    assert main([str(tmp_path), *files]) == 0
    assert capsys.readouterr().err.startswith("0 open, 1 defended")
    assert main([str(tmp_path), *files, "--all"]) == 0
    assert "stash" in capsys.readouterr().out
