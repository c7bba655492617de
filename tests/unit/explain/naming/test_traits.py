"""What behaviour adds where names say nothing."""

from __future__ import annotations

import pytest

from publisher.explain.naming.classification import Classification
from publisher.explain.naming.traits import Traits, with_traits

NOBODY = Classification("unknown", "sync.py", 0.3, "", "no rule knows it")
KNOWN = Classification("media", "Jellyfin", 0.95, "jellyfin", "program 'jellyfin'", "program")


@pytest.mark.parametrize(
    ("traits", "category", "reason"),
    [
        (Traits(libraries=frozenset({"torch", "openblas"})), "ai", "it has loaded torch"),
        (Traits(libraries=frozenset({"libav"})), "media", "it has loaded libav"),
        (Traits(libraries=frozenset({"libav", "cuda"})), "media", "it has loaded libav"),
        (Traits(gpu=True), "ai", "it computes on a GPU"),
        (Traits(serves=(22000, 8080)), "web", "it serves port 8080"),
        (Traits(serves=(8080, 5432)), "database", "it serves port 5432"),
        (Traits(reads_tree=True), "indexing", "it reads a whole tree of files"),
    ],
)
def test_behaviour_speaks_where_nothing_else_does(
    traits: Traits, category: str, reason: str
) -> None:
    answer = with_traits(NOBODY, traits)
    assert (answer.category, answer.label, answer.by) == (category, "sync.py", "traits")
    assert answer.confidence <= 0.6
    assert reason in answer.reason


def test_it_never_overrules_what_is_known() -> None:
    assert with_traits(KNOWN, Traits(gpu=True)) is KNOWN


def test_an_interpreter_without_a_script_is_as_good_as_unknown() -> None:
    python = Classification("shell", "Python script", 0.6, "python", "", "program", "interpreter")
    assert with_traits(python, Traits(libraries=frozenset({"sklearn"}))).category == "ai"


def test_nothing_said_is_nothing_changed() -> None:
    assert with_traits(NOBODY, Traits(libraries=frozenset({"openblas"}))) is NOBODY
