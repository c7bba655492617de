from __future__ import annotations

import pytest

from subscriber_cli.model.values import items, mapping, moment, number, numbers, words


def test_numbers_are_finite_or_none() -> None:
    assert number(3) == 3
    assert [number(x) for x in (True, "3", None, float("nan"), float("inf"), 10**400)] == [None] * 6
    assert numbers([1, 2.5]) == [1, 2.5]
    assert numbers([1, "x"]) == []
    assert numbers("12") == []


def test_words_are_harmless() -> None:
    assert words({"a": "x\x1b]0;y\x07"}, "a") == "x\\x1b]0;y\\x07"
    assert words({"a": 3}, "a") == ""
    assert len(words({"a": "x" * 100_000}, "a")) == 2000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:10.500Z", 10.5),
        ("1970-01-01T00:00:10", 10.0),
        ("yesterday", None),
        ("9999-12-31T23:59:59-14:00", None),
        (7, None),
    ],
)
def test_moments_are_rfc_3339(text: object, at: float | None) -> None:
    assert moment(text) == at


def test_what_is_of_another_shape_is_empty() -> None:
    assert items({"a": [{"b": 1}, 2, None]}, "a") == [{"b": 1}]
    assert items({"a": {"b": 1}}, "a") == []
    assert mapping({"a": {"b": 1}}, "a") == {"b": 1}
    assert mapping({"a": [1]}, "a") == {}
