"""What the terminal may load of the publisher, and which of its parts may know a payload."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import subscriber_cli

PROGRAM = """
import sys
import subscriber_cli.__main__
for name in sorted(sys.modules):
    print(name)
"""


def test_it_loads_no_subsystem_and_no_driver() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())

    assert "paho.mqtt.client" in loaded
    assert not loaded & {"psutil", "pynvml", "textual"}
    of_publisher = {name for name in loaded if name.startswith("publisher.")}
    rooms = {name.split(".")[1] for name in of_publisher}
    assert rooms == {"config", "contract", "errors", "mqtt", "service"}


READERS = {"Document", "items", "mapping", "moment", "number", "numbers", "words"}


def test_payloads_are_read_in_the_model_and_nowhere_else() -> None:
    root = Path(subscriber_cli.__file__).parent
    files = [file for file in root.rglob("*.py") if file.parent.name != "model"]
    assert len(files) > 10

    for file in files:
        assert READERS.isdisjoint(imported(file, "subscriber_cli.model.values")), file


def imported(file: Path, module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            yield from (alias.name for alias in node.names)
