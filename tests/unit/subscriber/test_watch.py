"""What the stream finds, as the screen takes it in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from publisher.errors import BrokerError
from publisher.mqtt.broker import parse_url
from subscriber_cli.client import Connected, Trouble
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.model.view import View
from subscriber_cli.watch import apply


@pytest.fixture
def view() -> View:
    return View(place="mqtt://broker:1883")


def test_a_trouble_lasts_until_the_next_connection(view: View, now: float) -> None:
    apply(view, Trouble("nothing listens there", 8.0), now)
    assert (view.connected, view.trouble, view.retry_at) == (
        False,
        "nothing listens there",
        now + 8,
    )

    apply(view, Connected(parse_url("mqtt://broker"), "5"), now)
    assert (view.connected, view.trouble) == (True, "")


def test_a_refusal_for_good_ends_it(view: View, now: float) -> None:
    with pytest.raises(BrokerError, match="wrong password"):
        apply(view, Trouble("wrong password", None), now)


def test_messages_go_to_their_host(view: View, say: Callable[..., Received], now: float) -> None:
    apply(view, say("status", "online", prefix="host/pi"), now)
    apply(view, Notice("skipped"), now)

    (host,) = view.fleet
    assert host.name == "pi"
    assert (view.notice, view.notice_until > now) == ("skipped", True)
