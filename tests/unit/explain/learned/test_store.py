"""What was learned, on disk: whole or not at all, and no disaster when it cannot be used."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.learned.store import LearnedStore
from publisher.explain.thermal.cooling import Episode


def test_a_new_machine_has_an_empty_store(tmp_path: Path) -> None:
    assert LearnedStore.open(str(tmp_path)) == LearnedStore()
    assert LearnedStore.open(None) == LearnedStore()


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    store = LearnedStore()
    store.habits.watch(1.8e9)
    store.habits.note("Borg backup", 1.8e9)
    store.drift.days = [[20833.0, 34.5, 12.0]]
    store.energy.add(5.0, 1.0, [("make", 1.0)], 1.0, 20833)
    store.machine.rest = (35.0, None, 12.0)
    store.gpu.episodes = [Episode(70.0, ((3.5, 90.0), (1.0, 0.0)))]
    store.gpu.errors = [0.2]
    store.save(str(tmp_path / "state"), 1.0)
    again = LearnedStore.open(str(tmp_path / "state"))
    assert (again.habits, again.drift, again.energy) == (
        store.habits, store.drift, store.energy,
    )  # fmt: skip
    assert (again.machine, again.gpu) == (store.machine, store.gpu)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["learned.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"version":99}',
        b"\xff\xfe",
        b'{"version":2,"habits":3}',
        b'{"version":2,"habits":{"came":{"x":[[Infinity,1]]},"watched":{}}}',
    ],
)
def test_a_broken_store_is_started_afresh(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "learned.json").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert LearnedStore.open(str(tmp_path)) == LearnedStore()
    assert "learning starts afresh" in caplog.text


def test_a_folder_that_cannot_be_written_is_said_once_a_try(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    LearnedStore().save(str(tmp_path / "file" / "below"), 1.0)
    assert "cannot be kept" in caplog.text


def test_it_is_written_rarely(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    stage = make_stage(state_dir=str(tmp_path))
    stage.play(make_account("borg", 3.0), lasting=60)
    assert not (tmp_path / "learned.json").exists()
    stage.play(lasting=1900, seconds=10)
    assert json.loads((tmp_path / "learned.json").read_bytes())["habits"]["came"]["Borg backup"]


def test_nothing_is_kept_when_learning_is_off(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    stage = make_stage(state_dir=str(tmp_path), settings=ExplainSettings(learn=False))
    stage.play(make_account("borg", 3.0), lasting=60)
    stage.explainer.close()
    assert list(tmp_path.iterdir()) == []


def test_weeks_of_use_stay_small(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    stage = make_stage(state_dir=str(tmp_path))
    for number in range(300):
        stage.play(make_account(f"program-{number}", 3.0), lasting=6, power_watts=50.0)
        stage.play(lasting=7200, seconds=300, power_watts=10.0, cpu_temperature_celsius=40.0)
    stage.explainer.close()
    assert (tmp_path / "learned.json").stat().st_size < 40_000
