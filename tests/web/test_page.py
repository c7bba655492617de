"""The page as people see it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page, expect
from servers import REPOSITORY, Daemon, Mosquitto, program, wait_until
from web.conftest import BACKUP, Home, Host, Open, WebPage, lived_in

from publisher.contract.readings import CauseReading

pytestmark = pytest.mark.web

PHONE = {
    "viewport": {"width": 360, "height": 740}, "device_scale_factor": 2.0, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip
EVIL = "<img src=x onerror=\"document.title='taken'\">\u202eevil\u202c"
NOTE_SENTENCES = """() => {
    window.told = [];
    const sentence = document.getElementById("sentence");
    const note = () => window.told.push([Date.now() / 1000, sentence.textContent]);
    const all = {childList: true, characterData: true, subtree: true};
    new MutationObserver(note).observe(sentence, all);
    note();
}"""


class Headlines:
    """The sentences that a daemon publishes, and when each came here."""

    def __init__(self, port: int) -> None:
        self.told: list[tuple[float, str]] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._take
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("host/explanation")
        self.client.loop_start()

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        headline = json.loads(message.payload)["headline"]
        if not self.told or self.told[-1][1] != headline:
            self.told.append((time.time(), headline))


def test_the_sentence_of_a_real_daemon_is_on_the_page_within_two_seconds(
    open_page: Open, tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path).start()
    web = WebPage(tmp_path, broker.url).start()
    daemon = Daemon(tmp_path, f'hostname = "nas"\n[broker]\nurl = "{broker.url}"\n').start()
    page = open_page(web)
    headlines = Headlines(broker.port)
    try:
        wait_until(lambda: headlines.told, 30)
        expect(page.locator(".causes")).to_have_count(1)
        page.evaluate(NOTE_SENTENCES)
        before = len(headlines.told)
        load = subprocess.Popen([program("stress-ng"), "--cpu", "4", "--timeout", "60"])
        try:
            wait_until(lambda: len(headlines.told) > before, 40, "the daemon said nothing new")
            at, headline = headlines.told[-1]
            expect(page.locator("#sentence")).to_have_text(headline)
        finally:
            load.kill()
            load.wait()
        told = page.evaluate("window.told")
        shown = next(when for when, text in told if text == headline)
        assert shown - at < 2.0
        expect(page).to_have_title(f"{headline} · nas")
        expect(page.locator(".block h3", has_text="Processor")).to_be_visible()
    finally:
        headlines.client.loop_stop()
        for server in (daemon, web, broker):
            server.end()


def test_a_change_is_on_the_screen_within_half_a_second(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web)
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: Backup (restic)")
    page.evaluate(NOTE_SENTENCES)
    late = []
    for number in range(8):
        shared.nas.explain(f"CPU usage high due to: job {number}", BACKUP)
        at = time.time()
        expect(page.locator("#sentence")).to_have_text(f"CPU usage high due to: job {number}")
        told = page.evaluate("window.told")
        late.append(next(when for when, text in told if text.endswith(f"job {number}")) - at)
        page.wait_for_timeout(350)
    lived_in(shared.nas)
    late.sort()
    print(f"from message to screen: median {late[4] * 1000:.0f} ms, most {late[-1] * 1000:.0f} ms")
    assert late[4] < 0.5


def test_the_answer_has_all_that_speaks_for_it(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web)
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: Backup (restic)")
    expect(page.locator(".hero .state")).to_contain_text("Hot · since")
    expect(page.locator(".hero .state")).to_contain_text("quiet again in about 4 min")
    expect(page.locator("html")).to_have_attribute("data-state", "hot")
    icon = page.locator('link[rel="icon"]').get_attribute("href") or ""
    assert icon.endswith("/icons/hot.svg")

    cause = page.locator("li.cause")
    expect(cause).to_contain_text("Backup (restic)")
    expect(cause).to_contain_text("81 % processor")
    expect(cause).to_contain_text("for nightly.timer")
    cause.get_by_text("What you can do").click()
    expect(cause.get_by_text("systemctl stop restic")).to_be_visible()
    cause.get_by_text("This is my …").click()
    cause.get_by_label("What you call it").fill("Ann's copy")
    expect(cause.locator("code").last).to_have_text("fanwhy-pub teach 4711 'Ann'\\''s copy'")

    expect(page.get_by_text("2,100 rpm").first).to_be_visible()
    page.get_by_text("Who was looked at and is not to blame").click()
    expect(page.get_by_text("used 2 % of a core")).to_be_visible()
    expect(page.locator(".hidden-parts")).to_contain_text("root alone may read it")
    expect(page.locator(".hidden-parts")).to_contain_text("add CAP_X")

    # What is open and typed stays so when the next message comes.
    shared.nas.explain("CPU usage high due to: Backup (restic)", BACKUP, quiet_in_seconds=100.0)
    expect(page.locator(".hero .state")).to_contain_text("about 1 min")
    expect(cause.get_by_label("What you call it")).to_have_value("Ann's copy")


def test_a_subsystem_that_nobody_has_heard_of_is_there(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web)
    block = page.locator(".block", has_text="doorbell")
    expect(block).to_contain_text("Rings today")
    block.locator("summary").click()
    expect(block).to_contain_text("front")
    expect(block).to_contain_text("3.01 V")


def test_events_are_found_and_muted(home: Home, open_page: Open) -> None:
    page = open_page(home.web)
    events = page.locator(".events")
    expect(events).to_contain_text("Backup (restic) began")
    alert = {
        "id": "2",
        "event": "alert_raised",
        "message": "Disk is nearly full",
        "severity": "warning",
    }
    home.nas.put("event", alert)
    expect(events).to_contain_text("Disk is nearly full")
    page.get_by_label("Show").select_option("alerts")
    expect(events).not_to_contain_text("Backup (restic) began")
    page.get_by_role("button", name="Mute: Disk is nearly full").click()
    expect(events).not_to_contain_text("Disk is nearly full")
    page.reload()
    expect(page.locator(".events")).to_contain_text("Backup (restic) began")
    expect(page.locator(".events")).not_to_contain_text("Disk is nearly full")
    page.get_by_role("button", name="Show what is muted (1)").click()
    expect(page.locator(".events")).to_contain_text("Disk is nearly full")


def unfold(page: Page) -> None:
    """Opens whatever can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")


