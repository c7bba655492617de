"""Only sources open kernel files: whatever else is opened, it is below no /proc and no /sys."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_PUBLISHER = Path(__file__).resolve().parents[2] / "publisher"
_OPENERS = frozenset({"open", "Path", "read_text", "read_bytes", "listdir", "scandir"})


def kernel_paths(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every literal kernel path that is opened by hand."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        words = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
        for word in words:
            if name in _OPENERS and str(word).startswith(("/proc", "/sys")):
                yield call.lineno, str(word)


def test_only_sources_open_kernel_files() -> None:
    found = [
        (str(path.relative_to(_PUBLISHER)), *place)
        for path in sorted(_PUBLISHER.rglob("*.py"))
        if path.relative_to(_PUBLISHER).parts[0] != "sources"
        for place in kernel_paths(ast.parse(path.read_text()))
    ]
    assert found == []


def test_what_is_looked_for_would_be_found() -> None:
    program = 'os.open(f"/proc/pressure/{name}", 2)\nPath("/sys/class").iterdir()'
    assert [line for line, _ in kernel_paths(ast.parse(program))] == [1, 2]
