"""How the verdict calls those whom it names, and by which rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.explain.stage import MAKE, NORMAL, SENTENCE, MakeAccount, Stage

from publisher.explain.explain_settings import ExplainSettings


def test_a_cause_is_called_in_the_sentence_and_in_the_ranking_alike(
    stage: Stage, make_account: MakeAccount
) -> None:
    unit = {"kind": "unit", "label": "nightly", "unit": "nightly.service"}
    verdict = stage.play(make_account("borg", 3.5, **unit), lasting=10)
    assert verdict.headline == "CPU usage high due to: nightly (Borg backup)"
    assert (verdict.causes[0].label, verdict.causes[0].group) == ("Borg backup", "nightly")


def test_a_name_that_says_the_same_is_not_repeated(stage: Stage, make_account: MakeAccount) -> None:
    box = {"kind": "container", "label": "homeassistant", "container_name": "homeassistant"}
    verdict = stage.play(make_account("python3", 3.5, **box), lasting=10)
    assert verdict.headline == "CPU usage high due to: Home Assistant"


def test_two_that_read_alike_are_told_together(stage: Stage, make_account: MakeAccount) -> None:
    tests = {"kind": "job", "label": "pytest -q", "command": "pytest -q"}
    stage.play(
        make_account("python3", 1.8, **tests, key="job:1"),
        make_account("python3", 1.8, **tests, key="job:2"),
        lasting=20,
    )
    twice = "2 \N{MULTIPLICATION SIGN} Python tests (pytest -q)"
    assert stage.headlines == [NORMAL, f"CPU usage high due to: {twice}"]


def test_a_shell_gives_its_name_up_for_what_it_started(
    stage: Stage, make_account: MakeAccount
) -> None:
    job = {"kind": "job", "label": "nightly.sh", "script": "nightly.sh", "command": "nightly.sh"}
    stage.play(make_account("bash", 3.0, members=("bash",), **job), lasting=6)
    mines = make_account("xmrig", 3.0, members=("xmrig", "bash"), **job)
    verdict = stage.play(mines, lasting=60)
    assert verdict.headline == (
        "Suspected cryptomining: CPU usage high due to: XMRig cryptominer (nightly.sh)"
    )
    told = [event for event in stage.events if event.event == "alert_raised"]
    assert [event.alert for event in told] == ["cryptomining"]
    stage.play(lasting=60)
    labels = {event.event: event.label for event in stage.events if event.label}
    assert labels["cause_began"] == labels["cause_ended"] == "nightly.sh"


def test_rules_that_were_broken_since_they_were_checked_end_nothing(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[half = {")
    stage = make_stage(settings=ExplainSettings(rules_file=str(rules)))
    assert stage.play(make_account("cc1", 3.6, **MAKE), lasting=10).headline == SENTENCE


def test_an_unknown_program_is_named_plainly(stage: Stage, make_account: MakeAccount) -> None:
    verdict = stage.play(make_account("frobnicate", 3.5), lasting=4)
    assert verdict.headline == "CPU usage high due to: frobnicate"
    assert (verdict.cause, verdict.causes[0].confidence) == ("unknown", 0.3)


def test_a_guess_gives_way_to_knowledge_and_not_back(
    stage: Stage, make_account: MakeAccount
) -> None:
    first = make_account("python3", 3.5, kind="job", label="python3 go.py", script="go.py")
    later = make_account("cc1", 3.5, kind="job", label="python3 go.py", ancestors=("make",))
    assert "go.py" in stage.play(first, lasting=4).headline
    assert "Software build" in stage.play(later, lasting=4).headline
    assert "Software build" in stage.play(first, lasting=4).headline


def test_who_was_long_not_seen_gives_its_name_up(stage: Stage, make_account: MakeAccount) -> None:
    batch = {"kind": "job", "label": "batch.sh", "script": "batch.sh", "command": "batch.sh"}
    stage.play(make_account("xmrig", 3.5, members=("xmrig", "bash"), **batch), lasting=8)
    others = [make_account(name, 3.5, members=(name,), **batch) for name in ("spin", "whirl")]
    verdict = [stage.step(other) for _ in range(8) for other in others][-1]
    assert "miner" not in (verdict.headline or "")
    assert [cause.label for cause in verdict.causes] == ["batch.sh"]


def test_who_poses_as_another_is_not_taken_for_it_at_the_end(
    stage: Stage, make_account: MakeAccount
) -> None:
    poses = make_account("rsync", 3.5, executable="/tmp/rsync", disguise="calls itself rsync")
    stage.play(poses, lasting=6)
    ended = stage.step(make_account("rsync", 3.5))  # nobody can look at it any more
    assert ended.causes[0].category == "unknown"


def test_who_poses_as_a_kernel_thread_is_told_by_its_own_name(
    stage: Stage, make_account: MakeAccount
) -> None:
    batch = {"kind": "job", "label": "batch.sh", "script": "batch.sh", "command": "batch.sh"}
    stage.play(make_account("cc1", 3.5, members=("cc1", "make"), **batch), lasting=6)
    words = "calls itself a kernel thread, and is none"
    poses = make_account("kauditd0", 3.5, members=("kauditd0", "cc1"), disguise=words, **batch)
    stage.play(poses, lasting=4)
    told = [event.message for event in stage.events if event.event == "alert_raised"]
    assert told == [f"Possibly cryptomining: batch.sh {words}"]


def test_rules_are_not_loaded_for_a_machine_at_rest(
    make_stage: type[Stage],
    make_account: MakeAccount,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[half = {")  # which is said as soon as it is read
    stage = make_stage(settings=ExplainSettings(rules_file=str(rules)))
    stage.play(make_account("sshd", 0.01), lasting=60)
    assert caplog.text == ""
    stage.play(make_account("cc1", 3.6, **MAKE), lasting=10)
    assert "shipped rules alone" in caplog.text


def test_hostile_names_are_shown_harmlessly(stage: Stage, make_account: MakeAccount) -> None:
    evil = "\x1b]0;owned\x07\u202egnp.exe\n"
    verdict = stage.play(make_account(evil, 3.5), lasting=4)
    assert verdict.headline.isprintable()
    assert "\\x1b]0;owned" in verdict.headline
    stage.play(lasting=20)
    job = make_account("python3", 3.5, kind="job", label=f"python3 {evil}", script=evil)
    assert stage.play(job, lasting=4).headline.isprintable()
    assert all(event.message.isprintable() for event in stage.events)


def test_rules_that_were_changed_are_read_again(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("")
    stage = make_stage(ExplainSettings(rules_file=str(file)))
    stage.play(make_account("cc1", 3.6, **MAKE), lasting=10)
    stage.play(lasting=120)
    file.write_text('[media]\nmine = { label = "My encoder", program = "make" }')
    stage.explainer.take_rules(None)
    verdict = stage.play(make_account("cc1", 3.6, **MAKE), lasting=10)
    assert verdict.causes[0].label == "My encoder"


def test_what_goes_on_is_called_by_the_changed_rules(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    stage = make_stage(ExplainSettings(rules_file=str(file)))
    make = make_account("cc1", 3.6, **MAKE)
    for label in ("My encoder", "My other encoder"):
        file.write_text(f'[media]\nmine = {{ label = "{label}", program = "make" }}')
        stage.explainer.take_rules(None)
        verdict = stage.play(make, lasting=30)
        assert verdict.causes[0].label == label
        assert label in verdict.headline
    assert [event.event for event in stage.events].count("cause_began") == 1


def test_a_tool_is_told_with_the_words_for_it_and_no_others(
    stage: Stage, make_account: MakeAccount
) -> None:
    job = {"kind": "job", "label": "phases.sh", "script": "phases.sh", "interpreter": "bash"}
    stage.play(make_account("gzip", 3.5, members=("gzip", "bash"), **job), lasting=20)
    stage.play(make_account("python3", 3.5, members=("python3", "bash"), **job), lasting=6)
    assert not any("compression: python" in text for text in stage.headlines)
    assert any("phases.sh (compression: gzip)" in text for text in stage.headlines)
