"""Pages that open from disk: one file each, that loads nothing, runs nothing and tells nobody."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

from subscriber_cli.render.drawing import STYLE, Drawing

_WIDE, _NARROW = 960, 400
_STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0;background:#fff;color:#1d2430}
@media(prefers-color-scheme:dark){body{background:#161a20;color:#e6e9ee}}
main{max-width:960px;margin:0 auto;padding:16px;line-height:1.45}
h1{font-size:1.4rem;margin:.2em 0}h2{font-size:1.1rem;margin:1.6em 0 .4em}
svg{width:100%;height:auto;display:block}.narrow{display:none}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600}
td,th{padding:3px 10px 3px 0;vertical-align:top;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.t{white-space:nowrap}p.faint,td.faint,small{color:var(--faint)}
.scroll{overflow-x:auto}
@media(max-width:600px){.wide{display:none}.narrow{display:block}td.t{white-space:normal;min-width:5.5em}}
"""
# Nothing may be loaded, whatever a name in the page tries.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; the parts are HTML."""
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escaped(title)}</title><style>{STYLE}{_STYLE}</style></head>"
        f'<body><main class="fw">{"".join(parts)}</main></body></html>\n'
    )


def escaped(text: str) -> str:
    """A text as it is, in HTML."""
    return html.escape(text, quote=True)


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escaped(text)}</h{level}>"


def paragraph(text: str, *, faint: bool = False) -> str:
    """A paragraph."""
    return f"<p{' class=faint' if faint else ''}>{escaped(text)}</p>"


def figure(drawing: Drawing) -> str:
    """A drawing, for wide screens and for phones."""
    wide, narrow = (drawing.svg(width, alone=False) for width in (_WIDE, _NARROW))
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table; ``numbers`` are the columns that stand to the right."""
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        classes = (
            "n" if index in right else "t" if index == 0 else "" for index in range(len(row))
        )
        return "".join(
            f'<{tag} class="{kind}">{escaped(text)}</{tag}>'
            for kind, text in zip(classes, row, strict=True)
        )

    head = f"<thead><tr>{cells('th', heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