def choose(page: Page, hours_ago: float) -> None:
    """Taps the drawing at a moment; it shows the last twelve hours."""
    chart = page.locator(".chart")
    page.get_by_role("button", name="12 hours").click()
    expect(page.locator(".chart rect.cause")).to_have_count(2)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    x, y = box["width"] * (1 - hours_ago / 12), 60
    if page.evaluate("navigator.maxTouchPoints"):
        page.touchscreen.tap(box["x"] + x, box["y"] + y)
    else:
        chart.click(position={"x": x, "y": y})


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desk", "phone"])
def test_a_tap_on_the_last_hours_says_why_then(
    shared: Home, open_page: Open, device: dict[str, Any]
) -> None:
    page = open_page(shared.web, **device)
    then = page.locator(".then")

    choose(page, 9)
    expect(then).to_contain_text("Hot from the nightly backup")
    expect(then).to_contain_text("Backup (restic) 80 % processor")
    expect(then).to_contain_text("70 °C")
    choose(page, 3.5)
    expect(then).to_contain_text("Busy with a build")
    expect(then).not_to_contain_text("backup")
    choose(page, 6)
    expect(then).to_contain_text("System load normal")


def test_the_last_hours_are_moved_and_stretched(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web)
    chart = page.locator(".chart")
    choose(page, 9)
    label = chart.get_attribute("aria-label")
    page.get_by_role("button", name="Closer").click()
    expect(chart).not_to_have_attribute("aria-label", label or "")
    box = chart.bounding_box()
    assert box
    before = chart.get_attribute("aria-label")
    page.mouse.move(box["x"] + 300, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(chart).not_to_have_attribute("aria-label", before or "")
    page.get_by_role("button", name="12 hours").click()
    page.get_by_text("The same as a list").click()
    expect(page.get_by_role("row", name="Hot from the nightly backup")).to_be_visible()


def test_all_of_it_works_by_keys(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web)
    expect(page.locator("li.cause").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the answer")).to_be_focused()
    choose(page, 6)
    chart = page.locator(".chart")
    chart.focus()
    page.keyboard.press("End")
    for _ in range(29):  # a hundredth of the time each
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".then")).to_contain_text("Busy with a build")
    assert chart.get_attribute("aria-valuetext")


