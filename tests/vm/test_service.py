"""fanwhy as a service of a real systemd: what ``tests/vm/service`` did, and what came of it."""

from __future__ import annotations

import re

import pytest
from vm.log import Log

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]


def _words(log: Log, *first: str) -> list[str]:
    """What the scenario said of a step, after its name."""
    return log.mark("service", *first).words[1 + len(first) :]


def test_it_is_installed_and_says_how_it_goes(log: Log) -> None:
    assert _words(log, "missing")[-1] == "4"
    assert _words(log, "install") == ["installed", "/etc/systemd/system/fanwhy-pub.service"]
    code, *words = _words(log, "status")
    assert code == "0"
    assert " ".join(words).startswith("fanwhy-pub is active: connected to mqtt://127.0.0.1:1883")
    assert _words(log, "unit") == ["notify", "3min", "enabled"]


def test_it_runs_as_nobody_without_a_right(log: Log) -> None:
    user, capabilities = _words(log, "user")

    assert user != "root"
    assert int(capabilities, 16) == 0
    found = re.search(
        r"exposure level for fanwhy-pub.service: ([\d.]+)", " ".join(_words(log, "exposure"))
    )
    assert found
    assert float(found[1]) <= 2.5


def test_one_that_is_restarted_and_at_once_reloaded_stays_up(log: Log) -> None:
    # Before Python itself has begun nothing can hold a signal: systemd then starts it once more.
    assert _words(log, "reloaded")[0] in ("active", "activating")


def test_a_wrong_configuration_is_not_tried_again_and_again(log: Log) -> None:
    assert _words(log, "wrong") == ["failed", "0", "2"]


def test_the_journal_knows_a_warning_from_a_remark(log: Log) -> None:
    assert "nothing listens there" in " ".join(_words(log, "warned"))


def test_it_goes_as_it_came(log: Log) -> None:
    assert _words(log, "remove")[0] == "removed"
    assert _words(log, "removed") == ["inactive", "0"]
