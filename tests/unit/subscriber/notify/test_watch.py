"""What is told, when, and how often: durations, cooldowns, silence, missed words, restarts."""

from __future__ import annotations

from unit.subscriber.notify.stage import NOON, MakeStage, memory

from publisher.config.companions import NotifyRule
from publisher.contract.payload import rfc3339
from publisher.contract.readings import CauseReading, EvidenceReading
from publisher.contract.timeline import PastAlertReading
from subscriber_cli.model.decode import OnlineStatus

BUILD = CauseReading(
    name="Software build (make -j8)", label="Software build", category="development",
    group="make -j8", resource="cpu", share_percent=87, since=rfc3339(NOON - 120), active=True,
    on_behalf_of="alice", to_stop="kill -STOP 4711",
)  # fmt: skip
HOT = NotifyRule(state=("hot",), for_minutes=5, cooldown_minutes=30)


def test_what_lasts_is_told_once_and_once_when_it_is_over(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot", BUILD, headline="CPU hot due to: Software build (make -j8)")
    it.pass_seconds(290)
    assert it.told() == []
    it.pass_seconds(30)
    assert it.told() == ["nas is hot"]
    assert it.last_body() == (
        "CPU hot due to: Software build (make -j8)\n"
        "Software build (make -j8) · 87 % of cpu · for alice · since 11:58\n"
        "To stop or pause it: kill -STOP 4711"
    )
    it.pass_seconds(600)
    assert it.told() == []
    it.verdict("quiet")
    it.pass_seconds(50)
    assert it.told() == []
    it.pass_seconds(30)
    assert it.told() == ["Over: nas is hot"]
    assert it.last_body() == "12:00 to 12:15 (15 min)."


def test_what_is_brief_is_not_told(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    for _ in range(20):
        it.verdict("hot")
        it.pass_seconds(240)
        it.verdict("quiet")
        it.pass_seconds(60)
    assert it.told() == []


def test_what_comes_and_goes_is_told_no_more_often_than_the_cooldown(stage: MakeStage) -> None:
    it = stage(hot=NotifyRule(state=("hot",), for_minutes=0, cooldown_minutes=60))
    it.status("online")
    for _ in range(20):  # three hours
        it.verdict("hot")
        it.pass_seconds(270)
        it.verdict("quiet")
        it.pass_seconds(270)
    told = it.told()
    assert told.count("nas is hot") == 3
    assert told.count("Over: nas is hot") == 3
    assert "It came and went 6 times before that." in it.store.waiting("phone")[-2].body


def test_a_value_at_its_limit_does_not_flap(stage: MakeStage) -> None:
    it = stage(warm=NotifyRule(temperature_above=80, for_minutes=0, cooldown_minutes=0))
    it.status("online")
    for degrees in (79, 81, 80, 79, 81, 78, 81):
        it.verdict("busy", evidence=EvidenceReading(cpu_temperature_celsius=degrees))
        it.pass_seconds(120)
    assert it.told() == ["nas: CPU 81 °C"]
    it.verdict("busy", evidence=EvidenceReading(cpu_temperature_celsius=76))
    it.pass_seconds(120)
    assert it.told() == ["Over: nas: CPU 81 °C"]


def test_all_conditions_of_a_rule_must_hold(stage: MakeStage) -> None:
    it = stage(loud=NotifyRule(rpm_above=2000, category=("development",), for_minutes=0))
    it.status("online")
    it.verdict("busy", evidence=EvidenceReading(fan_speed_rpm=2100))
    it.verdict("busy", BUILD, evidence=EvidenceReading(fan_speed_rpm=1900))
    assert it.told() == []
    it.verdict("busy", BUILD, evidence=EvidenceReading(fan_speed_rpm=2100))
    assert it.told() == ["nas: fan 2,100 rpm"]


def test_a_cause_by_any_of_its_names(stage: MakeStage) -> None:
    it = stage(build=NotifyRule(cause=("make*",), for_minutes=0))
    it.status("online")
    it.verdict("busy", BUILD)
    assert it.told() == ["nas: Software build (make -j8)"]


def test_an_alert_is_told_once_and_once_when_it_is_over(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.raise_alert("disk_full", "File system / is nearly full; restic has written the most lately")
    it.event("alert_raised", "File system / is nearly full", alert="disk_full", id="run-1")  # again
    assert it.told() == ["nas: File system / is nearly full; restic has written the most lately"]
    it.pass_seconds(3600)
    it.clear_alert("disk_full", "File system / is nearly full")
    assert len(it.told()) == 1
    assert it.last_body() == "12:00 to 13:00 (1 h)."


def test_of_two_alerts_of_one_kind_each_is_its_own(stage: MakeStage) -> None:
    it = stage()
    it.raise_alert("disk_full", "File system / is nearly full")
    it.raise_alert("disk_full", "File system /home is nearly full")
    it.clear_alert("disk_full", "File system / is nearly full")
    assert it.told() == [
        "nas: File system / is nearly full",
        "nas: File system /home is nearly full",
        "Over: nas: File system / is nearly full",
    ]


def test_what_matters_little_is_not_told(stage: MakeStage) -> None:
    it = stage()
    it.raise_alert("unusual", "Unusual work at this hour", severity="info")
    assert it.told() == []


def test_an_end_that_nobody_heard_is_found_in_the_hosts_memory(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.raise_alert("fan", "Fan CPU stands still")
    it.told()
    it.pass_seconds(600)
    ended = PastAlertReading(
        alert="fan", message="Fan CPU stands still", began=rfc3339(it.now - 600),
        ended=rfc3339(it.now - 120), severity="warning",
    )  # fmt: skip
    it.hear("timeline", memory(it.now, alerts=(ended,)))
    assert it.told() == ["Over: nas: Fan CPU stands still"]
    assert it.last_body() == "12:00 to 12:08 (8 min)."
    it.clear_alert("fan", "Fan CPU stands still")
    assert it.told() == []


def test_a_beginning_that_nobody_heard_likewise(stage: MakeStage) -> None:
    it = stage()
    standing = PastAlertReading(
        alert="fan", message="Fan CPU stands still", began=rfc3339(it.now - 3600),
        severity="warning",
    )  # fmt: skip
    it.hear("timeline", memory(it.now, alerts=(standing,)), retained=True)
    assert it.told() == ["nas: Fan CPU stands still"]
    assert "Since 11:00." in it.last_body()
    it.raise_alert("fan", "Fan CPU stands still", at=it.now - 3600)  # the broker had kept it
    assert it.told() == []


def test_an_old_memory_does_not_raise_again_what_is_over(stage: MakeStage) -> None:
    it = stage(alerts=NotifyRule(cooldown_minutes=0))
    it.raise_alert("fan", "Fan CPU stands still")
    it.pass_seconds(60)
    it.clear_alert("fan", "Fan CPU stands still")
    it.told()
    standing = PastAlertReading(
        alert="fan", message="Fan CPU stands still", began=rfc3339(it.now - 60), severity="warning"
    )
    it.hear("timeline", memory(it.now - 30, alerts=(standing,)), retained=True)
    it.pass_seconds(600)
    assert it.told() == []


def test_a_daemon_that_is_restarted_neither_ends_nor_repeats_an_alert(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.raise_alert("fan", "Fan CPU stands still")
    it.told()
    it.event(
        "alert_cleared", "No longer watched: Fan CPU stands still", alert="fan", unwatched=True
    )
    it.status("offline")
    it.pass_seconds(120)
    it.status("online")
    it.raise_alert("fan", "Fan CPU stands still")
    it.pass_seconds(1800)
    assert it.told() == []


def test_an_alert_that_a_restarted_daemon_does_not_raise_again_is_over(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.raise_alert("fan", "Fan CPU stands still")
    it.told()
    it.event(
        "alert_cleared", "No longer watched: Fan CPU stands still", alert="fan", unwatched=True
    )
    it.status("online")
    it.pass_seconds(1000)
    assert it.told() == ["Over: nas: Fan CPU stands still"]


def test_a_restart_doubles_nothing_and_forgets_nothing(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot")
    it.raise_alert("fan", "Fan CPU stands still")
    it.pass_seconds(330)
    assert it.told() == ["nas: Fan CPU stands still", "nas is hot"]
    for _ in range(3):
        it.kill()
        it.start()
        it.status("online", retained=True)
        it.verdict("hot")
        it.event("alert_raised", "Fan CPU stands still", alert="fan", id="run-1")
        it.pass_seconds(400)
    assert it.told() == []
    it.kill()
    it.start()
    it.status("online", retained=True)
    it.verdict("quiet")
    it.clear_alert("fan", "Fan CPU stands still")
    it.pass_seconds(90)
    assert it.told() == ["Over: nas: Fan CPU stands still", "Over: nas is hot"]


def test_what_must_last_goes_on_lasting_through_a_restart(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot")
    it.pass_seconds(200)
    it.kill()
    it.start()
    it.status("online", retained=True)
    it.verdict("hot")
    it.pass_seconds(120)
    assert it.told() == ["nas is hot"]


def test_a_host_that_is_gone_is_told_and_that_it_is_back(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.status("offline")
    it.pass_seconds(590)
    assert it.told() == []
    it.pass_seconds(60)
    assert it.told() == ["nas is offline"]
    it.status("online")
    it.pass_seconds(30)
    assert it.told() == ["nas is back"]


def test_a_reboot_is_no_silence(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.status("offline")
    it.pass_seconds(300)
    it.status("online")
    it.pass_seconds(600)
    assert it.told() == []


def test_a_host_that_says_nothing_more_is_told_even_if_the_notifier_was_restarted(
    stage: MakeStage,
) -> None:
    it = stage()
    it.status("online")
    it.kill()
    it.now += 86400
    it.start()
    it.pass_seconds(900 + 700)
    assert it.told() == ["nas says nothing any more"]
    assert it.last_body().endswith("Last heard Mon 12:00.")


def test_while_the_broker_is_away_no_host_is_silent(stage: MakeStage) -> None:
    it = stage()
    for host in ("nas", "pve"):
        it.status("online", f"host/{host}")
    it.watch.disconnect(it.now)
    it.pass_seconds(7200)
    assert it.told() == ["The broker cannot be reached"]
    it.watch.connect(it.now)
    it.pass_seconds(60)
    assert it.told() == ["The broker is back"]
    for host in ("nas", "pve"):
        it.status("online", f"host/{host}")
    it.pass_seconds(600)
    assert it.told() == []


def test_a_host_that_was_taken_away_is_not_silent(stage: MakeStage) -> None:
    it = stage()
    it.status("online")
    it.status("offline")
    it.status(None)
    it.pass_seconds(7200)
    assert it.told() == []
    assert it.store.hosts() == {}


def test_what_is_said_of_a_host_that_is_gone_is_no_news(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot")
    it.pass_seconds(120)
    it.status("offline")
    it.pass_seconds(3600)
    assert it.told() == ["nas is offline"]


def test_a_clock_that_is_set_back_neither_doubles_nor_holds_up(stage: MakeStage) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot")
    it.now -= 3600
    it.status("online")
    it.pass_seconds(330)
    assert it.told() == ["nas is hot"]
    it.verdict("quiet")
    it.now -= 3600
    it.status("online")
    it.pass_seconds(90)
    assert it.told() == ["Over: nas is hot"]


def test_made_up_alerts_and_hosts_have_bounds(stage: MakeStage) -> None:
    it = stage()
    for number in range(300):
        it.raise_alert("fan", f"Fan {number} stands still")
    assert len(it.store.incidents()) == 100
    for number in range(700):
        it.status("online", f"host/made-up-{number}")
    assert 490 < len(it.store.hosts()) <= 500
    assert len(it.store.waiting("phone")) <= 300


def test_hostile_names_are_text(stage: MakeStage) -> None:
    it = stage(any=NotifyRule(category=("development",), for_minutes=0))
    evil = "<b>[x](http://evil.example)*@everyone*\x1b[31m\u202e\n# h"
    cause = CauseReading(name=evil, category="development", active=True, to_stop=evil)
    it.hear("status", OnlineStatus.ONLINE, prefix="host/<!channel>")
    it.verdict("busy", cause, prefix="host/<!channel>", headline=evil)
    found = it.store.waiting("phone")[0]
    for text in (found.title, found.body):
        assert not set(text) & set("<>*`[]\x1b\u202e")
        assert "@everyone" not in text
        assert "://" not in text


def test_rules_are_about_the_hosts_that_they_name(stage: MakeStage) -> None:
    it = stage(hot=NotifyRule(state=("hot",), hosts=("nas*",), for_minutes=0))
    for host in ("nas", "pve"):
        it.status("online", f"host/{host}")
        it.verdict("hot", prefix=f"host/{host}")
    assert it.told() == ["nas is hot"]


def test_what_can_only_be_changed_by_a_message_is_not_looked_at_all_the_time(
    stage: MakeStage,
) -> None:
    it = stage(hot=HOT)
    it.status("online")
    it.verdict("hot")
    it.pass_seconds(30)
    assert it.watch.due() == NOON + 300
    it.status("offline")
    it.pass_seconds(3600)
    assert it.watch.due() == float("inf")


def test_who_is_no_machine_is_not_missed(stage: MakeStage) -> None:
    it = stage()
    it.raise_alert("fan", "Fan CPU stands still", prefix="host/forged")
    it.pass_seconds(7200)
    assert it.told() == ["forged: Fan CPU stands still"]


def test_a_long_sentence_is_whole_in_the_text(stage: MakeStage) -> None:
    it = stage()
    sentence = "CPU usage stays high: " + ", ".join(f"program {number}" for number in range(20))
    it.raise_alert("cpu", sentence)
    (title,) = it.told()
    assert len(title) == 120
    assert title.endswith("…")
    assert it.last_body().startswith(f"nas: {sentence}\nSince ")
