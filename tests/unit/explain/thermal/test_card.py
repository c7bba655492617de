"""Machines with a graphics card: hot, cooling down, and weighed against the processor."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.explain.stage import Card, MakeAccount, Stage, Verdict

from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.learned.store import LearnedStore
from publisher.explain.thermal.cooling import Cooling
from publisher.ledger.accounts import Account

NORMAL = "System load normal"
BUSY = "GPU usage high due to: Ollama language model"
UNDATED = ExplainSettings(say_since_after_seconds=86400)
HOT = f"GPU hot: {BUSY}"
MAKE = {"kind": "job", "label": "make -j8", "command": "make -j8", "ancestors": ("make",)}


Infer = Callable[[Card], Account]


@pytest.fixture
def infer(make_account: MakeAccount) -> Infer:
    """Ollama at work on a card."""

    def account(card: Card) -> Account:
        above_idle = card.load * (card.watts_full - card.watts_idle)
        return make_account("ollama", 0.3, gpu_percent=100 * card.load, gpu_power_watts=above_idle)

    return account


def play(stage: Stage, card: Card, load: float, *accounts: Account, lasting: float) -> Verdict:
    """A while at one load; the last verdict."""
    card.load = load
    return stage.play(*accounts, lasting=lasting)


def test_a_card_near_its_limit_is_hot_and_says_who(
    make_stage: type[Stage], make_card: type[Card], infer: Infer
) -> None:
    card = make_card()
    stage = make_stage(evidence=card, settings=UNDATED)
    play(stage, card, 0.0, lasting=300)
    card.load = 1.0
    verdict = stage.play(infer(card), lasting=300)
    assert (verdict.state, verdict.headline, verdict.cause) == ("hot", HOT, "ai")
    assert (verdict.causes[0].resource, verdict.causes[0].group) == ("gpu", "ollama")
    assert verdict.evidence.gpu_power_watts == 300
    raised = [event for event in stage.events if event.alert]
    hot = "The GPU is hot, most from Ollama language model"
    assert [(event.alert, event.message) for event in raised] == [("temperature", hot)]
    assert (raised[0].category, raised[0].label) == ("ai", "Ollama language model")
    play(stage, card, 0.0, lasting=600)
    states = [event.state for event in stage.events if event.event == "state_changed"]
    assert states == ["busy", "hot", "cooling", "quiet"]
    (cooling,) = [line for line in stage.headlines if "cooling" in line]
    assert cooling.startswith("Fan still running: cooling after Ollama language model, which ended")
    assert stage.headlines == [NORMAL, BUSY, HOT, "GPU hot, though system load is normal",
                               cooling, NORMAL]  # fmt: skip


@pytest.mark.parametrize("load", [0.5, 0.7])
def test_a_card_at_work_is_not_hot_by_itself(
    make_stage: type[Stage], make_card: type[Card], infer: Infer, load: float
) -> None:
    card = make_card(load=load)
    stage = make_stage(evidence=card, settings=UNDATED)
    verdict = stage.play(infer(card), lasting=400)
    assert (verdict.state, verdict.headline) == ("busy", BUSY)


def test_a_limit_that_nobody_names_can_be_set(
    make_stage: type[Stage], make_card: type[Card], infer: Infer
) -> None:
    card = make_card(limit=None, load=1.0)
    assert make_stage(evidence=card).play(infer(card), lasting=300).state == "hot"
    settings = ExplainSettings(hot_gpu_celsius=100)
    stage = make_stage(evidence=card, settings=settings)
    assert stage.play(infer(card), lasting=300).state == "busy"


def test_a_card_that_heat_holds_back_is_hot(
    make_stage: type[Stage], make_card: type[Card], infer: Infer
) -> None:
    card = make_card(load=0.4)
    stage = make_stage(evidence=card)
    verdict = stage.play(infer(card), lasting=20, gpu_throttling=True)
    assert verdict.headline == HOT
    assert stage.play(infer(card), lasting=20, gpu_throttling=False).headline == BUSY


def test_how_a_card_cools_is_learned_and_kept(
    make_stage: type[Stage], make_card: type[Card], infer: Infer, tmp_path: Path
) -> None:
    card = make_card(time_constant=90.0)
    stage = make_stage(evidence=card, state_dir=str(tmp_path))
    play(stage, card, 0.0, lasting=600)
    estimates = []
    for _ in range(4):
        card.load = 0.8
        stage.play(infer(card), lasting=400)
        card.load = 0.0
        for _ in range(400):
            verdict = stage.step()
            if verdict.quiet_in_seconds is not None:
                estimates.append(verdict.quiet_in_error_percent)
    stage.explainer.close()
    learned = LearnedStore.open(str(tmp_path)).gpu
    assert Cooling(60.0, learned.episodes).time_constant == pytest.approx(90.0, rel=0.15)
    assert estimates
    assert max(estimates) <= 25
    # Another daemon needs no falls of its own before it tells how long it will take.
    again = make_stage(evidence=card, state_dir=str(tmp_path))
    play(again, card, 0.0, lasting=60)
    card.load = 0.8
    again.play(infer(card), lasting=400)
    card.load = 0.0
    assert any(again.step().quiet_in_seconds for _ in range(100))


def test_a_card_that_wanders_at_idle_is_not_cooling(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    wander = random.Random(5)
    stage = make_stage(evidence=lambda *_: {"gpu_temperature_celsius": 47 + wander.uniform(-5, 5)})
    stage.play(lasting=600)
    for _ in range(5):
        stage.play(make_account("cc1", 3.5, **MAKE), lasting=100)
        stage.play(lasting=600)
    assert not any("cooling" in line for line in stage.headlines)


def test_who_makes_more_heat_comes_first(
    make_stage: type[Stage], make_card: type[Card], make_account: MakeAccount, infer: Infer
) -> None:
    make = make_account("cc1", 3.0, **MAKE)
    card = make_card(load=0.6)
    stage = make_stage(evidence=card)
    verdict = stage.play(make, infer(card), lasting=60)
    assert [cause.label for cause in verdict.causes] == ["Ollama language model", "Software build"]
    assert verdict.headline == f"{BUSY}; CPU usage high due to: Software build (make -j8)"
    weak = make_card(load=0.6, watts_full=40.0)
    stage = make_stage(evidence=weak)
    verdict = stage.play(make, infer(weak), lasting=60)
    assert [cause.label for cause in verdict.causes] == ["Software build", "Ollama language model"]
    assert verdict.headline == f"CPU usage high due to: Software build (make -j8); {BUSY}"


def test_two_that_make_like_heat_keep_their_order(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    for second in range(600):
        wobble = 12.0 * (-1) ** (second // 40)
        stage.step(
            make_account("cc1", 3.0, **MAKE),
            make_account("ollama", 0.2, gpu_percent=60.0, gpu_power_watts=30.0 + wobble),
            seconds=1,
            gpu_percent=60.0,
        )
    assert len(stage.headlines) <= 3  # normal, the first to be seen, both


def test_watts_go_to_who_took_them(make_stage: type[Stage], make_account: MakeAccount) -> None:
    stage = make_stage()
    make = make_account("cc1", 3.0, **MAKE)
    infer = make_account("ollama", 1.0, gpu_percent=90.0, gpu_power_watts=200.0)
    stage.play(lasting=300, idle=0.0, power_watts=30.0, gpu_power_watts=20.0)
    verdict = stage.play(
        make, infer, lasting=60, idle=0.0,
        gpu_percent=90.0, gpu_power_watts=220.0, power_watts=270.0,
    )  # fmt: skip
    watts = {cause.label: cause.power_watts for cause in verdict.causes}
    assert watts["Software build"] == pytest.approx(30.0, rel=0.05)
    assert watts["Ollama language model"] == pytest.approx(210.0, rel=0.05)
    rows = {row.label: row.week_joules for row in verdict.energy or ()}
    assert sum(rows.values()) == pytest.approx(300 * 30 + 60 * 270, rel=0.01)
    assert rows["Ollama language model"] == pytest.approx(60 * 210, rel=0.1)


def test_where_only_the_card_is_measured_nobody_else_gets_its_watts(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    make = make_account("cc1", 3.0, **MAKE)
    infer = make_account("ollama", 0.7, gpu_percent=90.0, gpu_power_watts=200.0)
    measured = {"gpu_percent": 90.0, "gpu_power_watts": 220.0, "power_watts": 220.0}
    verdict = stage.play(make, infer, lasting=60, **measured)
    watts = {cause.label: cause.power_watts for cause in verdict.causes}
    assert watts["Software build"] is None
    assert watts["Ollama language model"] > 190
    assert "Software build" not in {row.label for row in verdict.energy or ()}
