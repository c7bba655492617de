"""The overview is calm: it changes with the sentence, and with numbers that have moved."""

from __future__ import annotations

from typing import Any

from publisher.contract.metric import Reading
from publisher.contract.readings import CauseReading, EvidenceReading, ExplanationReading
from publisher.publishing.overview import Overview
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.registry import all_topics


def verdict(headline: str, *causes: tuple[str, float], **more: Any) -> ExplanationReading:
    found = tuple(
        CauseReading(name=name, category="backup", resource="cpu", share_percent=share, **more)
        for name, share in causes
    )
    return ExplanationReading(
        state="busy",
        headline=headline,
        cause="backup",
        causes=found,
        evidence=EvidenceReading(cpu_percent=sum(share for _, share in causes)),
    )


class Stage:
    def __init__(self) -> None:
        self._overview = Overview(all_topics())

    def make(self, now: float, **readings: Reading) -> Any:
        return self._overview.make(readings, now)


def test_a_number_stays_until_it_has_moved_by_its_deadband() -> None:
    stage = Stage()
    told = [
        stage.make(0.0, cpu=CpuReading(usage_percent=usage)).cpu_usage_percent
        for usage in (20.0, 22.0, 24.9, 25.0, 21.0, None, 21.0)
    ]
    assert told == [20.0, 20.0, 20.0, 25.0, 25.0, None, 25.0]


def test_who_is_to_blame_is_told_as_when_the_sentence_was_worded() -> None:
    stage = Stage()
    first = stage.make(0.0, explanation=verdict("borg", ("borg", 81.0), ("xz", 10.0)))
    assert (first.culprit, first.cause) == ("borg", "backup")
    assert [cause.told for cause in first.causes] == ["81 % of CPU use", "10 % of CPU use"]
    later = stage.make(30.0, explanation=verdict("borg", ("xz", 60.0), ("borg", 40.0)))
    assert (later.causes, later.evidence) == (first.causes, first.evidence)
    another = stage.make(32.0, explanation=verdict("xz", ("xz", 60.0), ("borg", 40.0)))
    assert another.culprit == "xz"
    assert another.evidence.cpu_percent == 100.0


def test_under_one_sentence_others_are_told_after_a_minute_and_shares_are_not() -> None:
    stage = Stage()
    first = stage.make(0.0, explanation=verdict("borg", ("borg", 81.0)))
    shares = stage.make(70.0, explanation=verdict("borg", ("borg", 60.0)))
    assert shares.causes == first.causes
    others = stage.make(140.0, explanation=verdict("borg", ("borg", 50.0), ("xz", 20.0)))
    assert [cause.name for cause in others.causes] == ["borg", "xz"]


def test_who_was_told_keeps_place_and_share_under_the_next_sentence() -> None:
    stage = Stage()
    first = stage.make(0.0, explanation=verdict("one", ("a", 50.0), ("b", 20.0), ("c", 10.0)))
    again = stage.make(
        2.0, explanation=verdict("two", ("a", 40.0), ("d", 24.0), ("c", 22.0), ("b", 14.0))
    )
    assert again.causes == first.causes
    moved = stage.make(4.0, explanation=verdict("three", ("a", 90.0), ("d", 6.0), ("c", 4.0)))
    # The third place is taken a minute later: some come and go all the time.
    assert [(each.name, each.share_percent) for each in moved.causes] == [
        ("a", 90.0), ("d", 6.0),
    ]  # fmt: skip


def test_whose_it_is_and_what_is_over_are_told_in_words() -> None:
    stage = Stage()
    served = stage.make(0.0, explanation=verdict("db", ("db", 60.0), on_behalf_of="nextcloud"))
    assert served.causes[0].told == "60 % of CPU use, for nextcloud"
    over = stage.make(1.0, explanation=verdict("still warm", ("make", 0.0), active=False))
    assert over.causes[0].told == "over, its heat is left"


def test_at_most_three_are_told() -> None:
    many = [(f"job {number}", 10.0) for number in range(9)]
    assert len(Stage().make(0.0, explanation=verdict("many", *many)).causes) == 3


def test_without_a_verdict_nothing_is_said_of_one() -> None:
    assert Stage().make(0.0, cpu=CpuReading(usage_percent=1.0)).culprit is None
