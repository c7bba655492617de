"""Is it so? The rules against names that were labelled by other sources than the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from publisher.contract.readings import CATEGORIES, GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.rules import load
from publisher.ledger.accounts import Clues, WorkGroup

LIST = Path(__file__).with_name("labelled.tsv")


@dataclass(frozen=True)
class Label:
    name: str
    right: tuple[str, ...]
    source: str


def labels() -> Iterator[Label]:
    for line in LIST.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, right, source = line.split("\t")
            yield Label(name, tuple(right.split("|")), source)


@pytest.fixture(scope="module")
def answers() -> list[tuple[Label, Classification]]:
    classifier = Classifier(load())
    found = []
    for label in labels():
        name = label.name.strip("[]")
        kind = GroupKind.KERNEL if label.name.startswith("[") else GroupKind.PROGRAM
        group = WorkGroup(label.name, kind, name)
        found.append((label, classifier.classify(group, Clues(program=name))))
    return found


def test_the_list_is_long_sourced_and_without_repetition() -> None:
    entries = list(labels())
    assert len(entries) >= 500
    assert len({entry.name for entry in entries}) == len(entries)
    assert all(entry.source and set(entry.right) <= set(CATEGORIES) for entry in entries)


def test_precision_and_recall_of_every_category(
    answers: list[tuple[Label, Classification]], capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, int] = defaultdict(int)
    right: dict[str, int] = defaultdict(int)
    meant: dict[str, int] = defaultdict(int)
    for label, answer in answers:
        correct = answer.category in label.right
        said[answer.category] += 1
        right[answer.category] += correct
        meant[answer.category if correct else label.right[0]] += 1
    with capsys.disabled():
        print(f"\n{'category':<16}{'precision':>10}{'recall':>8}{'names':>7}")
        for category in CATEGORIES:
            if meant[category]:
                precision = right[category] / said[category] if said[category] else 0.0
                recall = right[category] / meant[category]
                print(f"{category:<16}{precision:>10.2f}{recall:>8.2f}{meant[category]:>7}")
    for category in CATEGORIES:
        if category != "unknown" and meant[category]:
            assert right[category] >= 0.95 * said[category], category
            assert right[category] >= 0.85 * meant[category], category


def test_confidence_means_what_it_says(
    answers: list[tuple[Label, Classification]], capsys: pytest.CaptureFixture[str]
) -> None:
    bands: dict[float, list[bool]] = defaultdict(list)
    for label, answer in answers:
        bands[answer.confidence].append(answer.category in label.right)
    with capsys.disabled():
        print(f"\n{'confidence':<12}{'right':>7}{'names':>7}")
        for confidence, correct in sorted(bands.items()):
            print(f"{confidence:<12}{sum(correct) / len(correct):>7.2f}{len(correct):>7}")
    sure = [correct for confidence, band in bands.items() if confidence >= 0.9 for correct in band]
    assert sum(sure) >= 0.9 * len(sure)
    guessed = bands.get(0.6, [])
    assert sum(guessed) >= 0.6 * len(guessed)


def test_nothing_is_claimed_of_what_only_looks_alike(
    answers: list[tuple[Label, Classification]],
) -> None:
    invented = [(label, answer) for label, answer in answers if label.right == ("unknown",)]
    assert invented
    for label, answer in invented:
        assert (answer.category, answer.confidence, answer.label) == ("unknown", 0.3, label.name)
