"""The past of one host: a bar of time that is stepped through, and the verdict of each moment."""

from __future__ import annotations

import pytest
from unit.subscriber.tui.conftest import Play
from unit.subscriber.tui.stage import NOW, Stage, machine, timeline

from subscriber_cli.model.decode import OnlineStatus, Received


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_a_day_and_a_moment_of_it(play: Play, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        assert "last hour" in stage.text
        await stage.press("4", "minus")
        stage.shows("past")
        await stage.press("at", *"03:08", "enter")
        stage.shows("past-moment")

    play(scene, *machine(), timeline(), size=size)


def test_keys_step_from_event_to_event(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        def pointer() -> str:
            return stage.text.splitlines()[8].replace("▲", "").strip()

        await stage.press("4", "minus")
        assert pointer() == "now"
        for expected in ("07:55", "06:00", "05:00", "03:24", "03:12"):
            await stage.press("left")
            assert pointer() == expected
        assert "HOT 02:58 to 03:24" in stage.text
        await stage.press("left", "left")
        assert pointer() == "02:58"
        await stage.press("left", "left", "left")
        assert pointer() == "Thu 22:00", "there is nothing before the first"
        await stage.press("right")
        assert pointer() == "02:58"
        await stage.press("0")
        assert pointer() == "now"
        await stage.press("left", "right")
        assert pointer() == "now"

    play(scene, *machine(), timeline())


def test_less_time_keeps_the_moment_in_sight(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("at", *"03:08", "enter", "plus", "plus")
        assert " 10 min " in stage.text
        assert "03:03 to 03:13" in stage.text
        assert "▲ 03:08" in stage.text
        await stage.press("minus", "minus", "minus")
        assert "Thu 08:00 to now" in stage.text

    play(scene, *machine(), timeline())


def test_the_mouse_alone(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.click("last hour")
        await stage.click("24 h")
        assert "Thu 08:00 to now" in stage.text
        await stage.pilot.click(offset=(20 + 53, 7))
        await stage.settle()
        assert "nothing was recorded: fanwhy did not run (05:00 to 06:00)" in stage.text
        await stage.click("← event before")
        assert "▲ 05:00" in stage.text or "05:00 ▲" in stage.text
        await stage.click("0 now")
        assert "now ▲" in stage.text

    play(scene, *machine(), timeline())


def test_the_log_leads_to_the_moment(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("3")
        await stage.click("CPU at 91 °C")
        assert "▲ 03:05" in stage.text or "03:05 ▲" in stage.text
        assert "High disk I/O from Restic backup" in stage.text

    play(scene, *machine(), timeline())


def test_what_is_no_time_is_said(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("at", *"soon", "enter")
        assert "'soon' is no time" in stage.text
        await stage.press("at", "escape")
        assert "when?" not in stage.text

    play(scene, *machine(), timeline())


def test_a_host_that_remembers_nothing_says_so(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert "last hour" not in stage.text
        await stage.press("left")
        assert "has not told what it remembers" in stage.text

    play(scene, *machine())


def test_of_a_host_that_is_gone_nothing_is_known_since(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        def bar() -> str:
            return stage.text.splitlines()[7].rstrip()

        await stage.press("4")
        assert bar().endswith("▁▁▁▁▅▅▅▅▅")
        await stage.say(Received("host", "status", OnlineStatus.OFFLINE))
        assert bar().endswith("▁▁▅▅···")

    play(scene, *machine(), timeline(until=NOW - 200))
