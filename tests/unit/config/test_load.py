"""The generic loader, on settings that fanwhy does not have: it knows no section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from publisher.config.layers import Layers
from publisher.config.load import Loaded, SectionChecks, load
from publisher.config.setting import number, setting
from publisher.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kettle:
    """How tea is made."""

    address: str | None = setting(
        None, "Where it stands.", variable="FANWHY_KETTLE", may_hold_secret=True
    )
    celsius: float = number(95.0, "How hot the water gets.", 20, 100)
    whistle: str | None = setting(None, "The tune.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kitchen:
    kettle: _Kettle = field(default_factory=_Kettle)


def _load(
    tmp_path: Path,
    text: str = "",
    *,
    environment: dict[str, str] | None = None,
    address: str | None = None,
    checks: tuple[SectionChecks, ...] = (),
) -> Loaded[_Kitchen]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(
        _Kitchen,
        flags={"--kettle": ("kettle.address", address)},
        config=str(file),
        environment=environment or {},
        checks=checks,
    )


def test_a_place_is_called_what_led_to_it(tmp_path: Path) -> None:
    text = '[kettle]\naddress = "file"\ncelsius = 80\n'
    found = _load(tmp_path, text)
    assert found.where("kettle.address") == f"{tmp_path / 'config.toml'}: kettle.address"
    assert found.where("kettle.whistle") == "kettle.whistle"
    for variable in ("FANWHY_KETTLE", "FANWHY_KETTLE__ADDRESS"):
        found = _load(tmp_path, text, environment={variable: "variable"})
        assert (found.settings.kettle.address, found.where("kettle.address")) == (
            "variable",
            variable,
        )
        assert found.in_file("kettle.address") == "file"
    found = _load(tmp_path, text, address="flag")
    assert found.settings.kettle == _Kettle(address="flag", celsius=80)
    assert found.where("kettle.address") == "--kettle"


def test_the_ends_of_a_range_are_in_it(tmp_path: Path) -> None:
    for end in (20, 100):
        assert _load(tmp_path, f"[kettle]\ncelsius = {end}").settings.kettle.celsius == end
    for beyond in (19.9, 100.1):
        with pytest.raises(ConfigError, match=f"expected a number from 20 to 100, found {beyond}"):
            _load(tmp_path, f"[kettle]\ncelsius = {beyond}")


def test_what_may_hold_a_secret_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, "[kettle]\naddress = 271828")
    assert str(caught.value).endswith("kettle.address: expected text, found a number")


def test_without_a_file_there_is_nothing_in_it() -> None:
    found = load(_Kitchen, flags={}, environment={"XDG_CONFIG_HOME": "/no/such/folder"})
    assert found.settings == _Kitchen()
    assert (found.path, found.in_file("kettle.address")) == (None, None)


# --- what a section's owner adds ------------------------------------------------------------------


def _no_tune_from_elsewhere(layers: Layers) -> Layers:
    """With an address in a flag, the tune is not taken from the places below."""
    above, *below = layers
    if above.get("kettle", "address"):
        below = [layer.without("kettle", "whistle") for layer in below]
    return (above, *below)


def _too_hot(loaded: Loaded[Any]) -> Iterator[str]:
    if loaded.settings.kettle.celsius > 98:
        yield f"{loaded.where('kettle.celsius')}: too hot"


_CHECKS = SectionChecks(
    reconcile=_no_tune_from_elsewhere, problems=_too_hot, warnings=lambda _: ["it whistles"]
)
_OTHERS = SectionChecks(
    reconcile=lambda layers: layers, problems=lambda _: ["no tea"], warnings=lambda _: []
)


def test_layers_are_reconciled_before_they_are_merged(tmp_path: Path) -> None:
    text = '[kettle]\nwhistle = "waltz"'
    assert _load(tmp_path, text, checks=(_CHECKS,)).settings.kettle.whistle == "waltz"
    found = _load(tmp_path, text, address="flag", checks=(_CHECKS,))
    assert found.settings.kettle == _Kettle(address="flag")
    assert found.warnings == ("it whistles",)


def test_problems_of_all_owners_are_said_at_once(tmp_path: Path) -> None:
    text = "[kettle]\ncelsius = 99"
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, checks=(_CHECKS, _OTHERS))
    first, second = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'config.toml'}: kettle.celsius: too hot"
    assert second == "no tea"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tea:
    """One kind of tea."""

    minutes: float = number(3.0, "How long it draws.", 1, 15)
    leaves: tuple[str, ...] = setting((), "What is in it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    teas: Mapping[str, _Tea] = setting(dict, "What there is, by name.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pantry:
    shelf: _Shelf = field(default_factory=_Shelf)


def _pantry(tmp_path: Path, text: str, **environment: str) -> Mapping[str, _Tea]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    loaded = load(_Pantry, flags={}, config=str(file), environment=environment)
    return loaded.settings.shelf.teas


def test_the_entries_of_a_table_may_be_tables(tmp_path: Path) -> None:
    text = '[shelf.teas.green]\nminutes = 2\n[shelf.teas.mint]\nleaves = ["mint"]'
    assert _pantry(tmp_path, text) == {
        "green": _Tea(minutes=2),
        "mint": _Tea(leaves=("mint",)),
    }


def test_such_an_entry_may_come_from_the_environment(tmp_path: Path) -> None:
    one = _pantry(tmp_path, "", FANWHY_SHELF__TEAS__GREEN="{ minutes = 2 }")
    every = _pantry(tmp_path, "", FANWHY_SHELF__TEAS="{ green = { minutes = 2 } }")
    assert one == every == {"green": _Tea(minutes=2)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[shelf.teas.green]\nminuts = 2",
         "shelf.teas.green.minuts: no such setting; did you mean shelf.teas.green.minutes?"),
        ("[shelf.teas.green]\nminutes = 99",
         "shelf.teas.green.minutes: expected a number from 1 to 15, found 99"),
        ('[shelf.teas.green]\nleaves = "mint"',
         'shelf.teas.green.leaves: expected a list of words, found "mint"'),
        ("[shelf.teas]\ngreen = 3", "shelf.teas.green: expected a table of settings, found 3"),
        ("[shelf]\nteas = 3",
         "shelf.teas: expected tables of settings, each under a name, found 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_such_an_entry_is_said_with_its_name(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _pantry(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/config.toml: {complaint}"