def test_a_phone_shows_all_of_it(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web, **PHONE)
    expect(page.locator("li.cause")).to_be_visible()
    expect(page.locator(".block")).to_have_count(2)
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        unfold(page)
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, summary")]
            .filter((each) => each.offsetParent && each.getBoundingClientRect().height < 24)
            .map((each) => each.textContent)"""
    )
    assert small == []


def test_the_dark_is_dark(shared: Home, open_page: Open) -> None:
    light, dark = open_page(shared.web), open_page(shared.web, color_scheme="dark")
    colours = [
        page.evaluate("getComputedStyle(document.body).backgroundColor") for page in (light, dark)
    ]
    assert colours == ["rgb(247, 247, 245)", "rgb(20, 22, 26)"]


def test_names_from_outside_are_text(home: Home, open_page: Open) -> None:
    cause = CauseReading(
        label=EVIL, name=EVIL, group=EVIL, category=EVIL, reason=EVIL, to_stop=EVIL,
        on_behalf_of=EVIL, resource="cpu", share_percent=50.0,
    )  # fmt: skip
    home.nas.raw(
        "doorbell", json.dumps({"host": "nas", EVIL: 1, "bells": {EVIL: {EVIL: EVIL}}}).encode()
    )
    home.nas.put("event", {"id": EVIL, "event": EVIL, "message": EVIL, "severity": EVIL})
    home.nas.raw("timeline", json.dumps({
        "host": "nas", "since": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z",
        "causes": [{"label": EVIL, "group": EVIL, "began": "2026-01-01T00:00:00Z"}],
        "states": [{"state": EVIL, "headline": EVIL, "began": "2026-01-01T00:00:00Z"}],
    }).encode())  # fmt: skip
    page = open_page(home.web)
    # A raw payload: the daemon itself would have made it harmless.
    document = {"host": EVIL, "state": EVIL, "headline": EVIL, "causes": [vars_of(cause)]}
    home.nas.raw("explanation", json.dumps(document).encode())
    sentence = page.locator("#sentence")
    expect(sentence).to_contain_text("<img src=x onerror=")
    expect(page.locator(".chart text.cause")).to_contain_text("<img")
    page.locator(".chart").click(position={"x": 600, "y": 60})
    expect(page.locator(".then .sentence")).to_contain_text("<img")
    unfold(page)
    assert page.locator("img").count() == 0
    assert page.title() != "taken"
    assert "\u202e" not in page.evaluate("document.documentElement.textContent")
    assert "\u202e" not in page.title()


def vars_of(cause: CauseReading) -> dict[str, Any]:
    names = ("label", "name", "group", "category", "reason", "to_stop", "on_behalf_of",
             "resource", "share_percent")  # fmt: skip
    return {name: getattr(cause, name) for name in names}


def test_a_broker_that_is_lost_is_told_and_comes_back(home: Home, open_page: Open) -> None:
    page = open_page(home.web)
    link = page.locator(".link")
    expect(link).to_have_text("Live")
    home.broker.kill()
    expect(link).to_contain_text("The broker cannot be reached")
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: Backup (restic)")
    home.broker.start()
    expect(link).to_have_text("Live", timeout=30_000)
    home.nas.explain("CPU usage high due to: something else", BACKUP)
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: something else")


def test_a_server_that_is_lost_is_told_and_comes_back(home: Home, open_page: Open) -> None:
    page = open_page(home.web)
    link = page.locator(".link")
    expect(link).to_have_text("Live")
    home.web.kill()
    expect(link).to_have_text("Not connected. Trying again …")
    home.web.start()
    home.nas.explain("CPU usage high due to: something else", BACKUP)
    expect(link).to_have_text("Live", timeout=30_000)
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: something else")


def test_a_phone_that_slept_wakes_with_what_is_true_now(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web, **PHONE)
    expect(page.locator(".link")).to_have_text("Live")
    session = page.context.new_cdp_session(page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    shared.nas.explain("CPU usage high due to: something in the night", BACKUP)
    page.wait_for_timeout(1000)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    sentence = page.locator("#sentence")
    expect(sentence).to_have_text("CPU usage high due to: something in the night")
    lived_in(shared.nas)
    expect(sentence).to_have_text("CPU usage high due to: Backup (restic)")


def test_of_several_machines_the_loudest_comes_first(home: Home, open_page: Open) -> None:
    den = Host(home.broker, "den")
    den.explain("System load normal", state="quiet")
    page = open_page(home.web)
    cards = page.locator(".card")
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("nas")
    expect(cards.first).to_contain_text("You hear this one")
    expect(cards.first).to_contain_text("2,100 rpm")
    expect(page.locator("#sentence")).to_have_text("nas: CPU usage high due to: Backup (restic)")

    den.stop(orderly=False)
    expect(cards.last).to_contain_text("Offline")
    cards.last.click()
    expect(page.locator("#sentence")).to_have_text("den is offline")
    expect(page.locator(".note")).to_have_text("Its last word: System load normal")
    page.get_by_label("The house").select_option("nas")
    expect(page.locator("li.cause")).to_contain_text("Backup (restic)")
    page.go_back()
    expect(page.locator("#sentence")).to_have_text("den is offline")


def test_a_password_is_asked_for(home: Home, open_page: Open) -> None:
    home.web.stop()
    done = home.web.command("password", "--config", str(home.web.config), given="correct horse\n")
    assert done.returncode == 0, done.stderr
    home.web.start()
    page = open_page(home.web)
    expect(page).to_have_title("fanwhy: password")
    page.get_by_label("Password").fill("wrong horse")
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the password.")
    page.get_by_label("Password").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.locator("li.cause")).to_contain_text("Backup (restic)")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("fanwhy: password")


def test_the_sentence_is_there_without_scripts(shared: Home, open_page: Open) -> None:
    page = open_page(shared.web, java_script_enabled=False)
    expect(page.locator("#sentence")).to_have_text("CPU usage high due to: Backup (restic)")


@pytest.fixture(scope="session")
def axe() -> str:
    found = subprocess.run([REPOSITORY / "scripts/axe"], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).read_text("utf-8")


@pytest.mark.parametrize(
    "look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"]
)
def test_an_audit_finds_nothing_serious(
    home: Home, open_page: Open, axe: str, look: dict[str, Any]
) -> None:
    page = open_page(home.web, bypass_csp=True, **look)
    choose(page, 9)
    expect(page.locator(".then")).to_contain_text("Hot from the nightly backup")
    unfold(page)
    assert serious(page, axe) == []
    den = Host(home.broker, "den")
    den.explain("System load normal", state="quiet")
    page.goto(page.url.partition("#")[0])
    expect(page.locator(".card")).to_have_count(2)
    assert serious(page, axe) == []
    page.goto(f"{page.url.partition('#')[0]}api")
    assert serious(page, axe) == []
    den.stop()


def serious(page: Page, axe: str) -> list[tuple[str, list[str]]]:
    """What an audit finds that keeps somebody from using the page."""
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"][:5]])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
