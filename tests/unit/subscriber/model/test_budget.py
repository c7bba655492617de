"""What one who may write to the broker can make the terminal keep, and work."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from every_page import every_page

from subscriber_cli.model import budget
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.decode import Received, Scope, decode
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.model.view import View

Say = Callable[..., Received]
_WIDTH, _HEIGHT = 120, 40
SIZE = 30_000


def evil_texts(size: int) -> dict[str, str]:
    """What takes much more than its text once it is read; ``size`` bytes of text each."""
    rows = [{f"a{n}": n for n in range(100)} for _ in range(size // 1000)]
    return {
        "empty objects": "[" + "{}," * (size // 3) + "{}]",
        "small objects": "{" + ",".join(f'"{n}":{{"a":{n}}}' for n in range(size // 16)) + "}",
        "numbers": "[" + "1234567," * (size // 8) + "1]",
        "one long text": json.dumps("x" * size),
        "not printable": json.dumps("\u202e" * (size // 6)),
        "deep": '{"a":' * 500 + "1" + "}" * 500,
        "rows of amounts": json.dumps(rows),
        "rows in rows": "[" + '{"a":[{"b":[{"c":1.5}]}]},' * (size // 26) + "{}]",
    }


EVIL = evil_texts(SIZE)


def message(prefix: str, leaf: str, evil: str, number: int) -> Received:
    text = f'{{"host":"evil","number":{number},"x":{evil}}}'
    found = decode(Scope("host"), f"{prefix}/{leaf}", text.encode(), retained=True)
    assert isinstance(found, Received)
    return found


def shrink(monkeypatch: pytest.MonkeyPatch, times: int) -> int:
    """The budget of a fleet, so many times smaller: what holds for it holds for the whole."""
    for name, module in (("KEPT_BYTES", "fleet"), ("SHARE_BYTES", "fleet"),
                         ("READ_BYTES", "readings")):  # fmt: skip
        monkeypatch.setattr(f"subscriber_cli.model.{module}.{name}", getattr(budget, name) // times)
    return (budget.KEPT_BYTES + budget.READ_BYTES) // times


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    return shrink(monkeypatch, 100)


@pytest.mark.parametrize("evil", evil_texts(SIZE // 3).values(), ids=EVIL)
def test_what_a_fleet_keeps_has_a_bound(monkeypatch: pytest.MonkeyPatch, evil: str) -> None:
    small = shrink(monkeypatch, 300)
    fleet = Fleet()
    # One message is read whole, however small the budget.
    largest = 40 * SIZE // 3
    tracemalloc.start()
    try:
        for number in range(25):
            fleet.apply(message(f"host/{number % 5}", f"topic{number}", evil, number), 0)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < small + largest
    finally:
        tracemalloc.stop()
    assert len(list(fleet)) <= 5


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_a_screen_is_drawn_whatever_is_on_it(evil: str) -> None:
    view = View(place="broker")
    view.fleet.apply(message("host", "explanation", evil, 1), 0)
    for leaf in ("cpu", "info", "overview", "event", "catalogue"):
        view.fleet.apply(message("host", leaf, evil, 1), 0)
    began = time.process_time()
    assert every_page(view, _WIDTH, _HEIGHT, 0.0)
    assert time.process_time() - began < 10  # a second on a slow machine; not minutes


def test_a_loud_host_takes_from_itself(small: int, say: Say, explanation: Any, now: float) -> None:
    fleet = Fleet()
    fleet.apply(say("explanation", explanation), now)
    for number in range(25):
        fleet.apply(message("host/evil", f"topic{number}", EVIL["one long text"], number), 0)

    quiet = next(host for host in fleet if host.prefix == "host")
    assert quiet.explanation.headline
    assert fleet.complaint().startswith("skipped: host/evil/topic")
    assert fleet.complaint() == ""


def test_more_hosts_and_topics_than_are_kept_are_told_once(say: Say) -> None:
    fleet = Fleet()
    for index in range(600):
        fleet.apply(say("status", "online", prefix=f"host/{index}"), 0)
        fleet.apply(say(f"topic{index}", {"a": index}, prefix="host/0"), 0)

    assert {fleet.complaint(), fleet.complaint(), fleet.complaint()} == {
        "skipped: host/500, since there are more than 500 hosts",
        "skipped: host/0/topic64, since one host has more than 64 topics",
        "",
    }


def test_the_same_catalogue_is_kept_once(say: Say, catalogue: dict[str, Any]) -> None:
    fleet = Fleet()
    hosts = []
    for index in range(100):
        schema = json.loads(json.dumps({"host": f"h{index}", **catalogue}))
        hosts.append(fleet.apply(say("catalogue", schema, prefix=f"host/{index}"), 0))

    assert len({id(host.catalogue) for host in hosts if host}) == 1


def test_catalogues_that_nobody_has_any_more_go(small: int, say: Say, catalogue: Any) -> None:
    fleet = Fleet()
    tracemalloc.start()
    try:
        for index in range(50):
            fields = {f"f{index}_{n}": {"x-kind": "gauge"} for n in range(100)}
            fleet.apply(say("catalogue", {"properties": {"cpu": {"properties": fields}}}), 0)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < small
    finally:
        tracemalloc.stop()
    host = fleet.apply(say("catalogue", catalogue), 0)
    assert host
    assert host.catalogue.topics["cpu"]
    assert fleet.complaint() == ""


@pytest.mark.parametrize("kind", ["records", "instances", "group"])
def test_a_catalogue_that_refers_to_itself_is_read_as_far_as_people_look(kind: str) -> None:
    key = {"records": "items", "instances": "additionalProperties"}.get(kind)
    reference: dict[str, Any] = {"$ref": "#/$defs/A"}
    inner = {key: reference} if key else reference
    fields = {f"p{n}": {"x-kind": kind, **inner} for n in range(200)}
    schema = {
        "properties": {f"t{n}": reference for n in range(1000)},
        "$defs": {"A": {"properties": fields}},
    }
    began = time.process_time()
    parsed = Catalogue.parse(schema)

    assert time.process_time() - began < 5
    assert len(parsed.topics) == 256
    assert parsed.size < 6 * budget.MIB


def test_rows_are_read_in_the_time_that_their_text_takes() -> None:
    """A thousand declared fields, asked of each of thousands of rows, would be millions."""
    fields = {f"p{n}": {"x-kind": "gauge"} for n in range(20_000)}
    of = {"x-kind": "records", "items": {"properties": fields}}
    schema = {"properties": {"cpu": {"properties": {"rows": of}}}}
    catalogue = Catalogue.parse(schema)
    began = time.process_time()
    catalogue.row("cpu", {"rows": [{"rows": [{}] * 1000}] * 1000})

    assert time.process_time() - began < 5
