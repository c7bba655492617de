"""Rules as people write them: what is refused and why, quiet hours on any day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from publisher.config.companions import NotifyRule, NotifySettings
from publisher.errors import ConfigError
from subscriber_cli.notify.rules import Rule, Sort, named, quiet_hours_of, rules_of
from subscriber_cli.notify.trying import describe


def made(targets: tuple[str, ...] = ("phone",), **rules: NotifyRule) -> dict[str, Rule]:
    found = rules_of(NotifySettings(rules=rules), targets)
    return {rule.name: rule for rule in found}


def test_two_rules_come_along() -> None:
    assert {name: rule.sort for name, rule in made().items()} == {
        "alerts": Sort.ALERT,
        "silent": Sort.SILENT,
    }


def test_they_are_changed_or_switched_off_by_name() -> None:
    rules = made(alerts=NotifyRule(severity="critical"), silent=NotifyRule(enabled=False))
    assert list(rules) == ["alerts"]
    assert rules["alerts"].tells("disk_full", "critical")
    assert not rules["alerts"].tells("disk_full", "warning")


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"state": ("hott",)}, 'notify.rules.x.state: no state "hott"; did you mean hot?'),
        ({"category": ("bakcup",)},
         'notify.rules.x.category: no category "bakcup"; did you mean backup?'),
        ({"alert": ("disc_full",)},
         'notify.rules.x.alert: no alert "disc_full"; did you mean disk_full?'),
        ({"silent": True, "to": ("fone",)},
         'notify.rules.x.to: no target "fone"; did you mean phone?'),
        ({"cause": ("restic*",), "missing_by": "6am"},
         'notify.rules.x.missing_by: expected a time of day such as "06:00", found "6am"'),
        ({"missing_by": "06:00"},
         "notify.rules.x: missing_by needs cause or category: what is it that should have run?"),
        ({"alert": ("*",), "silent": True},
         "notify.rules.x: alert and silent cannot be one rule; make two of it"),
        ({"silent": True, "state": ("hot",)},
         "notify.rules.x: silent and state cannot be one rule; make two of it"),
        ({}, ("notify.rules.x: says not when; give it state, cause, category, temperature_above, "
              "rpm_above, watts_above, alert, silent, missing_by or summary")),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said_with_what_would_fit(
    rule: Mapping[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(x=NotifyRule(**rule))  # type: ignore[arg-type]
    assert str(caught.value) == complaint


def test_a_rule_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean alerts"):
        named(made().values(), "alert")


@pytest.mark.parametrize("text", ["22-7", "22:00", "25:00-07:00", "night"])
def test_quiet_hours_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"notify\.quiet_hours: expected"):
        quiet_hours_of(NotifySettings(quiet_hours=text))


@pytest.mark.parametrize(
    ("day", "minutes"),
    [("2026-06-15", 540), ("2026-03-28", 480), ("2026-10-24", 600)],
    ids=["of 24 hours", "of 23 hours", "of 25 hours"],
)
def test_quiet_hours_over_midnight_end_in_the_morning_whatever_clocks_do(
    day: str, minutes: int
) -> None:
    hours = quiet_hours_of(NotifySettings(quiet_hours="22:00 - 07:00"))
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone).timestamp()
    moments = [datetime.fromtimestamp(noon + 60 * minute, zone) for minute in range(24 * 60)]
    quiet = [moment for moment in moments if hours.hold(moment)]
    assert len(quiet) == minutes
    assert (quiet[0].strftime("%H:%M"), quiet[-1].strftime("%H:%M")) == ("22:00", "06:59")


def test_no_quiet_hours_are_never_quiet() -> None:
    hours = quiet_hours_of(NotifySettings())
    assert not any(hours.hold(datetime(2026, 1, 1, hour, tzinfo=UTC)) for hour in range(24))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"state": ("hot", "pressure"), "hosts": ("nas",), "for_minutes": 5},
         "nas is hot or under pressure for 5 min"),
        ({"rpm_above": 2000, "category": ("media",)},
         "a machine is above fan 2,000 rpm and with media to blame for 2 min"),
        ({"cause": ("restic*",), "missing_by": "06:00"},
         "restic* did not run on a machine in the day before 06:00"),
        ({"summary": "weekly"}, "what a machine did, on Mondays at 08:00"),
    ],
)  # fmt: skip
def test_rules_in_words(rule: Mapping[str, object], words: str) -> None:
    assert describe(made(x=NotifyRule(**rule))["x"]) == words  # type: ignore[arg-type]
