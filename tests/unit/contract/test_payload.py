"""What a payload looks like on the wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.contract.metric import (
    Reading,
    Unit,
    counter,
    gauge,
    group,
    instances,
    reading,
    records,
    text,
)
from publisher.contract.model import json_schema
from publisher.contract.payload import Change, Envelope, change, encode, rfc3339, to_json
from publisher.contract.readings import CauseReading, ConsumerReading, ExplanationReading
from publisher.subsystems.cpu import CpuReading


@reading
class Inner(Reading):
    label: str | None = text("Label", "")
    size_bytes: float | None = gauge("Size", "", unit=Unit.BYTES, precision=0)


@reading
class Outer(Reading):
    usage_percent: float | None = gauge("Usage", "", unit=Unit.PERCENT, precision=1)
    cores: list[float] | None = gauge("Cores", "", precision=0)
    total: int | None = counter("Total", "")
    items: dict[str, Inner] = instances(Inner, "Items", "")
    top: tuple[Inner, ...] = records(Inner, "Top", "")
    one: Inner | None = group(Inner, "One", "")


NOTHING: dict[str, object] = {"items": {}, "top": []}


@reading
class Ranked(Reading):
    top: tuple[Inner, ...] | None = records(Inner, "Top", "", default=None)


@reading
class Case(Reading):
    whole: Outer | None = group(Outer, "Whole", "")
    several: tuple[Outer, ...] = records(Outer, "Several", "")
    by_name: dict[str, Outer] = instances(Outer, "By name", "")


def test_values_are_rounded_as_declared() -> None:
    found = to_json(Outer(usage_percent=12.349, cores=[0.4, 99.6], total=7))
    assert found == {"usage_percent": 12.3, "cores": [0, 100], "total": 7, **NOTHING}


def test_whole_numbers_are_written_without_a_point() -> None:
    assert encode(to_json(Inner(size_bytes=3.0))) == b'{"size_bytes":3}'


def test_what_cannot_be_read_is_left_out() -> None:
    assert to_json(Inner()) == {}
    assert to_json(Outer()) == NOTHING


def test_lists_and_maps_are_there_when_they_are_empty_also_inside_others() -> None:
    found = to_json(Case(whole=Outer(), several=(Outer(),), by_name={"a": Outer()}))
    assert found == {"whole": NOTHING, "several": [NOTHING], "by_name": {"a": NOTHING}}


def test_a_list_that_cannot_be_told_is_left_out() -> None:
    assert to_json(Ranked()) == {}
    assert to_json(Ranked(top=())) == {"top": []}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (None, (), Change.NONE),
        (None, (Inner(label="a"),), Change.VALUE),
        ((), (Inner(label="a"),), Change.VALUE),
        ((Inner(label="a"),), None, Change.NONE),
        ((Inner(label="a"),), (), Change.NONE),
    ],
)
def test_a_ranking_is_worth_a_message_when_it_has_a_new_leader(
    before: tuple[Inner, ...] | None, after: tuple[Inner, ...] | None, found: Change
) -> None:
    assert change(Ranked(top=before), Ranked(top=after)) is found


def test_whoever_joins_or_leaves_the_causes_is_worth_a_message() -> None:
    def causes(*groups: str) -> ExplanationReading:
        return ExplanationReading(causes=tuple(CauseReading(group=group) for group in groups))

    assert change(causes("xz"), causes("xz", "kswapd0")) is Change.VALUE
    assert change(causes("xz", "make"), causes("xz")) is Change.VALUE
    assert change(causes("xz", "make"), causes("make", "xz")) is Change.NONE


def test_a_ranking_of_groups_goes_by_the_group() -> None:
    """Two may do the same kind of work, and what kind it is may be found out later."""

    def ranked(*groups: tuple[str, str]) -> CpuReading:
        return CpuReading(
            top=tuple(ConsumerReading(label=label, group=group) for label, group in groups)
        )

    before = ranked(("Shell job", "a.sh"), ("Backup", "restic"))
    assert change(before, ranked(("Shell job", "b.sh"), ("Shell job", "c.sh"))) is Change.VALUE
    assert change(before, ranked(("Synchronising", "a.sh"))) is Change.NONE


def test_the_schema_says_which_lists_are_always_there() -> None:
    definitions = json_schema({"outer": Outer, "ranked": Ranked})["$defs"]
    fields = definitions["OuterMessage"]["properties"]
    assert (fields["top"]["default"], fields["items"]["default"]) == ([], {})
    assert "default" not in definitions["RankedMessage"]["properties"]["top"]


def test_readings_nest() -> None:
    found = to_json(
        Outer(
            items={"a": Inner(label="x")},
            top=(Inner(label="a"), Inner(label="b")),
            one=Inner(size_bytes=1.6),
        )
    )
    assert found == {
        "items": {"a": {"label": "x"}},
        "top": [{"label": "a"}, {"label": "b"}],
        "one": {"size_bytes": 2},
    }


def test_every_payload_names_its_host_and_time() -> None:
    wrapped = Envelope("nas").wrap({"x": 1}, 1_700_000_000.5)
    assert wrapped == {
        "host": "nas",
        "time": "2023-11-14T22:13:20.500Z",
        "schema_version": 1,
        "x": 1,
    }


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1.9996, "1970-01-01T00:00:01.999Z")],
)
def test_times_are_rfc3339_in_utc(moment: float, expected: str) -> None:
    assert rfc3339(moment) == expected


@given(st.text(st.characters(exclude_categories=[]), max_size=40))
def test_any_name_the_kernel_can_give_makes_valid_utf8_json(name: str) -> None:
    content = encode({"name": name})
    decoded = json.loads(content.decode("utf-8"))["name"]
    if not any("\ud800" <= character <= "\udfff" for character in name):
        assert decoded == name


def test_undecodable_bytes_are_replaced() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert json.loads(encode({"name": name})) == {"name": "caf\ufffd"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"x": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, -(10**400)])
def test_a_number_that_is_none_is_left_out_and_takes_nothing_along(value: float) -> None:
    @reading
    class Odd(Reading):
        one: float | None = gauge("One", "A value.", precision=1)
        many: list[float] | None = gauge("Many", "Values.", precision=1)
        plain: float | None = gauge("Plain", "Not rounded.")
        good: int | None = gauge("Good", "Another value.")

    told = to_json(Odd(one=value, many=[1.0, value], plain=value, good=2**64))

    assert json.loads(encode(told)) == {"good": 2**64}
