"""One host on the screen: what it shows at which size, and all ways about it."""

from __future__ import annotations

import threading

import pytest
from rich.text import Text
from textual.events import MouseScrollDown
from unit.subscriber.tui.conftest import Play
from unit.subscriber.tui.stage import (
    CAUSES,
    HEADLINE,
    Stage,
    event,
    machine,
    said,
    timeline,
)

from publisher.errors import BrokerError
from publisher.mqtt.broker import parse_url
from subscriber_cli.client import Connected, Trouble
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.render.page import Page
from subscriber_cli.tui.app import THEMES
from subscriber_cli.tui.lines import LineView

SIZES = [(80, 24), (120, 40), (200, 50)]
EVENTS = [
    event(250, "Software build (make -j8) began to use the CPU"),
    event(120, "CPU at 88 °C", event="alert_raised", severity="warning"),
    event(20, "The machine is hot", event="state_changed", state="hot"),
]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_measured_now(play: Play, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        stage.shows("now")

    play(scene, *machine(), *EVENTS, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_keys_alone_reach_everything(play: Play, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("enter")
        stage.shows("cause")
        await stage.press("escape", "j", "enter")
        assert "systemctl stop restic.service" in stage.text
        await stage.press("escape", "tab", "j", "enter")
        stage.shows("topic")
        await stage.press("escape", "2")
        stage.shows("who")
        await stage.press("down", "enter")
        stage.shows("who-detail")
        await stage.press("escape", "3")
        stage.shows("log")
        await stage.press("question_mark")
        stage.shows("help")
        await stage.press("escape", "1")
        assert " BUSY " not in stage.text
        assert " HOT " in stage.text
        await stage.press("r")
        assert stage.script.asked == [("host", "refresh")]
        await stage.press("q")
        assert not stage.app.is_running

    play(scene, *machine(), *EVENTS, timeline(), size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_mouse_alone_reaches_everything(play: Play, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.click("for borgmatic")
        assert "systemctl stop restic.service" in stage.text
        await stage.click("Esc back")
        await stage.click("memory")
        assert "Total 32 GiB" in stage.text
        await stage.click("Esc back")
        await stage.click("2 Who uses what")
        await stage.click("Memory")
        assert stage.text.index("Jellyfin") < stage.text.rindex("Restic backup")
        await stage.click("Jellyfin")
        assert "container" in stage.text
        await stage.click("Esc back")
        await stage.click("3 Log")
        assert "The machine is hot" in stage.text
        await stage.click("? all keys")
        assert "On this screen" in stage.text
        await stage.click("Esc back")
        await stage.click("q quit")
        assert not stage.app.is_running

    play(scene, *machine(), *EVENTS, timeline(), size=size)


def test_the_table_sorts_and_filters(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        def names() -> list[str]:
            view = stage.app.screen.query_one("#who", LineView)
            return [key.partition("\0")[0].partition(" ")[0] for key in view.keys]

        await stage.press("2")
        assert names() == ["Software", "Restic", "Jellyfin"]
        await stage.press("s")
        assert names() == ["Software", "Jellyfin", "Restic"]
        assert "Memory▾" in stage.text
        await stage.press("S")
        assert names() == ["Restic", "Jellyfin", "Software"]
        while "Transmitting▾" not in stage.text:
            await stage.press("s")
        assert names() == ["Restic", "Jellyfin", "Software"]
        assert "11.5 MiB/s" in stage.text
        await stage.press("slash", *"RESTIC")
        assert names() == ["Restic"]
        assert "Enter takes it  Esc ends it" in stage.text
        await stage.press("enter", "enter")
        assert "410 MiB" in stage.text
        await stage.press("escape", "escape")
        assert len(names()) == 3
        await stage.press("slash", *"zzz")
        assert "No name holds zzz." in stage.text

    play(scene, *machine())


def test_the_filter_leads_to_the_table_and_searches_the_log(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("slash", *"jelly")
        assert "No name" not in stage.text
        assert "700 MiB" in stage.text
        await stage.press("escape", "3", "slash", *"CPU at")
        assert "CPU at 88 °C" in stage.text
        assert "Software build (make -j8) began" not in stage.text
        await stage.press(*[*["backspace"] * 6, *"no such"])
        assert "Nothing in the log speaks of no such." in stage.text

    play(scene, *machine(), *EVENTS)


def test_a_cause_that_is_over_says_so(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("enter")
        assert "kill -STOP" in stage.text
        await stage.say(said("explanation", state="quiet", headline="System load normal"))
        assert "It is over" in stage.text
        await stage.press("escape")
        assert "Who is to blame" not in stage.text
        assert "System load normal" in stage.text

    play(scene, *machine())


def test_the_keys_go_where_there_is_something_to_choose(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        def focused() -> str | None:
            widget = stage.app.screen.focused
            return widget.id if widget is not None else None

        assert focused() == "causes"
        await stage.say(said("explanation", state="quiet", headline="System load normal"))
        assert focused() == "now-0"
        await stage.say(*machine())
        assert focused() == "causes"
        await stage.press("tab")
        assert focused() == "now-0"
        await stage.say(*machine())
        assert focused() == "now-0", "nobody is led away from what was chosen"

    play(scene, *machine())


def test_a_subsystem_never_heard_of_shows(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say(
            said("battery", level_percent=81, top=[{"label": "radio", "drawn_watts": 3.5}])
        )
        assert "battery" in stage.text
        await stage.press("2")
        assert "radio" in stage.text
        await stage.press("slash", *"radio", "enter")
        assert "Drawn watts" in stage.text

    play(scene, *machine(), size=(120, 40))


def test_what_is_below_the_causes_does_not_flee_from_the_mouse_when_one_ends(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        def row() -> int:
            return next(at for at, line in enumerate(stage.text.splitlines()) if "1 Now" in line)

        before = row()
        (told,) = (item.content for item in machine() if item.leaf == "explanation")
        await stage.say(Received("host", "explanation", {**told, "causes": CAUSES[:1]}))
        assert "borgmatic" not in stage.text.partition("1 Now")[0]
        assert row() == before
        await stage.press("4", "1")  # looked at anew, it takes what it needs
        assert row() == before - 1

    play(scene, *machine(), size=(120, 40))


def test_nothing_of_a_host_is_markup(play: Play) -> None:
    evil = "[bold red]x[/] [@click=app.quit]y[/]"

    async def scene(stage: Stage) -> None:
        for part in (f"{evil} is loud", "▸ [bold red]x[/]"):
            assert part in stage.text
        await stage.click("[@click=app.quit]")
        assert stage.app.is_running
        await stage.press("2", "3")
        assert f"{evil} began" in stage.text

    cause = {"label": evil, "group": evil, "share_percent": 3, "resource": "cpu"}
    changes: dict[str, dict[str, object]] = {
        "explanation": {"headline": f"{evil} is loud", "causes": [cause]},
        "info": {"operating_system": evil},
    }
    said_by = machine(**changes)  # type: ignore[arg-type]
    play(scene, *said_by, event(1, f"{evil} began"), size=(120, 40))


def test_more_lines_than_fit_are_marked_and_reached(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("3")
        assert "▼ " in stage.text
        assert "▲ " not in stage.text
        await stage.press("pagedown", "pagedown")
        assert "▲ " in stage.text
        await stage.press("G")
        assert "event number 99" in stage.text
        assert "▼ " not in stage.text
        await stage.press("g")
        assert "event number 0\n" in stage.text
        view = stage.app.screen.query_one("#log", LineView)
        view.post_message(wheel(view))
        await stage.settle()
        assert "▲ 3 more" in stage.text

    play(scene, *machine(), *(event(n, f"event number {n}") for n in range(100)))


def wheel(view: LineView) -> MouseScrollDown:
    return MouseScrollDown(view, 1, 1, 0, 1, 0, shift=False, meta=False, ctrl=False)


def test_offline_and_a_lost_broker_are_said(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say(Received("host", "status", OnlineStatus.OFFLINE))
        assert "nas is offline" in stage.text
        assert f"Its last word: {HEADLINE}"[:60] in stage.text
        await stage.say(Trouble("mqtt://broker:1883: nothing listens there", 8.0))
        assert "No connection: mqtt://broker:1883: nothing listens there" in stage.text
        assert "trying again in 8 s" in stage.text
        assert "○ not connected" in stage.text
        stage.shows("lost")
        await stage.say(Connected(parse_url("mqtt://broker"), "5"))
        assert "No connection" not in stage.text

    play(scene, *machine())


def test_another_thread_brings_the_messages(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        stage.script.items.extend(machine())
        thread = threading.Thread(target=stage.app.wake)
        thread.start()
        thread.join()
        while HEADLINE[:40] not in stage.text:
            await stage.pilot.pause(0.05)

    play(scene)


def test_a_refusal_for_good_ends_it(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.say(Trouble("wrong password", None))
        assert not stage.app.is_running
        assert isinstance(stage.app.failure, BrokerError)

    play(scene, *machine())


def test_the_first_run_says_what_to_start(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert "Connecting to mqtt://broker:1883" in stage.text
        await stage.say(Connected(parse_url("mqtt://broker"), "5"))
        assert "No machine has spoken yet" in stage.text
        assert "Start fanwhy-pub run" in stage.text
        stage.shows("waiting")
        await stage.say(Trouble("mqtt://broker:1883: nothing listens there", 8.0))
        assert "fanwhy-pub run, which brings its own" in stage.text

    play(scene, connected=False)


def test_ascii_alone(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.text.isascii()
        stage.shows("ascii")
        await stage.press("3")
        assert stage.text.isascii()

    play(scene, *machine(), *EVENTS, ascii_only=True)


def test_every_theme_draws(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        seen = []
        for _ in THEMES:
            assert HEADLINE[:40] in stage.text
            seen.append(stage.app.theme)
            await stage.press("t")
        assert seen == list(THEMES)

    play(scene, *machine())


def test_it_bears_any_size(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        for size in ((20, 5), (1, 1), (300, 10), (80, 24)):
            await stage.pilot.resize_terminal(*size)
            await stage.settle()
        assert "6.4 cores" in stage.text

    play(scene, *machine(), size=(120, 40))


def test_a_line_has_its_own_style(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("enter")
        view = stage.app.screen.query_one("#detail", LineView)
        name = next(part for part in view.render_line(0) if "Software build" in part.text)
        assert name.style is not None
        assert name.style.bold

    play(scene, *machine())


def test_only_lines_that_differ_are_drawn_again() -> None:
    view = LineView(id="x")
    drawn: list[int] = []
    view._draw_again = drawn.append  # type: ignore[method-assign, assignment]  # noqa: SLF001
    view.show(Page([Text("a"), Text("b"), Text("c")], ["a", "b", "c"]))
    view.show(Page([Text("a"), Text("B"), Text("c", style="bold")], ["a", "b", "c"]))

    assert drawn == [1, 2]
