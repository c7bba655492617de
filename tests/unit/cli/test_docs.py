"""The reference pages are what the code says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from publisher.cli.docs import configuration_reference, topics_page
from publisher.config.walk import declared
from publisher.contract.metric import fields_of
from publisher.contract.topics import readings_of
from publisher.daemon.settings import Settings
from publisher.pipeline import all_topics

_DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_they_are_current(fanwhy: Callable) -> None:
    found = fanwhy("docs", str(_DOCS), "--check")
    assert (found.code, found.err) == (0, "")


def test_staleness_is_found_and_mended(fanwhy: Callable, tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    shutil.copy(_DOCS / "configuration.md", pages)
    (pages / "topics.md").write_text("old")
    found = fanwhy("docs", str(pages), "--check")
    assert found.code == 1
    assert found.err == (
        f"fanwhy-pub: {pages / 'topics.md'}: not as the code says; write them anew with make docs\n"
    )
    assert fanwhy("docs", str(pages)).out == f"wrote {pages / 'topics.md'}\n"
    assert fanwhy("docs", str(pages), "--check").code == 0


def test_a_page_without_its_marks_is_left_alone(fanwhy: Callable, tmp_path: Path) -> None:
    (tmp_path / "configuration.md").write_text("# Mine\n")
    found = fanwhy("docs", str(tmp_path))
    assert found.code == 1
    assert "the marks of the reference part are missing" in found.err
    assert (tmp_path / "configuration.md").read_text() == "# Mine\n"


def test_every_field_and_every_setting_is_there() -> None:
    page = topics_page()
    for leaf, cls in readings_of(all_topics()).items():
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
