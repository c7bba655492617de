from __future__ import annotations

from subscriber_cli.model.shelf import Shelf


def test_whoever_has_most_loses_the_largest_of_theirs() -> None:
    shelf = Shelf(100, 90)
    assert shelf.put("quiet", "cpu", 5) == []
    assert shelf.put("loud", "a", 30) == []
    assert shelf.put("loud", "b", 50) == []

    assert shelf.put("quiet", "memory", 20) == [("loud", "b")]
    assert shelf.total == 55


def test_one_owner_has_a_share_and_no_more() -> None:
    shelf = Shelf(1000, 90)
    shelf.put("loud", "a", 60)

    assert shelf.put("loud", "b", 40) == [("loud", "a")]
    assert shelf.put("loud", "c", 91) == [("loud", "c")]
    assert shelf.total == 40


def test_what_is_put_again_counts_once() -> None:
    shelf = Shelf(100, 100)
    for _ in range(50):
        assert shelf.put("nas", "cpu", 60) == []
    shelf.drop("nas", "cpu")
    shelf.drop("nas", "cpu")

    assert shelf.total == 0
