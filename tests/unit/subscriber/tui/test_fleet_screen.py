"""Several hosts: the worst first, and the way to each of them and back."""

from __future__ import annotations

import pytest
from unit.subscriber.tui.conftest import Play
from unit.subscriber.tui.stage import Stage, fleet, machine, said

from subscriber_cli.model.decode import OnlineStatus, Received


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_sixty_hosts(play: Play, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        stage.shows("fleet")
        top = stage.text.splitlines()[0]
        assert "1 hot, 7 busy, 1 cooling, 2 offline, 1 stale of 60" in top

    play(scene, *fleet(), size=size)


def test_keys_open_a_host_and_lead_back(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.text.splitlines()[2].startswith("▸ h33")
        await stage.press("j", "enter")
        assert stage.text.startswith("h10  2 of 60 hosts")
        await stage.press("n")
        assert stage.text.startswith("h11  3 of 60 hosts")
        await stage.press("p", "p")
        assert stage.text.startswith("h33  1 of 60 hosts")
        await stage.press("escape")
        assert stage.text.startswith("fanwhy ")
        await stage.press("slash", *"h07")
        assert "h33" not in stage.text
        await stage.press("enter", "enter")
        assert stage.text.startswith("h07")
        await stage.press("escape", "escape")
        assert "h33" in stage.text
        await stage.press("slash", *"nothing is called so")
        assert "No host answers to nothing is called so." in stage.text

    play(scene, *fleet())


def test_the_mouse_opens_a_host_and_leads_back(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.click("h12 ")
        assert stage.text.startswith("h12")
        await stage.click("Esc all hosts")
        assert stage.text.startswith("fanwhy ")
        await stage.click("/ filter")
        await stage.press(*"busy")
        assert "h33" not in stage.text

    play(scene, *fleet())


def test_what_gets_worse_rises_and_the_choice_stays(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("down")
        await stage.say(said("explanation", "host/h20", state="hot", headline="Very loud"))
        lines = stage.text.splitlines()
        assert lines[2].startswith("  h20")
        assert "Very loud" in lines[2]
        assert lines[4].startswith("▸ h10")
        await stage.say(Received("host/h20", "status", OnlineStatus.OFFLINE))
        assert "3 offline" in stage.text
        assert stage.text.splitlines()[2].startswith("  h33")

    play(scene, *fleet())


def test_one_host_is_shown_in_full_until_there_are_more(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.text.startswith("nas  Debian")
        await stage.press("escape")
        assert stage.text.startswith("fanwhy 1 hot of 1")
        await stage.say(said("cpu", usage_percent=3))
        assert stage.text.startswith("fanwhy 1 hot of 1"), "that is where it was left"

    play(scene, *machine())

    async def two(stage: Stage) -> None:
        assert stage.text.startswith("nas")
        await stage.say(*machine("host/pi"))
        assert stage.text.startswith("fanwhy 2 hot of 2")

    play(two, *machine())


def test_a_host_that_was_asked_for_is_opened(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.text.startswith("h07")

    play(scene, *fleet(), wanted="H07")

    async def missing(stage: Stage) -> None:
        assert "No host is called h99; these have spoken:" in stage.text
        await stage.say(*machine("host/h99"))
        assert stage.text.startswith("h99")

    play(missing, *fleet(), wanted="h99")


def test_all_are_asked_to_say_everything_again(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("r")
        assert len(stage.script.asked) == 60
        assert "asked 60 hosts to say everything again" in stage.text

    play(scene, *fleet())
