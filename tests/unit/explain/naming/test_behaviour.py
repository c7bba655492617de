"""Behaviour, where a name says nothing: asked of causes alone, and again if it was nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.naming.traits import Traits

TORCH = Traits(libraries=frozenset({"torch"}))


@dataclass
class Watcher:
    """Tells what it was told to; remembers of whom it was asked."""

    shown: Traits = TORCH
    asked: list[int] = field(default_factory=list)

    def traits(self, pid: int) -> Traits:
        self.asked.append(pid)
        return self.shown


def test_an_unknown_cause_is_known_by_what_it_loaded(
    stage: Stage, make_account: MakeAccount
) -> None:
    watcher = Watcher()
    unknown = make_account("zorblax", 3.5, pids=(77, 78))
    verdict = stage.play(unknown, lasting=20, watcher=watcher)
    cause = verdict.causes[0]
    assert (cause.label, cause.category, cause.confidence) == ("zorblax", "ai", 0.5)
    assert (cause.reason or "").endswith("it has loaded torch")
    assert watcher.asked == [77]
    assert stage.headlines[-1] == "CPU usage high due to: zorblax"


def test_at_rest_nobody_is_asked(stage: Stage, make_account: MakeAccount) -> None:
    watcher = Watcher()
    stage.play(make_account("zorblax", 0.1, pids=(77,)), lasting=20, watcher=watcher)
    assert watcher.asked == []


def test_who_is_known_is_not_asked(stage: Stage, make_account: MakeAccount) -> None:
    watcher = Watcher()
    stage.play(make_account("ffmpeg", 3.5, pids=(77,)), lasting=20, watcher=watcher)
    assert watcher.asked == []


def test_who_loads_later_is_asked_again_ever_more_seldom(
    stage: Stage, make_account: MakeAccount
) -> None:
    watcher = Watcher(shown=Traits())
    unknown = make_account("zorblax", 3.5, pids=(77,))
    verdict = stage.play(unknown, lasting=20, watcher=watcher)
    assert (verdict.cause, len(watcher.asked)) == ("unknown", 2)
    stage.play(unknown, lasting=600, watcher=watcher)
    assert 5 <= len(watcher.asked) <= 8
    watcher.shown = TORCH
    verdict = stage.play(unknown, lasting=130, watcher=watcher)
    assert verdict.cause == "ai"


def test_whose_processes_cannot_be_seen_is_not_asked_for(
    stage: Stage, make_account: MakeAccount
) -> None:
    watcher = Watcher()
    verdict = stage.play(make_account("zorblax", 3.5), lasting=20, watcher=watcher)
    assert (verdict.cause, watcher.asked) == ("unknown", [])


@pytest.mark.parametrize(
    ("shown", "category"),
    [
        (Traits(libraries=frozenset({"libav"})), "media"),
        (Traits(libraries=frozenset({"xgboost"})), "ai"),
        (Traits(serves=(8080,)), "web"),
        (Traits(gpu=True), "ai"),
    ],
)
def test_what_behaviour_says(
    stage: Stage, make_account: MakeAccount, shown: Traits, category: str
) -> None:
    unknown = make_account("zorblax", 3.5, pids=(77,))
    verdict = stage.play(unknown, lasting=10, watcher=Watcher(shown))
    assert verdict.cause == category
    assert (verdict.causes[0].confidence or 1) <= 0.6
