"""Containers and units one by one: those that work, those that rest, those that are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.contract.readings import GroupKind, ServiceReading
from publisher.ledger.accounts import Account, Balance, Clues, WorkGroup
from publisher.ledger.naming.cgroup_names import Place
from publisher.ledger.services import Services
from publisher.sources.files import KernelFiles


class Stage:
    """A machine whose processes are in control groups."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "root"
        self._state = str(folder / "state")
        self._now = 0.0
        self.begin()

    def begin(self) -> None:
        """fanwhy is started, or started anew."""
        self._services = Services(KernelFiles(str(self._root)), self._state)

    def process(self, pid: int, path: str) -> None:
        folder = self._root / "proc" / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup").write_text(f"0::{path}\n")

    def kill(self, pid: int) -> None:
        (self._root / "proc" / str(pid) / "cgroup").unlink()

    def window(self, *accounts: Account, seconds: float = 2.0) -> dict[str, ServiceReading]:
        self._now += seconds
        books = Balance(window_seconds=2.0, cores=4, busy_seconds=8.0, accounts=accounts)
        found = self._services.follow(books, self._now, 1e9 + self._now)
        return found.containers | found.units


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def container(
    name: str, pid: int = 7, *, cpu_seconds: float = 4.0, memory_bytes: int = 1 << 30
) -> Account:
    place = Place(GroupKind.CONTAINER, "docker", "ab" * 32, f"/docker/{'ab' * 32}", "docker abab")
    return Account(
        group=WorkGroup(place.key, GroupKind.CONTAINER, name), clues=Clues(), called=name,
        cpu_seconds=cpu_seconds, memory_bytes=memory_bytes, pid=pid, place=place,
    )  # fmt: skip


def unit(name: str, *, cpu_seconds: float = 4.0, memory_bytes: int = 0) -> Account:
    place = Place(GroupKind.UNIT, "", name, f"/system.slice/{name}", name)
    return Account(
        group=WorkGroup(place.key, GroupKind.UNIT, name), clues=Clues(),
        cpu_seconds=cpu_seconds, memory_bytes=memory_bytes, pid=9, place=place,
    )  # fmt: skip


def test_one_that_works_and_then_rests_is_up_and_one_whose_process_is_gone_is_down(
    stage: Stage,
) -> None:
    stage.process(7, f"/docker/{'ab' * 32}")
    for _ in range(200):
        stage.window(container("immich"))
    found = stage.window(container("immich"))
    assert found["immich"].cpu_percent == pytest.approx(50, abs=1)
    assert found["immich"].memory_bytes == 1 << 30
    for _ in range(200):
        stage.window()
    found = stage.window()
    assert found["immich"].up
    assert found["immich"].cpu_percent == pytest.approx(0, abs=1)
    stage.kill(7)
    found = stage.window(seconds=30)
    assert (found["immich"].up, found["immich"].memory_bytes) == (False, 0)


def test_another_process_under_the_same_number_is_not_it(stage: Stage) -> None:
    stage.process(7, f"/docker/{'ab' * 32}")
    stage.window(container("immich"))
    stage.process(7, "/user.slice")
    assert stage.window(seconds=30)["immich"].up is False


def test_what_is_down_is_known_after_a_start_and_forgotten_after_a_week(stage: Stage) -> None:
    stage.window(container("immich"))
    stage.begin()
    assert stage.window(seconds=30)["immich"].up is False
    assert stage.window(seconds=8 * 86400) == {}


def test_small_units_are_none_and_there_are_never_many(stage: Stage) -> None:
    assert stage.window(unit("small.service", cpu_seconds=0.01)) == {}
    assert stage.window(unit("large.service", cpu_seconds=0.0, memory_bytes=1 << 30)).keys() == {
        "large.service"
    }
    crowd = [container(f"c{number}") for number in range(500)]
    assert len(stage.window(*crowd)) == 65


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 3}', '{"a": ["x", "y", "z"]}'])
def test_a_file_that_is_not_as_it_should_be_costs_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "services.json").write_text(content)
    assert Stage(tmp_path).window() == {}
