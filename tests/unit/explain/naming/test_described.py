"""Is it so in the wild? Processes from public reports, labelled before fanwhy was asked.

``described.jsonl`` holds one description a line, as ``fanwhy-pub classify --json`` takes it, with
the categories that are right, words of which one must be in label or group, the kind of case and
the source. They go through the daemon's own code: groups, names and rules.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from publisher.cli.descriptions import Description
from publisher.contract.readings import CATEGORIES
from publisher.explain.naming.classifier import MINING, Classification, Classifier
from publisher.explain.naming.rules import load
from publisher.ledger.described import DescribedLedger
from publisher.ledger.ledger_settings import LedgerSettings

LIST = Path(__file__).with_name("described.jsonl")
KINDS = {"interpreter", "container", "unit", "job", "kernel", "disguise", "title", "program"}

CATEGORY_RIGHT = 0.97
NAME_RIGHT = 0.95
SURE_RIGHT = 0.98
GUESS_RIGHT = 0.65


@dataclass(frozen=True)
class Answer:
    """What was said of one description."""

    described: dict[str, Any]
    found: Classification
    group: str

    @property
    def category_right(self) -> bool:
        return self.found.category in self.described["category"]

    @property
    def name_right(self) -> bool:
        told = f"{self.found.told} {self.group}".lower()
        return any(word.lower() in told for word in self.described["label"])

    def __str__(self) -> str:
        told = self.described
        return (
            f"{told['id']} {told.get('argv') or told['comm']}: {self.found.category} "
            f"{self.found.told!r} of {self.group!r}, not {told['category']} {told['label']}"
        )


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    ledger, classifier = DescribedLedger(LedgerSettings()), Classifier(load())
    found = []
    for line in LIST.read_bytes().splitlines():
        account = Description.parse(line).account(ledger)
        answer = classifier.classify(account.group, account.clues)
        found.append(Answer(json.loads(line), answer, account.group.label))
    return found


def part(answers: list[Answer], right: Callable[[Answer], bool]) -> float:
    return sum(map(right, answers)) / len(answers)


def test_the_list_is_long_sourced_and_of_every_kind(answers: list[Answer]) -> None:
    assert len(answers) >= 1400
    assert {answer.described["kind"] for answer in answers} == KINDS
    assert len({answer.described["id"] for answer in answers}) == len(answers)
    for answer in answers:
        assert set(answer.described["category"]) <= set(CATEGORIES)
        assert answer.described["label"]
        assert answer.described["source"]


def test_category_and_name_are_right(
    answers: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    by_kind: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_kind[answer.described["kind"]].append(answer)
    with capsys.disabled():
        print(f"\n{'kind':<13}{'category':>9}{'name':>7}{'of':>6}")
        for kind, some in sorted(by_kind.items()):
            category = part(some, lambda one: one.category_right)
            name = part(some, lambda one: one.name_right)
            print(f"{kind:<13}{category:>9.3f}{name:>7.3f}{len(some):>6}")
    wrong = [str(one) for one in answers if not (one.category_right and one.name_right)]
    assert part(answers, lambda one: one.category_right) >= CATEGORY_RIGHT, "\n".join(wrong)
    assert part(answers, lambda one: one.name_right) >= NAME_RIGHT, "\n".join(wrong)


def test_precision_and_recall_of_every_category(
    answers: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, int] = defaultdict(int)
    right: dict[str, int] = defaultdict(int)
    meant: dict[str, int] = defaultdict(int)
    for answer in answers:
        category = answer.found.category
        said[category] += 1
        right[category] += answer.category_right
        meant[category if answer.category_right else answer.described["category"][0]] += 1
    with capsys.disabled():
        print(f"\n{'category':<16}{'precision':>10}{'recall':>8}{'of':>6}")
        for category in filter(meant.get, CATEGORIES):
            precision = right[category] / (said[category] or 1)
            print(
                f"{category:<16}{precision:>10.2f}{right[category] / meant[category]:>8.2f}"
                f"{meant[category]:>6}"
            )
    for category in CATEGORIES:
        if category != "unknown" and meant[category] >= 10:
            assert right[category] >= 0.9 * said[category], category
            assert right[category] >= 0.9 * meant[category], category


def test_every_miner_is_found_and_no_other_is_called_one(answers: list[Answer]) -> None:
    missed = [
        str(one) for one in answers
        if one.described["category"] == [MINING] and one.found.category != MINING
    ]  # fmt: skip
    assert not missed
    accused = [
        str(one) for one in answers
        if one.found.category == MINING and MINING not in one.described["category"]
    ]  # fmt: skip
    assert not accused


def test_confidence_means_what_it_says(answers: list[Answer]) -> None:
    sure = [one for one in answers if one.found.confidence >= 0.9]
    guessed = [one for one in answers if 0.5 <= one.found.confidence < 0.75]
    wrong = "\n".join(str(one) for one in sure if not one.category_right)
    assert part(sure, lambda one: one.category_right) >= SURE_RIGHT, wrong
    assert part(guessed, lambda one: one.category_right) >= GUESS_RIGHT
