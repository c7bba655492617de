"""The table of topics: everything that is published has its row, and the documents know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from publisher.cli.asyncapi import asyncapi
from publisher.contract.topics import Topic, registry
from publisher.daemon.settings import Settings
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.registry import documented_topics

_README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi(Settings())


def test_every_subsystem_has_a_row() -> None:
    rows = documented_topics()
    assert [leaf for leaf, row in rows.items() if row.subsystem] == [cls.name for cls in SUBSYSTEMS]


def test_a_subsystem_that_nobody_has_heard_of_gets_its_row() -> None:
    rows = registry({"doorbell": CpuReading})
    assert rows["doorbell"] == Topic(
        leaf="doorbell",
        doc=(CpuReading.__doc__ or "").partition("\n")[0],
        reading=CpuReading,
        subsystem=True,
        entities=True,
    )


@pytest.mark.parametrize("row", documented_topics().values(), ids=lambda row: row.leaf)
def test_the_asyncapi_document_tells_of_every_topic(row: Topic, document: dict[str, Any]) -> None:
    operation = document["operations"][row.leaf]
    assert document["channels"][row.leaf]["address"] == f"host/{row.leaf}"
    assert operation["action"] == ("receive" if row.received else "send")
    assert operation["bindings"]["mqtt"] == {
        "qos": row.qos, "retain": row.retained, "bindingVersion": "0.2.0"
    }  # fmt: skip
    message = document["components"]["messages"][row.leaf]
    assert message.get("contentType", "application/json") == row.content_type


def test_the_picture_is_a_topic_like_any_other(document: dict[str, Any]) -> None:
    picture = document["components"]["messages"]["picture"]
    assert picture["contentType"] == "image/svg+xml"
    assert document["operations"]["picture"]["bindings"]["mqtt"]["retain"] is True


def test_the_readme_tells_of_every_topic() -> None:
    section = _README.partition("## Topics")[2].partition("\n## ")[0]
    assert [
        leaf for leaf in documented_topics() if f"`{leaf}`" not in section.replace("`host/", "`")
    ] == []


@pytest.mark.parametrize("row", documented_topics().values(), ids=lambda row: row.leaf)
def test_rows_make_sense(row: Topic) -> None:
    assert row.doc.endswith(".")
    assert row.qos in (0, 1)
    assert not (row.expires and not row.retained), "only a state can be forgotten"
    assert not (row.entities and row.reading is None)
    assert bool(row.words) == (row.content_type == "text/plain")
