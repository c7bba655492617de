"""One line of a TOML file added or replaced."""

from __future__ import annotations

import tomllib

import pytest

from publisher.cli.toml_lines import EditError, with_line

FILE = """\
# Mine.
title = "x"  # not a table

[backup] # copies
nas = { label = "To the NAS", script = "nas.sh" }  # by night
# the other one
disk = { label = "To # the disk", script = ["disk.sh"] }

# Films.
[media]
film = { label = "Film", program = "film" }
"""


def test_a_line_goes_behind_the_others_of_its_table() -> None:
    edited = with_line(FILE, "backup", "new", {"label": "New"})
    assert edited == FILE.replace('["disk.sh"] }\n', '["disk.sh"] }\nnew = { label = "New" }\n')


def test_a_line_is_replaced_where_it_stands_and_keeps_its_comment() -> None:
    edited = with_line(FILE, "backup", "nas", {"label": "NAS"})
    assert edited == FILE.replace(
        'nas = { label = "To the NAS", script = "nas.sh" }', 'nas = { label = "NAS" }'
    )
    edited = with_line(FILE, "backup", "disk", {"label": "Disk"})
    assert 'disk = { label = "Disk" }\n\n# Films.' in edited


def test_a_table_that_is_missing_is_made() -> None:
    assert with_line(FILE, "web", "new", 1) == f"{FILE}\n[web]\nnew = 1\n"
    assert with_line("", "web", "new", 1) == "[web]\nnew = 1\n"
    assert with_line("a = 1", "web", "new", 1) == "a = 1\n\n[web]\nnew = 1\n"


def test_a_line_moves_to_another_table() -> None:
    edited = with_line(FILE, "media", "nas", {"label": "NAS"}, over="backup")
    assert tomllib.loads(edited)["media"]["nas"] == {"label": "NAS"}
    assert "nas" not in tomllib.loads(edited)["backup"]
    assert "# the other one\n" in edited


def test_line_ends_stay_as_they_are() -> None:
    assert with_line("[web]\r\na = 1\r\n", "web", "b", 2) == "[web]\r\na = 1\r\nb = 2\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "web = { a = 1 }\n",
        "web.a = 1\n",
        '[web]\ntext = """\n[other]\n"""\n[web.a]\n',
        "[web]\na = [\n  1,\n]\n",
    ],
)
def test_what_only_a_person_can_change_is_left_alone(text: str) -> None:
    try:
        edited = with_line(text, "web", "a", 2)
    except EditError:
        return
    assert tomllib.loads(edited)["web"]["a"] == 2
