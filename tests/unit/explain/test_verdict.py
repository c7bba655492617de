"""The verdict over time: who is named, when, and what is never said."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from unit.explain.stage import MAKE, NORMAL, SENTENCE, MakeAccount, Stage

from publisher.contract.payload import encode, to_json
from publisher.contract.readings import EvidenceReading
from publisher.explain.explain_settings import ExplainSettings
from publisher.ledger.accounts import Balance


def test_an_onset_is_named_within_a_second_and_a_half(
    stage: Stage, make_account: MakeAccount
) -> None:
    make = make_account("cc1", 3.6, **MAKE)
    stage.play(lasting=20)
    began = stage.now
    verdict = stage.step(make, seconds=0.5)
    assert verdict.headline == NORMAL
    while verdict.headline == NORMAL:
        verdict = stage.step(make, seconds=stage.soon())
    assert stage.now - began <= 1.5
    assert (verdict.state, verdict.headline, verdict.cause) == ("busy", SENTENCE, "development")


def test_a_blip_says_nothing(stage: Stage, make_account: MakeAccount) -> None:
    for pause in (0.5, 2, 2, 7, 30):
        stage.step(make_account("ls", 3.6 * 0.6), seconds=0.5)  # 0.3 s of a window of 0.5 s
        stage.play(lasting=pause, seconds=min(pause, 2))
    assert stage.headlines == [NORMAL]
    assert stage.events == []


def test_a_blip_within_a_long_window_says_nothing(stage: Stage, make_account: MakeAccount) -> None:
    stage.step(make_account("ls", 3.6 * 0.15), seconds=2)
    stage.step(seconds=0.5)
    assert stage.headlines == [NORMAL]


def test_the_end_is_noticed_and_told_once(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.6, **MAKE)
    stage.play(make, lasting=60)
    ended = stage.now
    while stage.step().headline != NORMAL:
        pass
    assert stage.now - ended <= 6
    kinds = [event.event for event in stage.events]
    assert kinds == ["cause_began", "state_changed", "cause_ended", "state_changed"]
    assert [cause.label for cause in stage.events[0].causes] == ["Software build"]
    over = stage.events[2]
    assert over.causes == ()
    assert over.label == "Software build (make -j8)"
    assert 55 <= over.duration_seconds <= 62
    assert 200 <= over.cpu_seconds <= 220
    assert len({event.id for event in stage.events}) == 4


def test_a_wavering_load_does_not_flicker(stage: Stage, make_account: MakeAccount) -> None:
    for second in range(300):
        cores = (3.6, 0.9, 2.0, 0.5)[second % 4]
        stage.step(make_account("cc1", cores, **MAKE), seconds=1)
    assert stage.headlines == [NORMAL, SENTENCE, f"{SENTENCE}, since 12:00"]


def test_a_pause_shorter_than_the_dwell_changes_nothing(
    stage: Stage, make_account: MakeAccount
) -> None:
    make = make_account("cc1", 3.6, **MAKE)
    for _ in range(20):
        stage.play(make, lasting=10)
        stage.play(lasting=2)
    assert stage.headlines == [NORMAL, SENTENCE, f"{SENTENCE}, since 12:00"]


def test_two_equal_loads_keep_their_order(stage: Stage, make_account: MakeAccount) -> None:
    for second in range(200):
        wobble = 0.3 * (-1) ** second
        stage.step(
            make_account("cc1", 1.8 + wobble, **MAKE), make_account("borg", 1.8 - wobble), seconds=1
        )
    assert len(stage.headlines) == 2
    assert "Borg backup" in stage.headlines[1]
    assert "Software build (make -j8)" in stage.headlines[1]


def test_a_second_load_joins_and_leaves(stage: Stage, make_account: MakeAccount) -> None:
    make, borg = make_account("cc1", 2.0, **MAKE), make_account("borg", 1.5)
    stage.play(make, lasting=30)
    joined = stage.now
    while "Borg" not in stage.step(make, borg, seconds=stage.explainer.wants_soon() or 2).headline:
        pass
    assert stage.now - joined <= 5
    stage.play(make, borg, lasting=30)
    stage.play(make, lasting=10)
    assert stage.headlines == [
        NORMAL,
        SENTENCE,
        "CPU usage high due to: Software build (make -j8) and Borg backup",
        SENTENCE,
    ]


def test_who_comes_late_in_a_window_is_looked_at_again_at_once(
    stage: Stage, make_account: MakeAccount
) -> None:
    make = make_account("cc1", 3.6, **MAKE)
    stage.play(make, lasting=30)
    assert stage.explainer.wants_soon() is None
    began = stage.now + 1.4
    borg = make_account("borg", 1.8 * 0.3)  # 0.6 s of a window of 2 s
    stage.step(make_account("cc1", 3.0, **MAKE), borg)
    both = make_account("cc1", 1.8, **MAKE), make_account("borg", 1.8)
    while len(stage.step(*both, seconds=stage.soon()).causes) < 2:
        pass
    assert stage.now - began <= 3
    while "Borg" not in stage.headlines[-1]:
        stage.step(*both, seconds=stage.soon())
    assert stage.now - began <= 5.5


def test_small_users_are_not_blamed_but_told(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.0, **MAKE)
    helper = make_account("rsyslogd", 0.2)
    hoarder = make_account("java", 0.0, memory_bytes=4 << 30)
    verdict = stage.play(make, helper, hoarder, lasting=10)
    assert len(verdict.causes) == 1
    reasons = {item.label: item.reason for item in verdict.rejected}
    assert reasons == {
        "System log": "works too, but its share of the CPU time is small",
        "Java program": "holds much memory, but is not at work",
    }


def test_the_cause_carries_its_evidence(stage: Stage, make_account: MakeAccount) -> None:
    cause = stage.play(make_account("cc1", 3.6, **MAKE), lasting=10).causes[0]
    assert (cause.category, cause.label, cause.kind) == ("development", "Software build", "job")
    assert (cause.resource, round(cause.share_percent)) == ("cpu", 100)
    assert round(cause.cpu_percent) == 360
    assert cause.confidence == 0.95
    assert cause.active
    assert cause.reason == "uses much of the CPU time; job of 'make'"
    assert cause.group == "make -j8"
    assert cause.since


def test_states_and_resources_are_plain_words_in_the_payload(
    stage: Stage, make_account: MakeAccount
) -> None:
    payload = encode(to_json(stage.play(make_account("cc1", 3.6, **MAKE), lasting=10)))
    assert payload.startswith(b'{"state":"busy","headline":')
    assert b'"resource":"cpu"' in payload
    events = [encode(to_json(event)) for event in stage.events]
    assert b'"resource":"cpu"' in events[0]
    assert b'"state":"busy","previous_state":"quiet"' in events[1]


def test_memory_under_pressure_goes_before_the_processor(
    stage: Stage, make_account: MakeAccount
) -> None:
    make = make_account("cc1", 1.8, **MAKE, memory_bytes=1 << 28)
    holder = make_account("postgres", 0.05, memory_bytes=2 << 30)
    disk = make_account("borg", 0.05, disk_read_bytes_per_second=80e6)
    verdict = stage.play(
        make, holder, disk, lasting=20, pressure_memory_percent=30.0, disk_bytes_per_second=80e6
    )
    assert (verdict.state, verdict.cause) == ("pressure", "database")
    assert [(cause.label, cause.resource) for cause in verdict.causes] == [
        ("PostgreSQL database", "memory"),
        ("Software build", "cpu"),
        ("Borg backup", "disk"),
    ]
    assert verdict.headline == (
        "Memory pressure from PostgreSQL database; CPU usage high due to: Software build (make -j8)"
        "; high disk I/O from Borg backup"
    )
    # The pressure is over: what is left keeps its place.
    verdict = stage.play(make, holder, disk, lasting=20, disk_bytes_per_second=80e6)
    assert [cause.resource for cause in verdict.causes] == ["cpu", "disk"]


def test_the_share_is_of_the_resource_that_is_told(stage: Stage, make_account: MakeAccount) -> None:
    hog = make_account("gobbler", 3.5, memory_bytes=8 << 30)
    other = make_account("java", 0.1, memory_bytes=8 << 30)
    (cause,) = stage.play(hog, other, lasting=20).causes
    assert (cause.resource, round(cause.share_percent)) == ("cpu", 97)
    verdict = stage.play(hog, other, lasting=20, pressure_memory_percent=40.0)
    shares = {cause.label: (cause.resource, cause.share_percent) for cause in verdict.causes}
    assert shares == {"gobbler": ("memory", 50.0), "Java program": ("memory", 50.0)}
    (cause,) = stage.play(hog, other, lasting=20).causes
    assert (cause.resource, round(cause.share_percent)) == ("cpu", 97)


def test_a_suspected_miner_is_never_cut_off(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage(cores=16, settings=ExplainSettings(cause_share_percent=5))
    jobs = [make_account(f"job{number}", 1.8) for number in range(7)]
    verdict = stage.play(*jobs, make_account("xmrig", 0.9), lasting=20)
    assert verdict.headline.startswith("Suspected cryptomining: XMRig")
    assert verdict.causes[0].category == "cryptomining"
    assert len(verdict.causes) == 6


def test_whose_a_spread_load_is_does_not_waver(stage: Stage) -> None:
    for second in range(100):
        unnamed = (0.4, 0.6, 0.45, 0.55)[second % 4]
        stage.now += 1
        balance = Balance(
            window_seconds=1.0, cores=4, busy_seconds=3.6, unattributed_seconds=3.6 * unnamed
        )
        verdict = stage.explainer.judge(
            balance, EvidenceReading(cpu_percent=90.0), now=stage.now, wall=stage.wall + second
        )
        stage.headlines.append(verdict.headline or "")
    told = list(dict.fromkeys(stage.headlines))
    assert told[-1] == "CPU usage high, mostly from processes that cannot be named"
    changes = sum(a != b for a, b in pairwise(stage.headlines))
    assert changes == len(told) - 1


def test_one_busy_core_is_not_called_high_usage(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage(cores=8)
    stage.play(make_account("xz", 1.0), lasting=10)
    assert stage.headlines[-1] == "CPU busy with: Compression (xz)"


def test_one_busy_core_of_many_is_nothing(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage(cores=64)
    stage.play(make_account("xz", 1.0), lasting=10)
    assert stage.headlines == [NORMAL]


def test_fanwhy_is_not_blamed_for_little(stage: Stage, make_account: MakeAccount) -> None:
    stage.play(make_account("python3", 0.25, own=True), make_account("ls", 0.4), lasting=30)
    assert stage.headlines == [NORMAL]


def test_fanwhy_says_so_when_it_is_the_hog(stage: Stage, make_account: MakeAccount) -> None:
    verdict = stage.play(make_account("python3", 2.0, own=True), lasting=30)
    assert verdict.headline.startswith("CPU usage high due to: fanwhy")
    assert verdict.cause == "monitoring"


def test_nobody_in_particular(stage: Stage, make_account: MakeAccount) -> None:
    many = [make_account(f"job{number}", 0.2) for number in range(15)]
    verdict = stage.play(*many, lasting=10)
    assert verdict.headline == "CPU usage high, spread over many programs, the most by job0"
    assert [cause.label for cause in verdict.causes] == ["job0"]


def test_memory_pressure_is_blamed_on_who_takes_it(stage: Stage, make_account: MakeAccount) -> None:
    postgres = make_account("postgres", 0.1, memory_bytes=6 << 30)
    redis = make_account("redis-server", 0.1, memory_bytes=5 << 30)
    other = make_account("nginx", 0.1, memory_bytes=1 << 30)
    verdict = stage.play(postgres, redis, other, lasting=10, pressure_memory_percent=35.0)
    assert verdict.state == "pressure"
    assert verdict.headline == (
        "CPU usage normal, memory pressure from database operations, most by PostgreSQL database"
    )


def test_memory_that_is_being_taken_counts_more_than_what_is_held(
    stage: Stage, make_account: MakeAccount
) -> None:
    held = make_account("mysqld", memory_bytes=8 << 30)
    hog = make_account(
        "gobbler", memory_bytes=2 << 30, memory_growth_bytes_per_second=float(1 << 30)
    )
    verdict = stage.play(held, hog, lasting=10, memory_available_percent=2.0)
    assert verdict.causes[0].label == "gobbler"


def test_miners_on_both_are_named(stage: Stage, make_account: MakeAccount) -> None:
    xmrig, trex = make_account("xmrig", 3.0), make_account("t-rex", 0.1, gpu_percent=95.0)
    verdict = stage.play(xmrig, trex, lasting=20, gpu_percent=96.0)
    assert "XMRig cryptominer" in verdict.headline
    assert "t-rex" in verdict.headline


def test_the_alert_names_who_is_on_the_cpu(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.9, **MAKE)
    rclone = make_account("rclone", 0.03, network_transmit_bytes_per_second=60e6)
    stage.play(make, rclone, lasting=400, network_bytes_per_second=61e6)
    (alert,) = [event for event in stage.events if event.event == "alert_raised"]
    assert alert.message == "CPU usage stays high: Software build (make -j8)"


def test_an_event_tells_the_state_that_goes_with_it(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(make_account("cc1", 3.6, **MAKE), lasting=20)
    stage.play(lasting=20)
    states = [(event.event, event.state) for event in stage.events]
    assert states == [
        ("cause_began", "busy"),
        ("state_changed", "busy"),
        ("cause_ended", "quiet"),
        ("state_changed", "quiet"),
    ]


def test_who_sleeps_is_innocent_of_pressure_under_a_limit(
    stage: Stage, make_account: MakeAccount
) -> None:
    asleep = make_account("mysqld", memory_bytes=8 << 30)
    limited = make_account("gobbler", 0.2, memory_bytes=1 << 28)
    pressed = {"pressure_memory_percent": 60.0}
    verdict = stage.play(asleep, limited, lasting=10, memory_available_percent=70.0, **pressed)
    assert [cause.label for cause in verdict.causes] == ["gobbler"]
    # Where all the machine is short of memory, whoever holds it has a part in that.
    verdict = stage.play(asleep, limited, lasting=10, memory_available_percent=4.0, **pressed)
    assert verdict.causes[0].label == "MySQL database"


def test_who_reads_under_a_limit_is_at_work(stage: Stage, make_account: MakeAccount) -> None:
    asleep = make_account("mysqld", memory_bytes=8 << 30)
    limited = make_account("gobbler", memory_bytes=1 << 28, disk_read_bytes_per_second=2e6)
    verdict = stage.play(
        asleep, limited, lasting=10, memory_available_percent=70.0, pressure_memory_percent=60.0
    )
    assert [cause.label for cause in verdict.causes] == ["gobbler"]


def test_the_same_culprit_in_other_words_is_told_in_a_while(
    stage: Stage, make_account: MakeAccount
) -> None:
    reads = make_account("gobbler", 0.1, memory_bytes=1 << 30, disk_read_bytes_per_second=90e6)
    works = make_account("gobbler", 3.6, memory_bytes=1 << 30, disk_read_bytes_per_second=90e6)
    disk: dict[str, Any] = {"disk_bytes_per_second": 95e6}
    stage.play(reads, lasting=1.5, seconds=0.5, **disk)
    began = stage.now
    stage.step(works, seconds=0.5, **disk)
    while len(stage.headlines) < 3:
        stage.step(works, seconds=0.5, pressure_memory_percent=60.0, **disk)
    assert 3 <= stage.now - began <= 5
    assert stage.headlines == [
        NORMAL,
        "High disk I/O from gobbler",
        "Memory pressure and CPU usage high due to: gobbler",
    ]
    # One that joins is told of in a while too, now that much was told.
    make = make_account("cc1", 3.6, **MAKE)
    changed = stage.now
    while len(stage.headlines) < 4:
        stage.step(make, works, seconds=0.5, pressure_memory_percent=60.0, **disk)
    assert stage.now - changed <= 25


def test_a_clock_that_is_set_late_dates_anew(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.6, **MAKE)
    before = stage.play(make, lasting=60)
    month = 30 * 86400.0
    stage.wall += month
    stage.explainer.clock_was_set(month)
    verdict = stage.step(make)
    assert verdict.headline == before.headline == SENTENCE
    assert (before.since, before.causes[0].since) == (
        "2026-05-28T12:00:04.000Z", "2026-05-28T12:00:00.000Z",
    )  # fmt: skip
    assert (verdict.since, verdict.causes[0].since) == (
        "2026-06-27T12:00:04.000Z", "2026-06-27T12:00:00.000Z",
    )  # fmt: skip


def test_disk_and_network(stage: Stage, make_account: MakeAccount) -> None:
    backup = make_account("backupd", 0.1, disk_read_bytes_per_second=90e6)
    verdict = stage.play(backup, lasting=10, disk_bytes_per_second=95e6)
    assert (verdict.state, verdict.headline) == (
        "busy",
        "High disk I/O from Time Machine backup (backupd)",
    )
    stage.play(lasting=20)
    torrent = make_account("qbittorrent-nox", 0.1, network_receive_bytes_per_second=60e6)
    verdict = stage.play(torrent, lasting=10, network_bytes_per_second=61e6)
    assert verdict.headline == "High network traffic from qBittorrent (qbittorrent-nox)"


def test_gpu(stage: Stage, make_account: MakeAccount) -> None:
    ollama = make_account("ollama", 0.2, gpu_percent=92.0)
    verdict = stage.play(ollama, lasting=10, gpu_percent=93.0)
    assert verdict.headline == "GPU usage high due to: Ollama language model"


def test_a_miner_is_flagged_at_once(stage: Stage, make_account: MakeAccount) -> None:
    verdict = stage.play(make_account("xmrig", 3.5), lasting=4)
    assert verdict.headline.startswith("Suspected cryptomining")
    raised = [event for event in stage.events if event.event == "alert_raised"]
    assert [(event.alert, event.severity) for event in raised] == [("cryptomining", "critical")]


def test_a_miner_is_the_first_cause_however_small(stage: Stage, make_account: MakeAccount) -> None:
    verdict = stage.play(make_account("cc1", 2.6, **MAKE), make_account("xmrig", 1.0), lasting=6)
    assert verdict.cause == "cryptomining"
    assert [cause.category for cause in verdict.causes] == ["cryptomining", "development"]


def test_a_long_cause_is_told_with_its_beginning(stage: Stage, make_account: MakeAccount) -> None:
    stage.play(make_account("cc1", 3.6, **MAKE), lasting=900)
    assert stage.headlines == [NORMAL, SENTENCE, f"{SENTENCE}, since 12:00"]


def test_high_stays_high_until_the_load_is_over(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage(cores=8)
    for cores in (6.0, 1.0, 6.0, 1.0):
        stage.play(make_account("cc1", cores, **MAKE), lasting=20)
    assert stage.headlines == [NORMAL, SENTENCE]


def test_thresholds_can_be_set(make_stage: type[Stage], make_account: MakeAccount) -> None:
    deaf = make_stage(settings=ExplainSettings(busy_cores=3.9, busy_percent=97))
    deaf.play(make_account("cc1", 3.6, **MAKE), lasting=60)
    assert deaf.headlines == [NORMAL]


def test_a_first_window_is_no_verdict_on_the_past(stage: Stage) -> None:
    verdict = stage.explainer.judge(
        Balance(window_seconds=2.0, cores=4, busy_seconds=0.0), EvidenceReading(), now=1.0, wall=9.0
    )
    assert (verdict.state, verdict.headline) == ("quiet", NORMAL)
    assert to_json(verdict)["since"] == "1970-01-01T00:00:09.000Z"


def test_what_goes_on_at_the_end_is_told_as_ended_once(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(make_account("cc1", 3.9, **MAKE), lasting=330)
    told = len(stage.events)
    for _ in range(2):
        stage.explainer.close()
    ends: list[Any] = stage.explainer.transitions()
    began = stage.events[0]
    assert [(event.event, event.message) for event in ends] == [
        ("cause_ended", "Software build (make -j8): no longer watched"),
        ("alert_cleared", "No longer watched: CPU usage stays high: Software build (make -j8)"),
    ]
    assert all(event.unwatched for event in ends)
    assert not any(event.unwatched for event in stage.events)
    assert (ends[0].label, ends[0].began) == (began.label, began.began)
    assert 320 <= ends[0].duration_seconds <= 330
    assert 0 <= ends[1].duration_seconds <= 330
    assert len({event.id for event in [*stage.events, *ends]}) == told + 2


def test_nothing_new_is_said_of_loads_that_are_over(
    stage: Stage, make_account: MakeAccount
) -> None:
    make, borg = make_account("cc1", 2.0, **MAKE), make_account("borg", 1.2)
    small = [make_account(f"helper{number}", 0.15) for number in range(3)]
    stage.play(make, borg, *small, lasting=30)
    told = list(stage.headlines)
    stage.play(lasting=20, seconds=0.5)
    assert stage.headlines == [*told, NORMAL]
