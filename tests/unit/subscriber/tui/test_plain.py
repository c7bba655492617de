from __future__ import annotations

from subscriber_cli.render.bars import graph
from subscriber_cli.tui.plain import in_ascii


def test_signs_have_likenesses_of_the_same_width() -> None:
    assert in_ascii("▸ cpu 88 °C ━━┄ ● · …") == "> cpu 88 oC ==- * . ."
    assert in_ascii("caf\u00e9 \u6f22") == "caf? ?"


def test_a_graph_keeps_its_heights() -> None:
    points = [(float(second), float(second)) for second in range(100)]
    (drawn,) = graph(points, now=99.0, span=100, width=4, top=100)

    assert in_ascii(drawn) == ".-+#"
