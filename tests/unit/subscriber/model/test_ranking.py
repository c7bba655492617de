from __future__ import annotations

from collections.abc import Callable

import pytest

from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.model.ranking import find, standing, tally, worst_first

Say = Callable[..., Received]


@pytest.fixture
def hosts(say: Say, now: float) -> Fleet:
    fleet = Fleet()
    for name, state in (("a", "quiet"), ("b", "busy"), ("c", "hot"), ("d", "strange"), ("e", "")):
        fleet.apply(say("explanation", {"state": state}, prefix=f"host/{name}"), now)
    fleet.apply(say("status", "offline", prefix="host/f"), now)
    return fleet


def test_the_worst_come_first_and_the_quiet_last(hosts: Fleet, now: float) -> None:
    ranked = worst_first(hosts, now)
    assert "".join(each.host.name for each in ranked) == "cbfdea"
    assert tally(ranked)[:3] == [("hot", 1), ("busy", 1), ("offline", 1)]


def test_a_host_not_heard_of_is_stale(hosts: Fleet, now: float) -> None:
    host = hosts.get("host/c")
    assert host is not None
    assert standing(host, now + 899) == "hot"
    assert standing(host, now + 901) == "stale"


@pytest.mark.parametrize("wanted", ["c", "C", "host/c", "HOST/C"])
def test_a_host_is_found_by_name_and_by_prefix(hosts: Fleet, wanted: str) -> None:
    assert find(hosts, wanted) is hosts.get("host/c")
    assert find(hosts, "cc") is None
