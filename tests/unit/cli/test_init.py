"""The questions, the file that comes of them, and what it is read back as."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from unit.cli.program import Program

from publisher.cli.loading import load_settings
from publisher.daemon.settings import Settings
from publisher.mqtt.broker import resolve_password, resolve_username


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "config.toml"


def _read(path: Path) -> Settings:
    loaded = load_settings(config=str(path), environment={})
    assert loaded.warnings == ()
    return loaded.settings


def test_the_defaults(fanwhy: Program, target: Path) -> None:
    found = fanwhy("init", "--yes", "--config", str(target))
    assert found.code == 0
    assert found.out.startswith(f"wrote {target}\n")
    assert _read(target) == Settings()
    assert [path.name for path in target.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize(
    ("stdin", "url", "username", "password", "prefix"),
    [
        ("\n", None, None, None, "host"),
        ("nas.local\n\nn\n", "nas.local", None, None, "host"),
        ("mqtt://nas\nme\n271 828\ny\n", "mqtt://nas", "me", "271 828", "host/{hostname}"),
        ("mqtts://me@nas\n271 828\nyes\n", "mqtts://me@nas", "me", "271 828", "host/{hostname}"),
        ("mqtt://me:271%20828@nas:1884\n\n", "mqtt://me@nas:1884", "me", "271 828", "host"),
        ("mqtt://nas\nme\n\n\n", "mqtt://nas", "me", None, "host"),
    ],
)
def test_answers(  # noqa: PLR0917  # a table has columns
    fanwhy: Program,
    target: Path,
    stdin: str,
    url: str | None,
    username: str | None,
    password: str | None,
    prefix: str,
) -> None:
    found = fanwhy("init", "--config", str(target), stdin=f"{stdin}\n\n")
    assert (found.code, found.err) == (0, "")
    assert _read(target).homeassistant.enabled
    settings = _read(target)
    assert settings.broker.url == url
    assert settings.prefix == prefix
    assert resolve_username(settings.broker) == username
    assert resolve_password(settings.broker, {}) == password
    if password:
        assert password not in target.read_text() + found.out
        secret = target.with_name("broker-password")
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_machine_without_a_broker_is_asked_for_its_name(fanwhy: Program, target: Path) -> None:
    found = fanwhy("init", "--config", str(target), stdin="\nattic\nn\n")
    assert (found.code, found.err) == (0, "")
    settings = _read(target)
    assert (settings.host, settings.homeassistant.enabled) == ("attic", False)


def test_flags_answer_questions(fanwhy: Program, target: Path) -> None:
    found = fanwhy(
        "init", "-y", "--config", str(target), "--broker", "mqtt://me:271828@nas",
        "--prefix", "lab/{hostname}",
    )  # fmt: skip
    assert found.code == 0
    settings = _read(target)
    assert (settings.broker.url, settings.prefix) == ("mqtt://me@nas", "lab/{hostname}")
    assert resolve_password(settings.broker, {}) == "271828"
    assert "271828" not in found.out + target.read_text()


def test_it_goes_where_the_daemon_will_look(fanwhy: Program, tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    found = fanwhy("init", "-y", FANWHY_CONFIG=str(named))
    assert found.code == 0
    assert named.exists()


def test_what_is_there_is_kept(fanwhy: Program, target: Path) -> None:
    target.parent.mkdir()
    target.write_text("mine")
    found = fanwhy("init", "-y", "--config", str(target))
    assert (found.code, found.err) == (
        2,
        f"fanwhy-pub: {target}: already there; --force replaces it\n",
    )
    assert target.read_text() == "mine"
    assert fanwhy("init", "-y", "--config", str(target), "--force").code == 0
    assert _read(target) == Settings()


def test_a_password_that_is_there_is_kept(fanwhy: Program, target: Path) -> None:
    target.parent.mkdir()
    secret = target.with_name("broker-password")
    secret.write_text("mine")
    found = fanwhy("init", "-y", "--config", str(target), "--broker", "mqtt://me:p@nas")
    assert found.code == 2
    assert found.err == f"fanwhy-pub: {secret}: already there; --force replaces it\n"
    assert secret.read_text() == "mine"
    assert not target.exists()


@pytest.mark.parametrize(
    ("stdin", "line"),
    [
        ("", "no answer; --yes takes the flags and the defaults"),
        ("mqtt://nas\n", "no answer; --yes takes the flags and the defaults"),
        ("http://nas\n", "broker: unknown scheme 'http'"),
    ],
)
def test_answers_that_will_not_do(fanwhy: Program, target: Path, stdin: str, line: str) -> None:
    found = fanwhy("init", "--config", str(target), stdin=stdin)
    assert found.code == 2
    assert found.err.startswith(f"fanwhy-pub: {line}")
    assert not target.exists()


def test_where_nothing_can_be_written(fanwhy: Program, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = fanwhy("init", "-y", "--config", str(blocked / "config.toml"))
    assert found.code == 2
    assert found.err == f"fanwhy-pub: {blocked}: not a folder\n"
