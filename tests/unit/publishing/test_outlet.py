"""What goes out: by the table of topics, one topic's mistake silencing no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from publisher.contract import topics
from publisher.contract.messages import Message
from publisher.contract.metric import Reading
from publisher.contract.readings import (
    EventReading,
    ExplanationReading,
    InfoReading,
    SelfReading,
    ServicesReading,
    WorkEnergyReading,
)
from publisher.contract.timeline import TimelineReading
from publisher.contract.topics import TopicAddresses
from publisher.publishing.outlet import Outlet
from publisher.publishing.policy import PublishingSettings
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.memory import MemoryReading
from publisher.subsystems.registry import all_topics

T = TypeVar("T")


class Stage:
    """An outlet whose messages are kept, and whose mistakes are."""

    def __init__(self, **settings: Any) -> None:
        self.sent: list[Message] = []
        self.failures: dict[str, Exception | None] = {}
        self.outlet = Outlet(
            "nas",
            TopicAddresses("host"),
            all_topics(),
            PublishingSettings(**settings),
            put=self.sent.append,
            guarded=self.guarded,
            wall=lambda: 1.8e9,
        )

    def guarded(self, name: str, action: Callable[[], T]) -> T | None:
        self.failures.pop(name, None)
        try:
            return action()
        except (TypeError, ValueError) as error:
            self.failures[name] = error
            return None

    def offer(self, now: float, **readings: Reading) -> dict[str, Any]:
        """What is sent of some readings, by topic."""
        self.sent.clear()
        self.outlet.offer(readings, {"self": SelfReading(cpu_percent=0.1)}, now)
        return {
            message.topic: json.loads(message.payload or b"null")
            for message in self.sent
            if message.topic != "host/status"
        }


def test_a_number_that_json_has_not_costs_itself() -> None:
    stage = Stage()
    sent = stage.offer(0.0, cpu=CpuReading(load_average=[float("nan")], usage_percent=1.0))
    assert "load_average" not in sent["host/cpu"]
    assert sent["host/cpu"]["usage_percent"] == 1.0
    assert stage.failures == {}


def test_a_value_that_json_has_not_silences_nobody_else() -> None:
    stage = Stage()
    memory = MemoryReading(used_percent=5.0)
    odd = CpuReading(load_average=cast("list[float]", [object()]))
    sent = stage.offer(0.0, cpu=odd, memory=memory)
    assert sent.keys() >= {"host/memory", "host/self"}
    assert "host/cpu" not in sent
    assert "publishing.cpu" in stage.failures

    sent = stage.offer(10.0, cpu=CpuReading(load_average=[1.0]), memory=memory)
    assert sent["host/cpu"]["load_average"] == [1.0]
    assert stage.failures == {}


def test_the_overview_is_sent_less_often_than_what_it_repeats() -> None:
    stage = Stage(min_interval_seconds=2)
    counts = {"host/cpu": 0, "host/overview": 0}
    for second in range(60):
        cpu = CpuReading(usage_percent=50.0 * (second % 2))
        for topic in stage.offer(float(second), cpu=cpu).keys() & counts.keys():
            counts[topic] += 1
    assert counts == {"host/cpu": 20, "host/overview": 2}


def test_a_subsystem_that_has_nothing_to_say_leaves_nothing_behind() -> None:
    stage = Stage()
    verdict = ExplanationReading(state="quiet")
    stage.offer(0.0, cpu=CpuReading(usage_percent=1.0), explanation=verdict)
    sent = stage.offer(2.0, explanation=verdict)
    assert sent["host/cpu"] is None
    assert "host/explanation" not in sent, "a verdict is only late"
    assert "host/cpu" not in stage.offer(4.0, explanation=verdict), "once is enough"


def test_what_vanishes_while_all_is_sent_again_leaves_nothing_behind_either() -> None:
    stage = Stage()
    stage.offer(0.0, cpu=CpuReading(usage_percent=1.0))
    stage.outlet.again()
    assert stage.offer(2.0)["host/cpu"] is None


def test_each_message_is_sent_as_its_row_says() -> None:
    stage = Stage(heartbeats={"cpu": 60})
    stage.outlet.put(topics.CATALOGUE, b"{}")
    stage.outlet.put(topics.PICTURE, b"<svg/>")
    stage.outlet.keep(topics.TIMELINE, TimelineReading())
    stage.outlet.tell([EventReading(id="1")])
    everything: dict[str, Reading] = {
        "cpu": CpuReading(usage_percent=1.0), "explanation": ExplanationReading(state="quiet"),
        "energy": WorkEnergyReading(), "services": ServicesReading(),
    }  # fmt: skip
    stage.outlet.offer(everything, {"self": SelfReading(), "info": InfoReading()}, 0.0)
    rows = all_topics()
    for message in stage.sent:
        row = rows[message.topic.removeprefix("host/")]
        assert (message.qos, message.retain) == (row.qos, row.retained)
        assert message.content_type == row.content_type
        age = 180 if row.leaf == "cpu" else 900
        assert message.expiry_seconds == (age if row.expires else None)
    filled = {row.leaf for row in rows.values() if not row.subsystem and not row.received}
    assert {message.topic for message in stage.sent} == {
        f"host/{leaf}" for leaf in (*filled, "cpu")
    }


def test_offline_is_never_forgotten() -> None:
    """Who comes days later is to know, too; online is believed for a while only."""
    outlet = Stage().outlet
    assert outlet.status(topics.ONLINE).expiry_seconds == 900
    assert outlet.status(topics.OFFLINE).expiry_seconds is None
    assert [message.payload for message in outlet.goodbye()] == [b"offline"]


def test_a_prefix_that_is_left_for_good_is_left_empty() -> None:
    stage = Stage()
    stage.offer(0.0, cpu=CpuReading(usage_percent=1.0))
    stage.outlet.again()
    left = stage.outlet.goodbye(for_good=True)
    kept = {f"host/{leaf}" for leaf, row in all_topics().items() if row.retained}
    assert {message.topic for message in left} == kept
    assert all(message.payload == b"" and message.retain for message in left)


def test_once_told_again_everything_goes_out_unchanged() -> None:
    stage = Stage()
    cpu = CpuReading(usage_percent=1.0)
    stage.offer(0.0, cpu=cpu)
    assert stage.offer(1.0, cpu=cpu) == {}
    stage.outlet.again()
    assert stage.offer(2.0, cpu=cpu).keys() == {"host/cpu", "host/overview", "host/self"}


@pytest.mark.parametrize("correlation", [None, b"7"])
def test_an_answer_goes_where_it_was_asked_for(correlation: bytes | None) -> None:
    stage = Stage()
    stage.outlet.answer(ExplanationReading(headline="Why"), "me/answers", correlation)
    (message,) = stage.sent
    assert (message.topic, message.retain) == ("me/answers", False)
    assert message.correlation_data == correlation
    assert json.loads(message.payload)["headline"] == "Why"


def test_what_an_earlier_run_said_of_totals_changes_what_waits_and_is_said_again() -> None:
    stage = Stage()
    own = {"info": InfoReading(machine_id="m"), "self": SelfReading(cpu_percent=0.1)}
    stage.outlet.offer({"memory": MemoryReading(oom_kills=2)}, own, 1.0)
    first = {message.topic: message.payload for message in stage.sent}
    limit = {"label": "memory||oom_kills", "limit": 2}
    assert limit in json.loads(first["host/info"])["totals"]
    stage.sent.clear()
    stage.outlet.recall({"totals": [{"label": "memory||oom_kills", "limit": 9}]})
    told = {message.topic: json.loads(message.payload) for message in stage.sent}
    assert told["host/memory"]["oom_kills"] == 9
    assert {"label": "memory||oom_kills", "limit": 9} in told["host/info"]["totals"]
    topics_in_order = [message.topic for message in stage.sent]
    assert topics_in_order.index("host/info") < topics_in_order.index("host/memory")
