"""The reference pages are what the code says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from publisher.config.walk import declared
from publisher.contract.metric import fields_of
from publisher.contract.topics import readings_of
from publisher.daemon.settings import Settings
from publisher.subsystems.registry import documented_topics
from tools.reference import configuration_reference, main, topics_page

_DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_they_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(_DOCS), "--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_staleness_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(_DOCS / "configuration.md", tmp_path)
    page = tmp_path / "topics.md"
    page.write_text("old")
    assert main([str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().err == (
        f"{page}: not as the code says; write them anew with make docs\n"
    )
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {page}\n"
    assert main([str(tmp_path), "--check"]) == 0


def test_a_page_without_its_marks_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "configuration.md").write_text("# Mine\n")
    assert main([str(tmp_path)]) == 1
    assert "the marks of the reference part are missing" in capsys.readouterr().err
    assert (tmp_path / "configuration.md").read_text() == "# Mine\n"


def test_every_field_and_every_setting_is_there() -> None:
    page = topics_page()
    for leaf, cls in readings_of(documented_topics()).items():
        assert f"## host/{leaf}\n" in page
        assert all(f"| `{field.name}` |" in page for field in fields_of(cls))
    reference = configuration_reference()
    assert all(f"`{item.variable}`" in reference for item in declared(Settings))


def test_links_inside_lead_somewhere() -> None:
    page = topics_page()
    anchors = {
        line.lstrip("# ").lower().replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    for part in page.split("](#")[1:]:
        assert part.split(")", 1)[0] in anchors
