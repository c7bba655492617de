"""Every fixture tree, replayed: the one loop over all of them.

``tests/fixtures/<subsystem>/<case>/`` is a machine seen by one subsystem,
``tests/fixtures/machines/<machine>/`` one seen by all those that its ``expected.json`` speaks of.
The format is that of ``fanwhy-pub capture``: a captured machine becomes a test when its folder is
put here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from publisher.cli.replay import EXPECTED, replay, seen_by
from publisher.subsystems import SUBSYSTEMS

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_NAMES = {cls.name for cls in SUBSYSTEMS}
_CASES = sorted(path.parent for path in _FIXTURES.glob(f"*/*/{EXPECTED}"))


def _names(case: Path, expected: dict[str, object]) -> list[str]:
    """Whom a case is about: of whole machines those that something is expected of."""
    senses = expected["senses"]
    assert isinstance(senses, dict)
    spoken_of = (expected.keys() - {"senses"}) | senses.keys()
    names = seen_by(case)
    return names if len(names) == 1 else [name for name in names if name in spoken_of]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_captured_machine_reads_as_expected(case: Path) -> None:
    expected = json.loads((case / EXPECTED).read_text())

    assert replay(case, _names(case, expected)) == expected


def test_every_fixture_says_what_is_expected_of_it() -> None:
    folders = [path for path in _FIXTURES.glob("*/*") if path.is_dir()]

    assert [str(path) for path in folders if not (path / EXPECTED).is_file()] == []


def test_every_subsystem_has_a_fixture() -> None:
    assert _NAMES - {case.parent.name for case in _CASES} == set()
