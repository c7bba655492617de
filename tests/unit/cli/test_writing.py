"""Files of the user's: written whole or not at all, and never what is no file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from publisher.cli.writing import alone, rewrite
from publisher.errors import ConfigError


def test_what_a_link_leads_to_must_be_a_file(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "rules.toml"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with pytest.raises(ConfigError, match="it is no file"):
        rewrite(link, "text")
    assert pipe.is_fifo()


def test_one_after_another(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("")

    def add(line: str) -> None:
        with alone(file):
            rewrite(file, f"{file.read_text()}{line}\n")

    threads = [threading.Thread(target=add, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read_text().split()) == [str(number) for number in range(8)]
