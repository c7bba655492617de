"""Classification of accounts, in full and at a glance."""

from __future__ import annotations

from unit.explain.stage import account

from publisher.explain.naming.account_classifier import AccountClassifier
from publisher.explain.naming.rules import load


def test_at_a_glance_a_group_is_what_it_was_seconds_ago() -> None:
    classifier = AccountClassifier(None, load())
    reading = account("restic", key="job:1", label="nightly.sh", kind="job")
    packing = account("xz", key="job:1", label="nightly.sh", kind="job")
    first = classifier.at_a_glance(reading, 100.0)
    assert first == classifier.classify(reading)
    assert classifier.at_a_glance(packing, 105.0) == first
    later = classifier.at_a_glance(packing, 106.5)
    assert later == classifier.classify(packing)
    assert later.label != first.label


def test_with_other_rules_everything_is_looked_at_anew() -> None:
    classifier = AccountClassifier(None, load())
    one = account("restic", key="program:restic")
    classifier.at_a_glance(one, 100.0)
    classifier.take_rules(None)
    assert classifier.at_a_glance(one, 100.5) == classifier.classify(one)
