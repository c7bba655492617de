"""Rule files: what is shipped is sound, and what a user writes is understood or explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.readings import CATEGORIES
from publisher.errors import ConfigError
from publisher.explain.naming.rules import (
    PLACES,
    Rule,
    RuleBook,
    check,
    fold,
    load,
    shipped,
    shipped_rules,
)


@pytest.fixture
def rules_file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return str(path)

    return write


def names_of(body: Mapping[str, Any], place: str) -> list[str]:
    value = body.get(place, ())
    return [value] if isinstance(value, str) else value


def test_the_shipped_rules_are_sound() -> None:
    document = shipped()
    check(document, "rules.toml")
    assert set(document) == set(CATEGORIES) - {"unknown"}


def test_read_line_by_line_they_are_what_toml_says() -> None:
    document: dict[str, dict[str, Any]] = {}
    for category, name, body in shipped_rules():
        document.setdefault(category, {})[name] = body
    assert document == shipped()


def test_rule_names_are_unique() -> None:
    names = Counter(name for rules in shipped().values() for name in rules)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_name_is_claimed_twice() -> None:
    claims = Counter(
        (place, name.lower())
        for rules in shipped().values()
        for body in rules.values()
        for place in PLACES
        for name in names_of(body, place)
    )
    assert [claim for claim, count in claims.items() if count > 1] == []


def test_at_least_five_hundred_programs_with_names_for_people() -> None:
    document = shipped()
    programs = {
        name
        for rules in document.values()
        for body in rules.values()
        for name in names_of(body, "program")
    }
    assert len(programs) >= 500
    assert all(body["label"].strip() for rules in document.values() for body in rules.values())


def program(book: RuleBook, name: str) -> Rule:
    rule = book.find("program", name)
    assert rule is not None
    return rule


def test_a_users_rule_goes_first(rules_file: Callable[[str], str]) -> None:
    book = load(rules_file('[media]\nmine = { label = "My encoder", program = ["make", "enc*"] }'))
    assert program(book, "make").label == "My encoder"
    assert program(book, "encoder9").category == "media"
    assert program(book, "cmake").label == "Software build"


def test_a_users_rule_is_laid_over_the_shipped_one(rules_file: Callable[[str], str]) -> None:
    book = load(rules_file('[backup]\nborg = { label = "Nightly", program = "borgwrap" }'))
    assert program(book, "borgwrap").label == "Nightly"
    assert program(book, "borg").label == "Nightly"


def test_a_shipped_rule_can_be_moved_and_switched_off(rules_file: Callable[[str], str]) -> None:
    book = load(rules_file("[gaming]\nxmrig = {}\n[backup]\nborg = { disabled = true }"))
    assert program(book, "xmrig").category == "gaming"
    assert book.find("program", "borg") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[backups]\n", "[backups]: unknown category; did you mean 'backup'?"),
        ("[media]\nx = { label = 'X', progam = 'x' }", "did you mean 'program'?"),
        ("[media]\nx = { label = 'X', program = 3 }", "media.x.program: must be a name or a list"),
        ("[media]\nx = { label = 'X', program = ['a', 3] }", "must be a name or a list of names"),
        ("[media]\nx = { program = 'x' }", "media.x: a new rule needs a label"),
        ("[media]\nx = { label = ' ' }", "media.x.label: must not be empty"),
        ("[media]\nx = 'ffmpeg'", "media.x: must be a rule"),
        ("media = 3", "media: must be a table of rules"),
        ("[media]\nx = { label = 'X', role = 'tol' }", "did you mean 'tool'?"),
        ("[media]\nx = { label = 'X', confidence = 2 }", "must be above 0 and at most 1"),
        ("[media]\nx = { label = 'X', confidence = 'high' }", "must be a number, not 'high'"),
        ("[media]\nx = { label = 'X', confidence = true }", "must be a number, not True"),
        ("[media]\nx = { label = 'X', disabled = 1 }", "must be true or false, not 1"),
        ("[media]\nx = { label = 'X', program = '*' }", "would match everything"),
        ("[media\n", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    rules_file: Callable[[str], str], text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(rules_file(text))
    assert words in str(caught.value)
    assert "rules.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "none.toml"))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(str(path))


@pytest.mark.parametrize(
    ("pattern", "fits", "misses"),
    [
        ("md*_resync", ["md0_resync", "md127_resync"], ["md_resyn", "xmd0_resync", "md0_resyncs"]),
        ("*_exporter", ["node_exporter", "_exporter"], ["exporter", "node_exporters"]),
        ("a*b*c", ["abc", "axxbyyc"], ["ab", "acb", "abcd"]),
        ("php*", ["php", "php8"], ["aphp"]),
    ],
)
def test_patterns(pattern: str, fits: tuple[str, ...], misses: tuple[str, ...]) -> None:
    book = fold({"web": {"x": {"label": "X", "program": [pattern]}}}, {})
    assert all(book.find("program", name) for name in fits)
    assert not any(book.find("program", name) for name in misses)


def test_hostile_names_match_nothing_and_break_nothing() -> None:
    book = load()
    for name in ("", "\n", "\t", "a\tb\nc", "1\n", "*", "make\t0", "\udcff", "x" * 10_000):
        assert book.find("program", name) is None


def test_a_name_that_the_kernel_cut_is_known() -> None:
    book = load()
    assert program(book, "unattended-upgr").label == "Unattended upgrades"
    assert program(book, "systemd-journal").label == "System log"


def test_the_longest_pattern_counts_and_a_users_goes_before_all() -> None:
    shipped_ones: dict[str, dict[str, dict[str, object]]] = {
        "web": {"short": {"label": "S", "program": ["ab*"]}},
        "media": {
            "long": {"label": "L", "program": ["abc*"]},
            "any": {"label": "A", "program": "*c"},
        },
    }
    book = fold(shipped_ones, {})
    assert [program(book, name).label for name in ("abx", "abcx", "xc")] == ["S", "L", "A"]
    over = fold(shipped_ones, {"ai": {"own": {"label": "O", "program": ["a*"]}}})
    assert [program(over, name).label for name in ("abx", "abcx", "xc")] == ["O", "O", "A"]
