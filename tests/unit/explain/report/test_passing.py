"""Where many causes come and go, a logbook can still be read."""

from __future__ import annotations

from unit.explain.stage import MakeAccount, Stage


def events(stage: Stage) -> list[tuple[str, str]]:
    return [
        (str(one.event), str(one.label))
        for one in stage.events
        if str(one.event).startswith("cause_")
    ]


def test_few_are_told_at_once(make_stage: type[Stage], make_account: MakeAccount) -> None:
    stage = make_stage()
    for name in ("xz", "borg"):
        stage.play(make_account(name, 1.6), lasting=12)
    stage.play(lasting=30)
    assert [kind for kind, _ in events(stage)] == ["cause_began", "cause_ended"] * 2


def test_of_many_only_those_that_last(make_stage: type[Stage], make_account: MakeAccount) -> None:
    stage = make_stage()
    for number in range(20):
        stage.play(make_account(f"brief{number}", 1.6), lasting=5)
    stage.play(make_account("lasting", 1.6), lasting=30)
    stage.play(lasting=30)
    told = events(stage)
    began = [label for kind, label in told if kind == "cause_began"]
    ended = [label for kind, label in told if kind == "cause_ended"]
    assert sorted(began) == sorted(ended)
    assert "lasting" in began
    assert len(began) <= 14  # of 21 in two minutes


def test_who_was_not_told_to_begin_is_not_told_to_end_at_the_end(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    for number in range(12):
        stage.play(make_account(f"brief{number}", 1.6), lasting=4)
    stage.explainer.close()
    stage.events += stage.explainer.transitions()
    told = events(stage)
    began = [label for kind, label in told if kind == "cause_began"]
    ended = [label for kind, label in told if kind == "cause_ended"]
    assert sorted(began) == sorted(ended)
