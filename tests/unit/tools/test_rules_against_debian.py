"""The table of names against an excerpt of a package index: what contradicts is found and told."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from publisher.explain.naming.rules import shipped
from tools.debian_index import Index, read
from tools.rules_against_debian import Words, claims, contradictions, main, missing_units, words

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
            {"category": "antivirus", "label": "Metrics agent", "unit": ["ClamAV-Daemon"]},
            {("label", "clamav-daemon")},
        ),
        (
            {"category": "downloads", "label": "Metrics agent", "program": ["webmin"]},
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
    mine = Words(known.sections, known.evidence, {"x": re.compile("administration")}, {})
    rule = {"category": "web", "label": "Metrics agent", "program": ["webmin"]}
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
    assert told.out.startswith("category program borg: backup.borg 'Borg backup'")
    assert told.err.startswith("1 open, 0 defended")
    assert main([str(tmp_path), *files, "--json"]) == 1
    (only,) = json.loads(capsys.readouterr().out)
    assert (only["kind"], only["name"], only["category"]) == ("category", "borg", "backup")


def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--packages", f"{tmp_path}/none"]) == 2
    assert "none" in capsys.readouterr().err


def test_every_defence_names_a_rule_of_the_table_and_its_reason() -> None:
    known = words()
    places = {f"{each.place} {each.name}" for each in claims(shipped())}
    assert {key for key in known.defended if key.partition(" ")[2] not in places} == set()
    assert all(reason.strip() for reason in known.defended.values())
    assert known.labels.keys() <= {each.rule for each in claims(shipped())}
