"""What programs are answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_families

from publisher.contract.payload import rfc3339
from publisher.contract.timeline import (
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from subscriber_cli.archive.writer import Writer

EVIL = "<img src=x onerror=alert(1)>\u202e\x1b[2J"


def test_hosts_are_listed_with_their_sentence(page: Any) -> None:
    (host,) = page.ask("/api/hosts").json["hosts"]
    assert host["host"] == "nas"
    assert host["state"] == "busy"
    assert host["headline"] == "CPU usage high due to: compile job (make -j8)"
    assert host["fan_speed_rpm"] == 2100


def test_a_topic_is_what_the_host_said_last(page: Any, say: Callable[..., Any], cpu: Any) -> None:
    first = page.ask("/api/nas/cpu")
    assert first.json["usage_percent"] == 87.4
    assert first.json["top"][0]["label"] == "make -j8"

    page.say(say("cpu", cpu(12.0)))
    assert page.ask("/api/nas/cpu").json["usage_percent"] == 12.0


@pytest.mark.parametrize("name", ["nas", "NAS", "host"])
def test_a_host_goes_by_its_name_its_prefix_or_its_id(page: Any, name: str) -> None:
    assert page.ask(f"/api/{name}/explanation").json["host"] == "nas"
    identity = page.ask("/api/hosts").json["hosts"][0]["id"]
    assert page.ask(f"/api/{identity}/explanation").json["host"] == "nas"


def test_who_has_it_is_told_that_nothing_changed(
    page: Any, say: Callable[..., Any], cpu: Any
) -> None:
    tag = page.ask("/api/nas/cpu").headers["etag"]

    for known in (tag, f'"other", W/{tag}', "*"):
        again = page.ask("/api/nas/cpu", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
    assert page.ask("/api/nas/cpu", if_none_match='"other"').status == 200
    page.say(say("cpu", cpu(12.0)))
    assert page.ask("/api/nas/cpu", if_none_match=tag).status == 200


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/nas/gpu", 404, "has said nothing of gpu; there is cpu"),
        ("/api/other/cpu", 404, "no host is called other; there are: nas"),
        ("/api/nas/why?at=tomorrow", 400, "at: 'tomorrow' is no time"),
        ("/api/nas/why", 400, "at: '' is no time"),
        ("/api/nas/history?since=2999-01-01T00:00", 400, "lies ahead"),
        ("/api/nas/history?step=x&metric=cpu", 400, "step: x: is a number"),
        ("/api/nas/events?limit=0", 400, "limit: 0: is a number"),
        ("/api/nas/report?period=year", 400, "period: year: is one of day, week, month"),
        ("/api/nas/report", 404, "fanwhy-sub record"),
        ("/api/nas/history?metric=cpu", 404, "fanwhy-sub record"),
        ("/api/nas/refresh", 405, "takes another method"),
        ("/nothing", 404, "/api lists"),
        ("/assets/old/app.js", 404, "load the page again"),
    ],
)
def test_what_cannot_be_answered_is_told_as_a_problem(
    page: Any, path: str, status: int, detail: str
) -> None:
    method = "DELETE" if "refresh" in path else "GET"
    answer = page.ask(path, method=method, origin="http://localhost:8642")
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert detail in answer.json["detail"]


def test_two_hosts_of_one_name_have_to_be_told_apart(page: Any, say: Callable[..., Any]) -> None:
    page.say(say("status", "online", prefix="other/nas"), say("status", "online", prefix="host"))
    answer = page.ask("/api/nas/cpu")
    assert answer.status == 409
    ids = [host["id"] for host in page.ask("/api/hosts").json["hosts"]]
    assert all(identity in answer.json["detail"] for identity in ids)


def test_a_number_that_json_has_no_word_for_is_none(page: Any, say: Callable[..., Any]) -> None:
    document = {"host": "nas", "usage_percent": float("nan"), "list": [1e999, 2.0, {"x": -1e999}]}
    page.say(say("cpu", document))
    answer = page.ask("/api/nas/cpu")
    assert answer.json["usage_percent"] is None
    assert answer.json["list"] == [None, 2.0, {"x": None}]


def test_names_from_outside_are_text_in_every_answer(page: Any, say: Callable[..., Any]) -> None:
    verdict = {
        "host": EVIL, "state": "busy", "headline": f"due to: {EVIL}", "hint": EVIL,
        "causes": [{"label": EVIL, "group": "'; rm -rf ~ #", "reason": EVIL, "to_stop": EVIL}],
        "rejected": [{"label": EVIL, "reason": EVIL}],
    }  # fmt: skip
    page.say(say("explanation", verdict), say("event", {"message": EVIL, "id": EVIL}))

    home = page.ask("/").body.decode()
    assert "<img" not in home
    assert "&lt;img src=x" in home
    assert "\u202e" not in home
    stream = page.ask("/api/stream?host=host", most=1).body.decode("ascii")
    assert "\\u202e" in json.dumps("\u202e")
    assert "\u202e" not in stream
    assert "\x1b" not in stream
    verdicts = [json.loads(line[6:]) for line in stream.splitlines() if '"causes"' in line]
    assert verdicts[0]["causes"][0]["teach"] == "fanwhy-pub teach ''\"'\"'; rm -rf ~ #'"
    for path in ("/api/hosts", "/api/host/explanation", "/api/host/events", "/api/host/why?at=now"):
        answer = page.ask(path)
        assert answer.headers["content-type"].startswith("application/")
        assert answer.body.isascii()
        assert b"\x1b" not in answer.body


def test_a_host_is_asked_to_say_everything_again_but_not_all_the_time(page: Any) -> None:
    own = {"origin": "http://localhost:8642"}
    assert page.ask("/api/nas/refresh", method="POST", **own).status == 202
    again = page.ask("/api/nas/refresh", method="POST", **own)
    assert again.status == 429
    assert again.headers["retry-after"] == "5"
    assert page.source.asked == [("host", "refresh")]


def test_every_address_is_described(page: Any) -> None:
    document = page.ask("/api/openapi.json").json
    paths = document["paths"]

    assert document["openapi"] == "3.1.0"
    assert {"/api/hosts", "/api/{host}/cpu", "/api/{host}/why", "/metrics", "/healthz"} <= set(
        paths
    )
    assert "/login" not in paths
    operations = [told for methods in paths.values() for told in methods.values()]
    assert len({told["operationId"] for told in operations}) == len(operations)
    for path, methods in paths.items():
        for told in methods.values():
            in_path = {each["name"] for each in told["parameters"] if each["in"] == "path"}
            assert in_path == {word[1:-1] for word in path.split("/") if word[:1] == "{"}
            assert told["summary"]
    reference = page.ask("/api").body.decode()
    assert all(path in reference for path in paths)


def test_prometheus_reads_it(page: Any) -> None:
    answer = page.ask("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    text = answer.body.decode()
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    values = {
        sample.name: (sample.labels["host"], sample.value)
        for family in families
        for sample in family.samples
    }
    assert values["fanwhy_host_up"] == ("nas", 1.0)
    assert values["fanwhy_cpu_usage_ratio"][1] == pytest.approx(0.874)
    assert values["fanwhy_thermal_fans_speed_rpm"] == ("nas", 2100.0)

    older = page.ask("/metrics", accept="text/plain")
    assert older.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {each.name for each in older_families(older.body.decode())} == {
        each.name for each in families
    }


# --- what was ------------------------------------------------------------------------------------


def timeline(now: float) -> TimelineReading:
    began, ended = rfc3339(now - 7200), rfc3339(now - 3600)
    return TimelineReading(
        since=rfc3339(now - 86000),
        until=rfc3339(now),
        states=(PastStateReading(state="hot", headline="Hot: backup", began=began, ended=ended),),
        causes=(
            PastCauseReading(label="Backup", resource="cpu", share_percent=80.0,
                             began=began, ended=ended),
        ),
        series=(SeriesReading(began=began, step_seconds=3600.0, fan_speed_rpm=[2100.0]),),
    )  # fmt: skip


def test_without_an_archive_the_past_is_the_hosts_own_memory(
    page: Any, say: Callable[..., Any], now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: now)
    page.say(say("timeline", timeline(now)))
    why = page.ask(f"/api/nas/why?at={rfc3339(now - 5000)}").json
    assert (why["state"], why["headline"]) == ("hot", "Hot: backup")
    assert why["causes"][0]["label"] == "Backup"
    assert why["measured"]["fan_speed_rpm"] == 2100.0

    night = page.ask(f"/api/nas/history?since={rfc3339(now - 8000)}").json
    assert [cause["label"] for cause in night["causes"]] == ["Backup"]
    assert page.ask(f"/api/nas/history?since={rfc3339(now - 1000)}").json["causes"] == []


@pytest.fixture
def archive(
    tmp_path: Path, say: Callable[..., Any], catalogue: Any, now: float,
    fleet_contents: dict[str, Any],
) -> Path:  # fmt: skip
    """What was kept of nas."""
    path = tmp_path / "archive.sqlite"
    writer = Writer(path, 1 << 30)
    event = {"id": "1", "event": "cause_began", "message": "Backup began", "host": "nas",
             "time": rfc3339(now - 10)}  # fmt: skip
    messages = [say("catalogue", catalogue), say("status", "online"), say("event", event),
                say("cpu", fleet_contents["cpu"]), say("timeline", timeline(now))]  # fmt: skip
    writer.write(((message, now) for message in messages), now)
    writer.close()
    return path


def test_events_of_a_host_that_the_archive_does_not_know_are_those_that_were_heard(
    make_page: Any, archive: Path, say: Callable[..., Any]
) -> None:
    page = make_page(database=archive)
    event = {"id": "7", "event": "cause_began", "message": "Heard alone"}
    page.say(say("status", "online", prefix="host/den"), say("event", event, prefix="host/den"))
    (told,) = page.ask("/api/den/events").json["events"]
    assert told["message"] == "Heard alone"
    assert page.ask("/api/den/report").status == 404


def test_of_an_archive_values_events_and_the_bill_are_told(
    make_page: Any, archive: Path, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: now + 60)
    page = make_page(database=archive)

    rows = page.ask("/api/nas/history?metric=cpu/usage_percent&step=0").json["rows"]
    assert [row["mean"] for row in rows] == [87.4]
    names = {each["name"] for each in page.ask("/api/nas/metrics").json["metrics"]}
    assert "cpu/usage_percent" in names
    assert [each["message"] for each in page.ask("/api/nas/events").json["events"]] == [
        "Backup began"
    ]
    assert page.ask(f"/api/nas/why?at={rfc3339(now - 5000)}").json["headline"] == "Hot: backup"
    bill = page.ask("/api/nas/report?period=day").json
    assert bill["culprits"][0]["label"] == "Backup"
    assert page.ask("/api/nas/history?metric=cpu/nothing").status == 400
    assert page.ask("/api/nas/events?limit=1&since=2%20h%20ago").status == 200
