"""Nobody gets anything without a password, from elsewhere, or by another machine's name."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.config.companions import WebSettings
from publisher.errors import ConfigError
from subscriber_cli.web.credentials import Keys
from subscriber_cli.web.guard import OPEN, Door, door_of, guarded

TOKEN = "a-token-of-a-script"


@pytest.fixture(scope="module")
def keys() -> Keys:
    """Of a password that is quickly tried: how long a try takes is no matter here."""
    n, r, p, salt = 16, 8, 1, b"salt"
    digest = hashlib.scrypt(b"correct horse", n=n, r=r, p=p, salt=salt, dklen=32)
    return Keys(n, r, p, salt, digest, {hashlib.sha256(TOKEN.encode()).digest(): "script"})


@pytest.fixture
def locked(make_page: Any, keys: Keys) -> Any:
    return make_page(Door(keys=keys, names=frozenset({"localhost"})))


def every_path(page: Any) -> list[tuple[str, str]]:
    """(method, path) of all that answers, with a host, a topic and a file that there are."""
    home = page.ask("/", authorization=f"Bearer {TOKEN}").body.decode()
    edition = home.partition("assets/")[2].partition("/")[0]
    filled = {"host": "nas", "topic": "info", "edition": edition, "name:path": "app.js"}
    return [
        (each.method, re.sub(r"\{([^}]+)\}", lambda found: filled[found[1]], each.path))
        for each in page.application.addresses
    ]


def test_without_a_password_nothing_is_answered_but_the_login_page_and_the_health(
    locked: Any,
) -> None:
    paths = every_path(locked)
    assert len(paths) > 25

    for method, path in [*paths, ("GET", "/docs"), ("GET", "/assets/../page.html"), ("PUT", "/")]:
        answer = locked.ask(path, method=method, origin="http://localhost:8642")
        if path in OPEN:
            continue
        if path == "/" and method == "GET":
            assert (answer.status, answer.headers["location"]) == (303, "login")
        else:
            assert answer.status == 401, path
            assert answer.json["status"] == 401
        assert b"make -j8" not in answer.body
        assert b"nas" not in answer.body


def test_what_stands_open_tells_nothing(locked: Any) -> None:
    told = b"".join(locked.ask(path).body for path in sorted(OPEN))
    assert b"ok\n" in told
    for secret in (b"nas", b"make", b"busy", b"broker"):
        assert secret not in told.lower()


def test_with_a_password_all_of_it_is(locked: Any, keys: Keys) -> None:
    session = keys.session(time.time())
    for method, path in every_path(locked):
        if path in OPEN or path in ("/logout", "/api/nas/gpu", "/api/stream") or "/ass" in path:
            continue
        answer = locked.ask(
            path, method=method, cookie=f"fanwhy={session}", origin="http://localhost:8642"
        )
        assert answer.status != 401, path
    assert locked.ask("/", cookie=f"fanwhy={session}").status == 200


def test_a_token_lets_scripts_in(locked: Any) -> None:
    assert locked.ask("/api/hosts", authorization=f"Bearer {TOKEN}").status == 200
    assert locked.ask("/api/hosts", authorization="Bearer other").status == 401
    assert locked.ask("/api/hosts", authorization=f"Basic {TOKEN}").status == 401
    refreshed = locked.ask("/api/nas/refresh", method="POST", authorization=f"Bearer {TOKEN}")
    assert refreshed.status == 202  # no page could have sent that for somebody


@pytest.mark.parametrize("changed", ["", "x", "9999999999.abc.0000", "é", "1.2." + "a" * 500])
def test_a_made_up_session_is_none(locked: Any, changed: str) -> None:
    assert locked.ask("/api/hosts", cookie=f"fanwhy={changed}").status == 401


def test_a_session_ends(keys: Keys) -> None:
    session = keys.session(1000.0)
    assert keys.is_session(session, 1000.0 + 29 * 86400)
    assert not keys.is_session(session, 1000.0 + 31 * 86400)
    assert not keys.is_session(session.replace(session[:4], "9999"), 1000.0)


@given(text=st.text(st.characters(max_codepoint=255), max_size=300))
def test_whatever_a_browser_says_of_itself_is_borne(keys: Keys, text: str) -> None:
    door = Door(keys=keys, names=frozenset({"localhost"}))
    assert not keys.is_session(text, 0.0)
    assert not keys.is_token(text)
    door.knows(text)
    door.is_proxy(text)


def login(page: Any, password: str, **headers: str) -> Any:
    body = f"password={password}".encode()
    told = {"origin": "http://localhost:8642"} | headers
    return page.ask("/login", method="POST", body=body, **told)


def test_the_password_gives_a_session_that_no_script_reads(locked: Any) -> None:
    answer = login(locked, "correct+horse")
    cookie = answer.headers["set-cookie"]

    assert (answer.status, answer.headers["location"]) == (303, "./")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # it would never come back over plain HTTP
    assert "Path" not in cookie
    assert locked.ask("/", cookie=cookie.partition(";")[0]).status == 200


def test_over_https_it_is_for_https_alone(make_page: Any, keys: Keys) -> None:
    page = make_page(Door(keys, frozenset({"localhost"}), proxies=("10.0.0.1",)))
    answer = login(
        page, "correct+horse", peer="10.0.0.1", x_forwarded_proto="https",
        x_forwarded_for="192.0.2.7", origin="https://localhost:8642",
    )  # fmt: skip
    assert "Secure" in answer.headers["set-cookie"]


def test_who_guesses_has_to_wait(locked: Any) -> None:
    tries = [login(locked, f"guess{number}") for number in range(7)]

    assert [each.status for each in tries] == [403] * 5 + [429] * 2
    assert int(tries[-1].headers["retry-after"]) > 10
    assert login(locked, "correct+horse").status == 429  # also when it is right at last
    assert login(locked, "correct+horse", peer="192.0.2.8").status == 303  # others need not


def test_a_form_that_is_too_large_is_not_read(locked: Any) -> None:
    assert login(locked, "x" * 5000).status == 413


def test_a_name_that_leads_here_from_elsewhere_is_none_of_ours(page: Any) -> None:
    assert page.ask("/", host="evil.example").status == 421
    assert page.ask("/api/hosts", host="localhost.evil.example").status == 421
    assert page.ask("/", host="").status == 421
    for own in ("localhost", "127.0.0.1:8642", "[::1]:8642", "LOCALHOST:1", "192.168.1.4"):
        assert page.ask("/", host=own).status == 200, own
    assert page.ask("/healthz", host="evil.example").body == b"ok\n"


def test_another_site_can_neither_ask_nor_change(page: Any) -> None:
    assert page.ask("/api/hosts", origin="https://evil.example").status == 403
    assert page.ask("/api/stream", origin="null").status == 403
    assert page.ask("/api/nas/refresh", method="POST").status == 403
    assert page.ask("/api/nas/refresh", method="POST", origin="http://evil.example").status == 403
    assert page.ask("/api/nas/refresh", method="POST", sec_fetch_site="cross-site").status == 403
    assert page.source.asked == []

    own = page.ask("/api/nas/refresh", method="POST", origin="http://localhost:8642")
    assert own.status == 202
    assert page.source.asked == [("host", "refresh")]


def test_every_answer_tells_browsers_to_be_strict(locked: Any) -> None:
    for path in ("/", "/login", "/healthz", "/api/hosts", "/nothing"):
        headers = locked.ask(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_no_page_has_script_or_style_in_itself(locked: Any, page: Any) -> None:
    for text in (locked.ask("/login").body, page.ask("/").body, page.ask("/api").body):
        assert not re.search(rb"<script(?![^>]*src=)|<style|\son\w+=|style=|https?://", text), text


def test_a_proxy_takes_its_path_away_or_not(make_page: Any, keys: Keys) -> None:
    door = Door(keys=keys, names=frozenset({"localhost"}), path="/fanwhy")
    page = make_page(door)
    assert page.ask("/fanwhy").headers["location"] == "/fanwhy/"
    for path in ("/fanwhy/", "/"):
        assert page.ask(path).headers["location"] == "login"
    for path in ("/fanwhy/api/hosts", "/api/hosts"):
        assert page.ask(path, authorization=f"Bearer {TOKEN}").status == 200
    assert page.ask("/fanwhyelse", authorization=f"Bearer {TOKEN}").status == 404


def test_with_a_proxy_that_asks_nobody_else_gets_in(make_page: Any) -> None:
    door = door_of(
        WebSettings(authentication="proxy", trusted_proxies=("172.16.0.0/12",), names=("fan.lan",)),
        None, "0.0.0.0",
    )  # fmt: skip
    page = make_page(door)
    asked = {"host": "fan.lan", "x_forwarded_for": "192.0.2.9"}
    assert page.ask("/api/hosts", peer="172.17.0.2", **asked).status == 200
    assert page.ask("/api/hosts", peer="192.168.1.9", **asked).status == 403
    # Whoever says that it was passed on by the proxy is not the proxy.
    assert (
        page.ask("/", peer="192.0.2.1", host="fan.lan", x_forwarded_for="172.17.0.2").status == 403
    )


def test_what_a_proxy_nobody_told_us_of_passes_on_is_refused(page: Any) -> None:
    assert page.ask("/api/hosts", x_forwarded_for="192.0.2.9").status == 403
    assert page.ask("/api/hosts", forwarded="for=192.0.2.9").status == 403


@pytest.mark.parametrize(
    ("settings", "address", "complaint"),
    [
        (WebSettings(), "0.0.0.0", "set a password first"),
        (WebSettings(), "192.168.1.2", "set a password first"),
        (WebSettings(trusted_proxies=("127.0.0.1",)), "127.0.0.1", "set a password first"),
        (WebSettings(authentication="proxy"), "127.0.0.1", "trusted_proxies"),
        (WebSettings(trusted_proxies=("proxy",)), "127.0.0.1", "no address"),
    ],
)
def test_what_would_let_in_anybody_is_refused(
    settings: WebSettings, address: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        door_of(settings, None, address)


def test_this_machine_needs_no_password_of_its_own() -> None:
    for address in ("127.0.0.1", "::1", "127.3.2.1"):
        door = door_of(WebSettings(names=("Fan.Example.org",)), None, address)
        assert door.keys is None
        assert door.knows("fan.example.org:443")
        assert not door.knows("[")


def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(guarded(app, Door())({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
