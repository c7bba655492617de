from __future__ import annotations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from unit.subscriber.tui.stage import Script

from subscriber_cli.model.view import View
from subscriber_cli.render.bars import graph
from subscriber_cli.tui.app import WatchApp
from subscriber_cli.tui.plain import in_ascii


def test_signs_have_likenesses_of_the_same_width() -> None:
    assert in_ascii("▸ cpu 88 °C ━━┄ ● · …") == "> cpu 88 oC ==- * . ."
    assert in_ascii("caf\u00e9 \u6f22") == "caf? ?"


def test_a_graph_keeps_its_heights() -> None:
    points = [(float(second), float(second)) for second in range(100)]
    (drawn,) = graph(points, now=99.0, span=100, width=4, top=100)

    assert in_ascii(drawn) == ".-+#"


def test_without_colours_the_terminals_own_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = WatchApp(Script(), View(place="mqtt://nas"), lambda *_: None)
    segments = [Segment("hot", Style(color="red", bgcolor="#000000", bold=True))]
    for each in app.get_line_filters():
        segments = each.apply(segments, Color(0, 0, 0))
    style = segments[0].style
    assert style == Style(color="default", bgcolor="default", bold=True)
