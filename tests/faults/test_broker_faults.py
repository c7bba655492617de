"""Whatever happens between daemon and broker: no event is lost, none comes twice, all in order.

Events are counted as the daemon makes them, at the broker, and at a reader that keeps ids.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker_codes import CODES, tried
from broker_faults import FAULTS, Stage, run, staged
from event_count import Count
from servers import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, seed=1) as stage:
        yield stage


def expect_all(count: Count) -> None:
    assert not count.lost, count
    assert not count.doubled, count
    assert not count.disordered, count


# Each takes a broker, a daemon and half a minute: `make faults` tries them all.
TELLING = (
    "connection half closed",
    "packet to the broker cut in half",
    "nothing reaches the daemon",
    "broker killed",
    "broker emptied",
    "configuration changed without a broker",
    "daemon killed without a broker",
    "journal damaged",
)
"""One of each kind."""


_WINDOW = 20  # messages under way at most (publisher/mqtt/connection.py)
ALL = os.environ.get("ALL_FAULTS") == "1"
EACH = 9
"""Of the codes every so many, where not all are asked for."""


@pytest.mark.parametrize("name", FAULTS if ALL else TELLING)
def test_no_event_is_lost(stage: Stage, name: str) -> None:
    run(stage, FAULTS[name])
    expect_all(stage.tally.settle(60))


def test_a_reader_that_keeps_no_ids_sees_repeats_only_for_lost_acknowledgements(
    stage: Stage,
) -> None:
    run(stage, FAULTS["acknowledgements lost"])
    count = stage.tally.settle(60)
    expect_all(count)
    # The one whose acknowledgement was swallowed, and what was under way when it was missed: of
    # those the broker's answer had not come yet.
    assert stage.proxy.passed.swallowed <= count.repeats <= _WINDOW


def test_one_fault_upon_another(stage: Stage) -> None:
    """The broker goes, the daemon is killed meanwhile, and what comes back is cut at once."""
    stage.stop_broker()
    made = len(stage.tally.made())
    wait_until(lambda: len(stage.tally.made()) > made + 4, 60)
    stage.kill_daemon()
    stage.proxy.truncating = "up"
    made = len(stage.tally.made())
    stage.daemon.start()
    wait_until(lambda: len(stage.tally.made()) > made, 60)
    stage.reload(discovery="true")
    stage.start_broker()
    stage.proxy.swallowing = True
    wait_until(lambda: stage.proxy.passed.swallowed, 60)
    stage.proxy.cut()
    stage.proxy.heal()
    stage.wait_for_more()
    expect_all(stage.tally.settle(60))


@pytest.mark.parametrize("name", CODES if ALL else list(CODES)[::EACH])
def test_whatever_the_broker_answers_events_wait_until_it_takes_them(name: str) -> None:
    assert tried(name) == ""
