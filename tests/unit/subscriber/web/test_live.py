"""What browsers are sent: everything once, then what is new, and never more than the latest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from publisher.contract.readings import HealthReading, InfoReading
from subscriber_cli.client import Connected, Trouble
from subscriber_cli.web import live as live_module
from subscriber_cli.web import stream


def frames(content: bytes) -> dict[str, list[Any]]:
    """The events of a stream, by their kind."""
    found: dict[str, list[Any]] = {}
    for frame in content.decode("ascii").split("\n\n"):
        if frame.startswith("event: "):
            kind, data = frame.split("\n")
            found.setdefault(kind[7:], []).append(json.loads(data[6:]))
    return found


def told(page: Any, watch: Any) -> dict[str, list[Any]]:
    return frames(page.live.news(watch))


def test_a_browser_gets_all_there_is_and_then_what_is_new(
    page: Any, say: Callable[..., Any], cpu: Any
) -> None:
    watch = page.live.open("nas")
    first = told(page, watch)

    assert first["broker"][0]["connected"] is True
    assert first["host"][0]["headline"] == "CPU usage high due to: compile job (make -j8)"
    assert [cause["name"] for cause in first["verdict"][0]["causes"]] == ["make -j8", "restic"]
    assert first["panels"] == [{"leaves": ["cpu", "thermal", "info"]}]
    assert {each["leaf"] for each in first["values"]} == {"cpu", "thermal", "info"}
    assert told(page, watch) == {}

    page.say(say("cpu", cpu(5.0)))
    again = told(page, watch)
    assert [each["leaf"] for each in again.pop("values")] == ["cpu"]
    assert set(again) <= {"users"}


def test_whoever_looks_at_all_of_them_gets_their_sentences_alone(
    page: Any, say: Callable[..., Any], cpu: Any
) -> None:
    watch = page.live.open("")
    assert set(told(page, watch)) == {"broker", "hosts", "host"}
    page.say(say("cpu", cpu(5.0)))
    assert told(page, watch) == {}
    page.say(say("status", "offline"))
    assert told(page, watch)["host"][0]["standing"] == "offline"


def test_a_host_may_speak_after_it_was_asked_for(page: Any, say: Callable[..., Any]) -> None:
    watch = page.live.open("den")
    assert "verdict" not in told(page, watch)
    page.say(say("status", "online", prefix="host/den"))
    news = told(page, watch)
    assert len(news["hosts"][0]["hosts"]) == 2
    assert news["verdict"][0]["causes"] == []


def test_who_does_not_read_gets_the_latest_and_nothing_between(
    page: Any, say: Callable[..., Any], cpu: Any
) -> None:
    watch = page.live.open("nas")
    told(page, watch)
    for usage in range(1, 100):
        page.source.say(say("cpu", cpu(float(usage))))
    page.say()
    (values,) = told(page, watch)["values"]
    assert values["values"][0]["text"] == "99 %"


def test_the_same_frame_is_made_once_for_all(page: Any) -> None:
    one, other = page.live.open("nas"), page.live.open("nas")
    page.live.news(one)
    page.live.news(other)
    assert all(one.sent[name] is other.sent[name] for name in one.sent)


def test_a_flood_of_messages_makes_few_frames_and_the_last_one_is_told(
    page: Any, say: Callable[..., Any], cpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_PACES", {"values": 1000.0})
    watch = page.live.open("nas")
    told(page, watch)
    watch.woken.clear()
    page.say(say("cpu", cpu(42.0)))
    assert "values" not in told(page, watch)
    assert watch.woken.is_set()  # it is tried again, though nothing may come any more

    monkeypatch.setattr(live_module, "_PACES", {"values": 0.0})
    watch.woken.clear()
    assert told(page, watch)["values"][0]["values"][0]["text"] == "42 %"
    assert not watch.woken.is_set()


def test_what_is_kept_of_frames_has_a_limit(
    page: Any, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_MADE_BYTES", 5000)
    watch = page.live.open("nas")
    assert "verdict" in told(page, watch)
    assert page.live.made_bytes <= 5000


def test_a_message_that_is_too_much_for_a_page_is_named(
    page: Any, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_LARGEST_FRAME", 2000)
    large = {"host": "nas", "words": {f"key{number}": "x" * 50 for number in range(100)}}
    page.say(say("den", large))
    watch = page.live.open("nas")
    assert {"leaf": "den", "large": True} in told(page, watch)["values"]


def test_a_subsystem_that_nobody_has_heard_of_is_shown(page: Any, say: Callable[..., Any]) -> None:
    page.say(
        say("doorbell", {"host": "nas", "supply_volts": 3.01, "bells": {"front": {"ok": True}}})
    )
    values = told(page, page.live.open("nas"))["values"]
    doorbell = next(each for each in values if each["leaf"] == "doorbell")
    assert doorbell["values"] == [{"name": "supply_volts", "title": "Supply volts", "text": "3.01"}]
    assert doorbell["lists"][0]["devices"][0]["name"] == "front"


def test_what_cannot_be_read_is_told_with_what_mends_it(page: Any, say: Callable[..., Any]) -> None:
    health = HealthReading(state="denied", reason="root alone may read it", remedy="add CAP_X")
    page.say(say("info", InfoReading(senses={"power.rapl": health})))
    (hidden,) = told(page, page.live.open("nas"))["hidden"]
    assert hidden["parts"] == [
        {"name": "power.rapl", "state": "denied", "reason": "root alone may read it",
         "remedy": "add CAP_X"}
    ]  # fmt: skip


def test_an_event_is_told(page: Any, say: Callable[..., Any]) -> None:
    watch = page.live.open("nas")
    told(page, watch)
    event = {"id": "1", "event": "cause_began", "message": "Backup began", "severity": "info"}
    page.say(say("event", event))
    (entries,) = told(page, watch)["events"]
    assert entries["entries"][0]["message"] == "Backup began"


def test_a_broker_that_is_gone_is_told(page: Any) -> None:
    watch = page.live.open("")
    told(page, watch)
    page.say(Trouble("the broker is gone", 5.0))
    assert told(page, watch)["broker"][0] == {
        "connected": False, "trouble": "the broker is gone", "place": "mqtt://localhost:1883",
    }  # fmt: skip
    page.say(Connected(page.source.endpoint, "5"))
    assert told(page, watch)["broker"][0]["connected"] is True
    page.say(Trouble("wrong password", None))
    assert [str(each) for each in page.failures] == ["wrong password"]


def test_the_stream_begins_with_everything_and_beats(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_BEAT_SECONDS", 0.01)
    monkeypatch.setattr(stream, "_PACE_SECONDS", 0.0)
    first = page.ask("/api/stream?host=nas", most=1).body
    answer = page.ask("/api/stream?host=nas", most=len(first) + 100)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body.startswith(b"retry: 2000\n\nevent: beat\n")
    assert len(frames(answer.body)["beat"]) >= 2
    assert page.live.watched == 0


def test_more_browsers_than_there_is_room_for_are_told_so(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_MOST_BROWSERS", 1)
    page.live.open("")
    answer = page.ask("/api/stream")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "30"


def test_stopping_ends_the_streams(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_PACE_SECONDS", 0.0)

    async def run() -> None:
        asked = asyncio.create_task(page.asking("/api/stream", host="localhost"))
        async with asyncio.timeout(20):
            while not page.live.watched:  # noqa: ASYNC110  # there is no event
                await asyncio.sleep(0.001)
        page.application.close()
        await asyncio.wait_for(asked, 5)

    asyncio.run(run())
    assert page.live.watched == 0


def test_the_page_holds_the_sentence_from_the_beginning(page: Any, say: Callable[..., Any]) -> None:
    home = page.ask("/")
    text = home.body.decode()
    assert '<h1 id="sentence">CPU usage high due to: compile job (make -j8)</h1>' in text
    assert "<title>CPU usage high due to: compile job (make -j8) · nas</title>" in text
    assert 'data-state="busy"' in text
    assert page.ask("/", if_none_match=home.headers["etag"]).status == 304

    manifest = page.ask("/manifest.webmanifest").json
    for icon in manifest["icons"]:
        assert page.ask(f"/{icon['src']}").status == 200
    assert json.loads(json.dumps(manifest))["start_url"] == "./"
