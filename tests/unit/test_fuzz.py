"""Every parser bears anything: the corpus, some mutations of it, and what hypothesis thinks up.

``make fuzz`` looks longer.
"""

from __future__ import annotations

import random

import pytest
from fuzz.mutations import mutated
from fuzz.targets import CORPUS, TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_SLOW = {
    "machine", "packets", "catalogue", "rules_file", "configuration", "noticed", "notify_rules",
}  # fmt: skip
"""Those that take milliseconds."""
_ANYTHING = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_and_its_likes_are_borne(name: str) -> None:
    target, chance = TARGETS[name], random.Random(name)
    kept = target.corpus(name)
    for data in kept if name not in _SLOW else chance.sample(kept, min(len(kept), 60)):
        target.run(data)
    for _ in range(40 if name in _SLOW else 200):
        target.run(mutated(chance, kept)[: 1 << 14])


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"packets"}))
@_ANYTHING
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_anything_is_borne(name: str, data: bytes) -> None:
    TARGETS[name].run(data)


def test_every_corpus_has_its_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} - {"any"} <= TARGETS.keys()
