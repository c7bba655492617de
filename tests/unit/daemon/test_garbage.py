"""What stays is set aside; what a reload leaves behind is not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from publisher.daemon.garbage import settle


class Knot:
    """Knows itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_what_stays_is_set_aside() -> None:
    kept = Knot()
    settle()
    assert gc.get_freeze_count() > 1000
    assert len(gc.get_objects()) < 100
    del kept


def test_what_an_earlier_configuration_left_is_freed_by_the_next_one() -> None:
    knot = Knot()
    seen = weakref.ref(knot)
    settle()
    del knot
    gc.collect()
    assert seen() is not None, "it was set aside"
    settle()
    assert seen() is None


def test_a_full_collection_comes_soon() -> None:
    settle()
    before = gc.get_stats()[2]["collections"]
    young, middle, full = gc.get_threshold()
    kept = [[Knot() for _ in range(young + 1)] for _ in range((middle + 1) * (full + 2))]
    assert len(kept) > full
    assert gc.get_stats()[2]["collections"] > before
