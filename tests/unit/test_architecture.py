"""Every path and every name in the pages for those who carry on is there, under that name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "architecture.md"
_PAGES = (
    *(_ROOT / name for name in ("CONTRIBUTING.md", "README.md", "SECURITY.md")),
    *sorted((_ROOT / "docs").glob("*.md")),
)
_PLACE = re.compile(
    r"(?P<path>(?:publisher|subscriber_cli|tests|tools|docs|bench|scripts|examples)/[\w./-]*"
    r"|pyproject\.toml)(?::(?P<name>[\w.]+))?"
)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_EXAMPLE = "doorbell"  # CONTRIBUTING.md adds it


def _without_blocks(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _places(page: Path) -> Iterator[tuple[str, str]]:
    for quoted in re.findall(r"`([^`\n]+)`", _without_blocks(page.read_text())):
        found = _PLACE.fullmatch(quoted)
        if found and _EXAMPLE not in quoted:
            yield found["path"], found["name"] or ""


def _names(body: list[ast.stmt], above: str = "") -> Iterator[str]:
    """What is defined in a module or class, as ``Class.method``."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{above}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from _names(node.body, f"{above}{node.name}.")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield f"{above}{node.target.id}"
        elif isinstance(node, ast.Assign):
            yield from (f"{above}{item.id}" for item in node.targets if isinstance(item, ast.Name))


def _stale(page: Path) -> list[str]:
    found = []
    for path, name in _places(page):
        file = _ROOT / path
        if not file.exists():
            found.append(path)
        elif name and name not in set(_names(ast.parse(file.read_text()).body)):
            found.append(f"{path}:{name}")
    return found


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert _stale(page) == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_where_a_page_links_to_exists(page: Path) -> None:
    links = _LINK.findall(_without_blocks(page.read_text()))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`publisher/nowhere.py`, `publisher/errors.py:Nothing`, `publisher/errors.py:FanwhyError`"
    )

    assert _stale(page) == ["publisher/nowhere.py", "publisher/errors.py:Nothing"]


def test_the_drawing_shows_every_room() -> None:
    text = _PAGE.read_text()
    drawing = text[text.index("```") : text.index("```", text.index("```") + 3)]
    rooms = [
        path.name for path in (_ROOT / "publisher").iterdir() if (path / "__init__.py").exists()
    ]

    assert [room for room in rooms if not re.search(rf"\b{room}\b", drawing)] == []


def test_every_journey_has_stops() -> None:
    text = _PAGE.read_text()
    journeys = text[text.index("## Five journeys") : text.index("## Where does one change")]
    titles = re.findall(r"^\*\*.+\*\*$", journeys, flags=re.MULTILINE)
    stops = re.findall(r"^\d\. .*`[\w/]+\.py:\w", journeys, flags=re.MULTILINE)

    assert len(titles) == 5
    assert len(stops) >= 3 * len(titles)


def test_the_glossary_has_25_words() -> None:
    text = _PAGE.read_text()
    rows = text[text.index("## Words") :].count("\n| ") - 2  # head and line

    assert rows == 25
