"""When a headline changes: other words of the same news later, new names at once."""

from __future__ import annotations

from itertools import pairwise

from publisher.explain.report.stability import HeadlineStability


def test_other_words_are_believed_later_each_time_and_new_names_at_once() -> None:
    stability, scan_only = HeadlineStability(), frozenset({"scan"})
    assert stability.settle("reads", scan_only, 0.0) == "reads"
    told = {now: stability.settle("computes", scan_only, now) for now in (1.0, 3.9, 4.0)}
    assert told == {1.0: "reads", 3.9: "reads", 4.0: "computes"}
    changes = [now for now in range(5, 400) if stability.settle("reads", scan_only, now) == "reads"]
    assert changes[0] == 5 + 12
    assert stability.settle("computes, backs up", frozenset({"scan", "backup"}), 400) != "reads"
    assert stability.settle("reads", scan_only, 401) == "reads"
    assert stability.settle("normal", frozenset(), 402) == "normal"
    told_at = [now for now in range(403, 420) if stability.settle("x", scan_only, now) == "x"]
    assert told_at[0] == 403
    assert all(later - earlier == 1 for earlier, later in pairwise(told_at))
