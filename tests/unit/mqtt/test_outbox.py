from __future__ import annotations

from publisher.contract.messages import Message
from publisher.mqtt.outbox import Outbox


def state(topic: str, payload: bytes = b"{}") -> Message:
    return Message(topic=topic, payload=payload, retain=True)


def answer(payload: bytes) -> Message:
    return Message(topic="reply", payload=payload)


def test_the_newest_state_of_a_topic_wins_and_is_handed_out_once() -> None:
    outbox = Outbox()
    outbox.put(state("host/cpu", b"1"))
    outbox.put(state("host/cpu", b"2"))
    assert [message.payload for message in outbox.take()] == [b"2"]
    assert outbox.take() == []


def test_what_could_not_be_sent_comes_again_unless_something_newer_is_there() -> None:
    outbox = Outbox()
    old = state("host/cpu", b"old")
    outbox.put(old)
    outbox.take()
    outbox.put_back(old)
    assert outbox.take() == [old]
    outbox.put(state("host/cpu", b"new"))
    outbox.put_back(old)
    assert [message.payload for message in outbox.take()] == [b"new"]


def test_after_a_reconnect_every_state_is_sent_again_in_its_order() -> None:
    outbox = Outbox()
    for topic in ("host/status", "host/info", "host/cpu"):
        outbox.put(state(topic))
    outbox.take()
    outbox.renew()
    assert [message.topic for message in outbox.take()] == ["host/status", "host/info", "host/cpu"]


def test_answers_are_never_kept_as_state_and_never_pile_up() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.put(answer(b"%d" % number))
    assert [message.payload for message in outbox.take()] == [
        b"%d" % number for number in range(984, 1000)
    ]
    outbox.renew()
    assert outbox.take() == []


def test_every_put_wakes_the_sender() -> None:
    woken: list[bool] = []
    outbox = Outbox()
    outbox.wake = lambda: woken.append(True)
    outbox.put(state("host/cpu"))
    outbox.renew()
    assert len(woken) == 2


def test_nothing_is_given_out_while_it_is_held() -> None:
    outbox = Outbox()
    outbox.hold()
    outbox.put(state("host/cpu"))
    assert outbox.take() == []
    outbox.release()
    assert [message.topic for message in outbox.take()] == ["host/cpu"]
