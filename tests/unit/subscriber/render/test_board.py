"""The verdict and the blocks below it, as lines: what must be there, whatever comes in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from every_page import every_page
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.contract.readings import ExplanationReading
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.model.view import View
from subscriber_cli.render.board import board, column_count
from subscriber_cli.render.verdict import broker_lines, causes, verdict, waiting

Say = Callable[..., Received]
SIZES = [(20, 5), (40, 12), (80, 24), (120, 40), (200, 60), (300, 10)]


@pytest.fixture
def view(fleet: Fleet) -> View:
    return View(place="mqtt://broker:1883", fleet=fleet, connected=True)


def screen(view: View, width: int, height: int, now: float) -> str:
    """The verdict, the causes, and the blocks in as many columns as there are."""
    lines = [*broker_lines(view, width, now)]
    for host in view.fleet:
        lines += [*verdict(host, width, now), *causes(host, width, now).lines]
        count = column_count(width)
        pages = board(host, width // count - 1, count, height, now)
        assert len(pages) == count
        lines += [line for page in pages for line in page.lines]
    for line in lines:
        line.truncate(width)  # as the widget does, which knows no wider line
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_sentence_comes_first(view: View, now: float, width: int, height: int) -> None:
    words = screen(view, width, height, now).replace("▌", " ").split()

    assert " ".join(words).startswith("CPU usage high due to: compile job (make -j8)")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 2), (9, 30), (30, 1)])
def test_no_terminal_is_too_small(view: View, say: Say, now: float, size: tuple[int, int]) -> None:
    screen(view, *size, now)
    view.fleet.apply(say("explanation", {"headline": "漢字 " * 20, "state": "x"}), now)
    screen(view, *size, now)


def test_a_small_terminal_has_all_that_matters(view: View, now: float) -> None:
    shown = screen(view, 80, 24, now)

    for part in (
        " BUSY  since ", "(4 min)", "make -j8", "development", "87 % cpu", "6.4 cores",
        "64 % disk", "ended", "Fan 2,100 rpm", "Usage", "87 % ━━━", "Usage by core █▆",
        "Load average 8.10 4.00 2.00",
        "CPU           78 °C", "nct6798/CPU fan", "absent gpu.nvidia",
        "power.rapl denied  root alone may",
    ):  # fmt: skip
        assert part in shown, part


def test_the_largest_share_comes_first_and_who_is_done_last(view: View, now: float) -> None:
    (host,) = view.fleet

    first, second = causes(host, 80, now).lines
    assert first.plain.startswith("make -j8")
    assert second.plain.startswith("restic")


def test_a_title_tells_how_many_lines_are_not_shown(view: View, now: float) -> None:
    (host,) = view.fleet
    (page,) = board(host, 60, 1, 3, now)

    assert page.keys == ["cpu", "thermal", "info"]
    assert page.lines[0].plain.endswith(" +4")


def test_the_longest_sentence_is_whole(
    view: View, say: Say, explanation: ExplanationReading, now: float
) -> None:
    long = dataclasses.replace(explanation, headline=" ".join(["word"] * 51))
    view.fleet.apply(say("explanation", long), now)

    assert screen(view, 80, 24, now).count("word") == 51


def test_a_subsystem_never_heard_of_shows(view: View, say: Say, now: float) -> None:
    view.fleet.apply(say("battery", {"level_percent": 81, "charging": True}), now)

    shown = screen(view, 120, 40, now)
    assert "battery" in shown
    assert "81" in shown
    assert "Charging yes" in shown


def test_offline_is_said_plainly(view: View, say: Say, now: float) -> None:
    view.fleet.apply(say("status", "offline"), now)

    shown = screen(view, 80, 24, now + 180)
    assert "nas is offline" in shown
    assert "Its last word: CPU usage high" in shown
    assert "heard 3 min ago" in shown
    assert "87 % cpu" not in shown


def test_old_readings_tell_their_age(view: View, now: float) -> None:
    assert " ago" not in screen(view, 80, 24, now + 59).split("cpu ", 1)[1]
    assert screen(view, 100, 24, now + 300).count("5 min ago") == 3  # cpu, thermal, heard


def rows(shown: str, *names: str) -> list[str]:
    """The lines of the groups with these names, in the order in which they stand."""
    return [line for line in shown.splitlines() if any(name in line for name in names)]


def test_a_ranking_shows_what_it_is_ranked_by(view: View, say: Say, now: float) -> None:
    """Received and sent together, though neither falls down the list by itself."""
    top = [
        {"label": "Backup", "group": "rclone", "cpu_percent": 2, "pid": 9, "confidence": 0.9,
         "network_receive_bytes_per_second": 1000, "network_transmit_bytes_per_second": 9000},
        {"label": "Download", "group": "wget", "cpu_percent": 3, "pid": 8, "confidence": 0.8,
         "network_receive_bytes_per_second": 5000, "network_transmit_bytes_per_second": 1000},
    ]  # fmt: skip
    view.fleet.apply(say("network", {"top": top}), now)
    first, second = rows(screen(view, 120, 40, now), "rclone", "wget")
    assert "Backup (rclone)" in first
    assert "10,000 ━━━━" in " ".join(first.split())
    assert "6,000" in second
    assert "Process id" not in first + second
    assert "Pid" not in first + second


def test_a_group_is_told_beside_what_people_call_it(view: View, say: Say, now: float) -> None:
    top = [
        {"label": "Software build", "group": "make -j8", "cpu_percent": 640.0},
        {"label": "restic backup", "group": "restic", "cpu_percent": 12.0},
    ]
    view.fleet.apply(say("cpu", {"usage_percent": 80, "top": top}), now)
    first, second = rows(screen(view, 120, 40, now), "Software build", "restic backup")
    assert "Software build (make -j8)" in first
    assert "restic backup " in second


def test_a_reading_inside_another_has_its_title(view: View, say: Say, now: float) -> None:
    virtual = {"count": 4, "receive_bytes_per_second": 3 << 20}
    view.fleet.apply(say("network", {"virtual": virtual}), now)
    shown = rows(screen(view, 120, 40, now), "Virtual")
    assert len(shown) == 1
    assert "Count 4" in shown[0]


def test_a_cause_says_for_whom_it_works(view: View, say: Say, now: float) -> None:
    cause = {
        "label": "PostgreSQL database", "group": "postgresql", "category": "database",
        "resource": "cpu", "share_percent": 80, "active": True, "on_behalf_of": "Immich",
    }  # fmt: skip
    view.fleet.apply(say("explanation", {"state": "busy", "headline": "x", "causes": [cause]}), now)
    assert "for Immich" in screen(view, 120, 40, now)


def test_a_lost_broker_is_said_above_what_was_known(view: View, now: float) -> None:
    view.disconnect("mqtt://broker:1883: nothing listens there", now + 8.0)

    shown = screen(view, 80, 24, now)
    assert shown.startswith("No connection: mqtt://broker:1883: nothing listens there")
    assert "trying again in 8 s" in shown
    assert "CPU usage high" in shown

    view.connect()
    assert "No connection" not in screen(view, 80, 24, now)


def test_nothing_yet(now: float) -> None:
    view = View(place="mqtt://broker:1883")

    def told() -> str:
        return " ".join(line.plain for line in waiting(view, 80))

    assert "Connecting to mqtt://broker:1883" in told()
    view.connect()
    assert "No machine has spoken yet" in told()
    assert "Start fanwhy-pub run" in told()
    view.disconnect("nothing listens there", now)
    assert "fanwhy-pub run, which brings its own" in told()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["label", "top", "causes", "evidence", "headline", "state", "since", "senses", "fans",
             "usage_percent", "cpu_percent", "per_core_percent", "share_percent", "time", "host",
             "x"]
        ) | st.text(max_size=8),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    leaf=st.sampled_from(["cpu", "thermal", "explanation", "info", "catalogue", "new"]),
    content=st.dictionaries(
        st.sampled_from(
            ["top", "causes", "evidence", "headline", "state", "since", "senses", "fans",
             "usage_percent", "per_core_percent", "load_average", "time", "host", "properties"]
        ),
        JSON,
        max_size=8,
    ),
    size=st.sampled_from(SIZES),
)  # fmt: skip
def test_no_payload_breaks_the_screen(
    view: View, now: float, leaf: str, content: dict[str, Any], size: tuple[int, int]
) -> None:
    view.fleet.apply(Received("host", leaf, content), now)

    shown = "\n".join(line.plain for line in every_page(view, *size, now))
    assert all(char.isprintable() or char == "\n" for char in shown)
