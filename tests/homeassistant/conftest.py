"""One Home Assistant, one broker and one machine for each file of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from homeassistant.harness import WITHOUT, House, build, releases


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.homeassistant)
            item.add_marker(pytest.mark.timeout(240))
            if os.environ.get(WITHOUT) == "1":
                item.add_marker(pytest.mark.skip(reason=f"{WITHOUT}=1"))


@pytest.fixture(scope="module", params=releases())
def house(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[House]:
    wanted = getattr(request.module, "HOUSE", {})
    yield from build(tmp_path_factory.mktemp("house"), release=request.param, **wanted)
