"""The generator of the reference pages in ``docs/``, from the declarations: ``make docs``.

``topics.md`` is written whole; of ``configuration.md`` only what stands between the two marks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from publisher.config.template import first_paragraph, section_class, toml
from publisher.config.walk import Declared, declared, element, of_table
from publisher.contract.metric import Field, Kind, Reading, fields_of
from publisher.contract.topics import readings_of
from publisher.contract.units import humanise
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError
from publisher.publishing.policy import EXPIRY_HEARTBEATS
from publisher.subsystems.registry import documented_topics

_BEGIN = "<!-- reference: begin; written by `make docs` -->"
_END = "<!-- reference: end -->"
_NESTED = (Kind.INSTANCES, Kind.RECORDS, Kind.GROUP)
_TOPICS = """\
# Topics

<!-- Written by `make docs` from the declarations in the code: change those instead. -->

All topics live under the prefix, `host` unless [configured](configuration.md). Every payload but
those of `status` and `picture` is a JSON object in UTF-8 and says `host` (the machine's name),
`time` (RFC 3339, UTC, milliseconds) and `schema_version`. A value that cannot be read is left out,
never 0 or -1; `host/info` says why. Lists of readings and maps of devices are there also when they
are empty; only `top` is left out while nothing is known of programs, and `energy` where no power is
measured. `*_percent` is from 0 to 100; percent of one core is said so.

"Sends" is the move of a value that is worth a message by itself, and the share of the value last
sent that it must reach, too; other values ride along.
Everything is sent again at the heartbeat.

{rows}

## host/status

`online` or `offline`, as plain text, retained. The broker says `offline` when the daemon dies
(last will).

## host/catalogue

The JSON Schema of every topic below, retained: `#/properties/cpu` is the schema of `host/cpu`.
`x-unit`, `x-precision` and `x-kind` stand beside each field, and the range of each number.

## host/command

Listened to. `refresh` publishes everything anew; `why` answers with the verdict on the response
topic of the request (MQTT 5), with its correlation data:

    mosquitto_pub -h BROKER -t host/command -m refresh
    mosquitto_rr -h BROKER -V 5 -t host/command -e host/reply/me -m why

## host/picture

The last 24 hours as a drawing, `image/svg+xml`, retained: the image in Home Assistant, at most
every 15 minutes and only when it changed. `[homeassistant] picture = false` goes without.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages that are not current, or with ``--check`` tells which; the exit code."""
    parser = argparse.ArgumentParser(description="Write the reference pages anew.")
    parser.add_argument("folder", metavar="DIR", type=Path, help="where the pages are")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a page is not current"
    )
    given = parser.parse_args(arguments)
    try:
        bring_up_to_date(given.folder, check=given.check)
    except FanwhyError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def bring_up_to_date(folder: Path, *, check: bool) -> None:
    """Writes every page of ``folder`` that is not as the declarations have it.

    Args:
        folder: where the pages are.
        check: write nothing.

    Raises:
        FanwhyError: ``check``, and a page is not current; or a page lacks its marks.
    """
    configuration = folder / "configuration.md"
    pages = {
        folder / "topics.md": topics_page(),
        configuration: _with_reference(configuration, configuration_reference()),
    }
    stale = [path for path, text in pages.items() if not path.exists() or _read(path) != text]
    if check and stale:
        names = ", ".join(str(path) for path in stale)
        raise FanwhyError(f"{names}: not as the code says; write them anew with make docs")
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
        print(f"wrote {path}")


def topics_page() -> str:
    """``docs/topics.md``."""
    lines = [_TOPICS.format(rows="\n".join(_rows()))]
    inner: dict[type[Reading], None] = {}
    for leaf, cls in readings_of(documented_topics()).items():
        lines += [f"## host/{leaf}", "", first_paragraph(cls), "", *_fields(cls), ""]
        inner |= dict.fromkeys(_inside(cls))
    lines += ["## Readings inside others", ""]
    for cls in inner:
        lines += [f"### {_title(cls)}", "", first_paragraph(cls), "", *_fields(cls), ""]
    return "\n".join(lines).rstrip() + "\n"


def _rows() -> Iterator[str]:
    """How every topic is sent, out of the table of topics."""
    yield "| topic | what | retained | QoS | again at the heartbeat | forgotten by the broker |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in documented_topics().values():
        retained, again = ("yes" if each else "" for each in (row.retained, row.heartbeat))
        forgotten = f"after {EXPIRY_HEARTBEATS} heartbeats (MQTT 5)" if row.expires else ""
        doc = f"{row.doc} Listened to." if row.received else row.doc
        cells = (f"`host/{row.leaf}`", _cell(doc), retained, str(row.qos), again, forgotten)
        yield f"| {' | '.join(cells)} |"


def configuration_reference() -> str:
    """The tables of ``docs/configuration.md``."""
    lines: list[str] = []
    sections: dict[str, list[Declared]] = {}
    for item in declared(Settings):
        sections.setdefault(item.path[0] if len(item.path) > 1 else "", []).append(item)
    for section, items in sorted(sections.items(), key=lambda pair: bool(pair[0])):
        heading = f"### [{section}]" if section else "### Top level"
        lines += [heading, ""]
        if section:
            lines += [first_paragraph(section_class(Settings, section)), ""]
        lines += ["| setting | default | value | what |", "| --- | --- | --- | --- |"]
        lines += [_setting_row(item) for item in items]
        lines.append("")
        for table in items:
            lines += _table_of(table)
    return "\n".join(lines)


def _table_of(table: Declared) -> list[str]:
    """The settings of each entry, where the entries of a table are tables."""
    items = list(of_table(table, "NAME"))
    if not items:
        return []
    heading = f"### [{'.'.join(items[0].path[:-1])}]"
    lines = [heading, "", first_paragraph(element(table.type)), ""]
    lines += ["| setting | default | value | what |", "| --- | --- | --- | --- |"]
    lines += [_setting_row(item, variable=False) for item in items]
    return [*lines, ""]


def _fields(cls: type[Reading]) -> list[str]:
    lines = ["| field | what | unit | can be | sends |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{field.name}` | {_meaning(field)} | {_cell(str(field.metric.unit))} "
        f"| {field.metric.range} | {_trigger(field)} |"
        for field in fields_of(cls)
    ]
    return lines


def _meaning(field: Field) -> str:
    metric = field.metric
    text = _cell(metric.description)
    if metric.kind is Kind.CHOICE:
        text += " One of " + ", ".join(f"`{word}`" for word in metric.options) + "."
    if metric.of:
        link = f"[{_title(metric.of)}](#{_title(metric.of).lower().replace(' ', '-')})"
        text += {
            Kind.INSTANCES: f" By identity: {link}.",
            Kind.RECORDS: f" A list of: {link}.",
        }.get(metric.kind, f" See {link}.")
    return text


def _trigger(field: Field) -> str:
    metric = field.metric
    if metric.kind in (Kind.FLAG, Kind.CHOICE) or (
        metric.kind is Kind.TEXT and metric.deadband == 0
    ):
        return "any change"
    if metric.kind is Kind.INSTANCES:
        return "one came or went"
    if metric.kind is Kind.RECORDS and metric.deadband is not None:
        return "who is in it" if metric.members else "a new leader"
    if metric.kind not in (Kind.GAUGE, Kind.COUNTER) or metric.deadband is None:
        return ""
    share = f" and {metric.deadband_percent:g} %" if metric.deadband_percent else ""
    return f"{humanise(metric.deadband, metric.unit)}{share}"


def _inside(cls: type[Reading]) -> Iterator[type[Reading]]:
    for field in fields_of(cls):
        if field.metric.kind in _NESTED and field.metric.of:
            yield field.metric.of
            yield from _inside(field.metric.of)


def _title(cls: type[Reading]) -> str:
    words = cls.__name__.removesuffix("Reading")
    return (
        "".join(f" {char.lower()}" if char.isupper() else char for char in words)
        .strip()
        .capitalize()
    )


def _setting_row(item: Declared, *, variable: bool = True) -> str:
    default = f"`{toml(item.default)}`" if item.default not in (None, (), {}) else ""
    description = _cell(item.setting.description)
    if item.setting.example:
        description += f" Example: `{_cell(item.setting.example)}`."
    name = f"`{item.path[-1]}`" + (f"<br>`{item.variable}`" if variable else "")
    return f"| {name} | {default} | {item.expectation} | {description} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _with_reference(path: Path, reference: str) -> str:
    text = _read(path)
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise FanwhyError(f"{path}: the marks of the reference part are missing: {_BEGIN} {_END}")
    return f"{before}{_BEGIN}\n\n{reference}\n{_END}{after}"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
