"""Addresses: where they come from, and that no part of one leaves by any door."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.config.companions import NotifySettings
from publisher.errors import ConfigError
from subscriber_cli.notify.targets import CREDENTIAL, Secrets, exposed, targets_of

URL = "mailtos://me:pa%2Fss%20word@mail.example/inbox?to=you%40example.org&token=s3cr3t"


def test_one_line_is_a_target() -> None:
    (only,) = targets_of(NotifySettings(url="ntfy://ntfy.sh/word"), {})
    assert (only.name, only.url) == ("default", "ntfy://ntfy.sh/word")
    assert "word" not in repr(only)


def test_several_have_names_and_those_of_a_file_go_last(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text(f"# mine\n\nmail  {URL}\nphone ntfy://ntfy.sh/other\n")
    settings = NotifySettings(targets={"phone": "ntfy://ntfy.sh/word"}, targets_file=str(file))
    assert {each.name: each.url for each in targets_of(settings, {})} == {
        "phone": "ntfy://ntfy.sh/other",
        "mail": URL,
    }


def test_systemds_credential_is_such_a_file(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_text("phone ntfy://ntfy.sh/word\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert [each.name for each in targets_of(NotifySettings(), environment)] == ["phone"]


def test_a_file_that_others_may_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text("phone ntfy://ntfy.sh/word\n")
    settings = NotifySettings(targets_file=str(file))
    file.chmod(0o644)
    assert [f"chmod 600 {file}" in line for line in exposed(settings, {})] == [True]
    file.chmod(0o600)
    assert list(exposed(settings, {})) == []


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (NotifySettings(), "there is no target; set url in [notify]"),
        (NotifySettings(url="s3cr3t"), "notify: target default: not an address"),
        (NotifySettings(url="ntfy:/s3cr3t"), "notify: target default: not an address"),
        (NotifySettings(targets={"my phone": URL}), "notify.targets: my phone: a name has letters"),
        (NotifySettings(targets={str(n): URL for n in range(60)}), "more than 50 targets"),
    ],
)
def test_what_cannot_be_used_is_refused_without_a_word_of_it(
    settings: NotifySettings, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        targets_of(settings, {})
    assert complaint in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_line_that_is_none_is_named_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "targets"
    file.write_text("phone ntfy://ntfy.sh/word\nntfy://ntfy.sh/s3cr3t\n")
    with pytest.raises(ConfigError, match="line 2: expected a name, a space and an address"):
        targets_of(NotifySettings(targets_file=str(file)), {})


@pytest.mark.parametrize(
    "text",
    [
        f"failed: {URL}",
        "Authentication failed for me:pa/ss word at mail.example",
        "token=s3cr3t was refused",
        "https://hooks.example/pa%2Fss%20word/x",
        "your address you@example.org is unknown",
    ],
)
def test_no_part_of_an_address_leaves(text: str) -> None:
    said = Secrets([URL]).hide(text)
    for part in ("s3cr3t", "pa%2Fss", "pa/ss", "ss word", "you@example.org", "mail.example"):
        assert part not in said


def test_what_is_told_is_one_line_of_bounded_length() -> None:
    said = Secrets([]).hide("two\nlines \x1b[31m" + "x" * 1000)
    assert said.startswith("two lines \\x1b[31mx")
    assert len(said) == 300
