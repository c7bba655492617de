from __future__ import annotations

from subscriber_cli.model.leaves import panel_order


def test_the_hosts_own_topics_are_last_and_the_verdict_has_no_block() -> None:
    leaves = ["self", "info", "cpu", "explanation", "event", "overview", "catalogue", "battery"]

    assert panel_order(leaves) == ["cpu", "battery", "info", "self"]
