"""What grants a right, in the words of where fanwhy runs."""

from __future__ import annotations

import pytest

from publisher.sources.remedies import privilege


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (False, "run fanwhy as root or with AmbientCapabilities=CAP_SYS_PTRACE"),
        (True, 'run fanwhy as root with CAP_SYS_PTRACE (user: "0:0" and cap_add: [SYS_PTRACE])'),
    ],
)
def test_an_engine_gives_capabilities_to_root_alone(
    monkeypatch: pytest.MonkeyPatch, inside: bool, words: str
) -> None:
    monkeypatch.setattr("publisher.sources.remedies.in_engine", lambda: inside)
    assert privilege("CAP_SYS_PTRACE") == words
