"""When a headline changes: at once where it matters, and never more often than can be read."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from publisher.explain.report.stability import MOST_SENTENCES, HeadlineStability, News

REST = News("normal", "normal", frozenset({"rest"}), rest=True)


NOBODY: frozenset[str] = frozenset()


def news(
    text: str,
    *told: str,
    core: str = "",
    known: frozenset[str] = NOBODY,
    gone: frozenset[str] = NOBODY,
) -> News:
    """A sentence about some, the first of whom leads."""
    return News(
        text,
        core or text,
        frozenset({"load"}),
        leader=told[0],
        told=frozenset(told),
        names=frozenset(told),
        known=frozenset(told) | known,
        gone=gone,
    )


def told_after(stability: HeadlineStability, what: News, now: float, most: float = 300) -> float:
    """Seconds until it is told."""
    since = now
    while stability.settle(what, now) != what.text:
        now += 0.5
        if now - since > most:
            pytest.fail(f"{what.text!r} was not told within {most} s")
    return now - since


@pytest.fixture
def stability() -> HeadlineStability:
    stability = HeadlineStability()
    stability.settle(REST, 0.0)
    return stability


def test_a_load_a_new_leader_and_rest_are_told_at_once(stability: HeadlineStability) -> None:
    assert told_after(stability, news("a", "a"), 10) == 0
    assert told_after(stability, news("b", "b", known=frozenset("a")), 11) == 0
    assert told_after(stability, REST, 12) == 0


def test_who_has_fallen_to_nothing_drops_out_at_once(stability: HeadlineStability) -> None:
    stability.settle(news("a and b", "a", "b"), 10)
    assert told_after(stability, news("a", "a", known=frozenset("b"), gone=frozenset("b")), 20) == 0


def test_other_words_are_believed_later_each_time(stability: HeadlineStability) -> None:
    stability.settle(news("reads", "scan"), 100)
    assert told_after(stability, news("computes", "scan"), 101) == 3
    assert told_after(stability, news("reads", "scan"), 105) == 20
    assert told_after(stability, news("computes", "scan"), 200) == 48


def test_a_second_one_is_told_soon_while_little_was_told(stability: HeadlineStability) -> None:
    stability.settle(news("a", "a"), 10)
    assert told_after(stability, news("a and b", "a", "b"), 20) == 2
    assert told_after(stability, news("a and c", "a", "c", known=frozenset("b")), 25) == 20


def test_two_that_change_places_are_told_so_when_it_lasts(stability: HeadlineStability) -> None:
    stability.settle(news("a and b", "a", "b"), 10)
    assert told_after(stability, news("b and a", "b", "a"), 20) == 10


def test_soft_words_and_counts_alone_are_hardly_news(stability: HeadlineStability) -> None:
    stability.settle(news("a, most of it", "a", core="a"), 10)
    assert told_after(stability, news("a, half of it", "a", core="a"), 15) >= 55


def test_four_sentences_a_minute_whatever_happens(stability: HeadlineStability) -> None:
    chance = random.Random(5)
    rows: list[tuple[float, str]] = []
    now = 0.0
    while now < 1800:
        now += chance.choice((0.3, 0.5, 2.0))
        told = chance.sample("abcdef", chance.randint(1, 3))
        what = news(" ".join(told), *told)
        if chance.random() < 0.1:
            what = replace(what, state=frozenset({"load", "CPU"}))
        sentence = stability.settle(what, now)
        if not rows or rows[-1][1] != sentence:
            rows.append((now, sentence))
    for at, _ in rows:
        assert sum(at <= one < at + 60 for one, _ in rows) <= MOST_SENTENCES


def test_a_load_that_comes_and_goes_is_told_as_one(stability: HeadlineStability) -> None:
    rows: list[tuple[int, str]] = []
    for second in range(600):
        what = news("a", "a") if second % 12 < 6 else REST
        sentence = stability.settle(what, 100.0 + second)
        if not rows or rows[-1][1] != sentence:
            rows.append((second, sentence))
    assert sum(second < 60 for second, _ in rows) <= 6
    assert len(rows) <= 55


def test_a_lasting_truth_is_told_however_much_was_told_before(stability: HeadlineStability) -> None:
    for at, name in enumerate("abcdefgh"):
        stability.settle(news(name, name), 10.0 + at)
    assert told_after(stability, news("x", "x"), 20) <= 60
